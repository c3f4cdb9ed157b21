// Numbers in a table that can be scrolled by keyboard where it is wider than the page, folded until asked for.
import { el, link } from "./dom.js"

// So many letters are a sentence: in a narrow column it would stand one word under another.
const LONG = 40

const wording = cell => (typeof cell === "string" ? cell : cell.text)

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  parentElement.querySelector(".os-table")?.remove()
  const classes = data.columns.map((column, n) => {
    if (column.is_number) return "os-number"
    return data.rows.some(row => wording(row[n]).length > LONG) ? "os-long" : null
  })
  const table = el("table", {}, el("caption", { class: "os-unseen", text: data.caption }),
    el("thead", {}, el("tr", {}, data.columns.map((column, n) => el("th", { scope: "col", class: classes[n], text: column.label })))),
    el("tbody", {}, data.rows.map(row => el("tr", {}, row.map((cell, n) =>
      el(n ? "td" : "th", { scope: n ? null : "row", class: classes[n] }, shown(cell)))))))
  const box = el("div", { class: "os-table-box", role: "region", tabindex: "0", "aria-label": data.caption }, table, data.more && el("p", { class: "os-quiet", text: data.more }))
  parentElement.append(el("div", { class: "os-table" }, data.fold ? el("details", {}, el("summary", { text: data.fold }), box) : box))
}

function shown(cell) {
  if (typeof cell === "string") return [cell]
  return [cell.href.startsWith("/") ? link(cell.href, {}, cell.text) : el("a", { href: cell.href, text: cell.text })]
}
