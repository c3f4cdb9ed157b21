// Where one is in a long list, and the ways on.
import { el, icon, link } from "./dom.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const step = (target, name, label) =>
    target ? link(target, { class: "os-button", rel: name === "back" ? "prev" : "next" }, ...(name === "back" ? [icon(name), label] : [label, icon(name)])) : el("span")
  const pager = el("nav", { class: "os-pager", "aria-label": data.label },
    (data.previous || data.next || data.place) && el("div", { class: "os-pager-steps" },
      step(data.previous, "back", data.previous_label), el("span", { class: "os-quiet", text: data.place || "" }), step(data.next, "forward", data.next_label)),
  )
  parentElement.querySelector(".os-pager")?.remove()
  parentElement.append(pager)
}
