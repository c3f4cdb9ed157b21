// A list of plain records: what, how it stands, since when.
import { el } from "./dom.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  parentElement.querySelector(".os-records")?.remove()
  parentElement.append(
    el("section", { class: "os-records" }, el("h2", { text: data.heading }),
      data.rows.length
        ? el("ul", {}, data.rows.map(row =>
            el("li", {},
              el("p", { class: "os-records-what" }, el("b", { text: row.title }), row.line && el("span", { class: "os-quiet", text: row.line })),
              el("p", { class: "os-records-how" }, row.status && el("b", { text: row.status }), el("span", { class: "os-quiet", text: row.date })),
              row.note && el("p", { class: "os-records-note", text: row.note }),
              row.key && data.button && button(row, data.button))))
        : el("p", { class: "os-quiet", text: data.empty })),
  )
}

function button(row, { action, name, label, hidden }) {
  return el("form", { class: "os-records-act", method: "post", action },
    Object.entries({ ...hidden, [name]: row.key }).map(([name, value]) => el("input", { type: "hidden", name, value })),
    el("button", { type: "submit", class: "os-text-button", text: label, "aria-label": `${label}: ${row.title}` }))
}
