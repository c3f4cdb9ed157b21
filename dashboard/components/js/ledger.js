// Books in plain rows under headings: a history by day, what an import found. A row may be taken out.
import { cover, el, link, memory, teller } from "./dom.js"

const remember = memory(parent => {
  const said = el("p", { class: "os-unseen", role: "status" })
  const body = el("div")
  parent.append(el("div", { class: "os-ledger" }, body, said))
  return { body, said, teller: teller() }
})

export default function (component) {
  const { parentElement, data } = component
  const kept = remember(parentElement)
  kept.teller.hear(component)
  const signature = JSON.stringify(data)
  if (kept.signature === signature) return
  const removed = kept.removing
  kept.signature = signature
  kept.removing = null
  kept.body.replaceChildren(...data.sections.map(section =>
    el("section", {}, el("h2", { text: section.heading }), section.line && el("p", { class: "os-quiet", text: section.line }),
      el("ul", {}, section.rows.map(row => line(row, data, title => {
        kept.removing = title
        kept.teller.tell("taken", row.key)
      }))))))
  if (!removed) return
  kept.said.textContent = data.words.removed.replace("{title}", removed.title)
  const rows = kept.body.querySelectorAll("li button")
  ;(rows[Math.min(removed.index, rows.length - 1)] ?? kept.body.querySelector("h2, a"))?.focus()
}

function line(row, data, take) {
  const title = row.href ? link(row.href, { class: "os-ledger-title", lang: row.lang || null }, row.title) : el("span", { class: "os-ledger-title", text: row.title })
  return el("li", {},
    row.cover !== undefined && el("span", { class: "os-ledger-cover", "aria-hidden": "true" }, cover(row, 88, false)),
    el("div", {}, title, row.author && el("span", { class: "os-quiet", text: row.author }), row.line && el("span", { class: "os-ledger-line", text: row.line })),
    data.words.remove && row.key && el("button", {
      type: "button", class: "os-text-button", text: data.words.remove, "aria-label": `${data.words.remove}: ${row.title}`,
      onclick: event => take({ title: row.title, index: [...event.currentTarget.closest(".os-ledger").querySelectorAll("li button")].indexOf(event.currentTarget) }),
    }))
}
