// Names and how many books stand under each.
import { el, link } from "./dom.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  parentElement.querySelector(".os-directory-block")?.remove()
  parentElement.append(
    el("section", { class: "os-directory-block" }, data.heading && el(data.level, { text: data.heading }),
      el("ul", { class: "os-directory" }, data.entries.map(entry =>
        el("li", {}, link(entry.href, {}, el("span", { text: entry.label }), el("small", { class: "os-quiet", text: entry.count })))))),
  )
}
