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
              row.note && el("p", { class: "os-records-note", text: row.note }))))
        : el("p", { class: "os-quiet", text: data.empty })),
  )
}
