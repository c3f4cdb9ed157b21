// A few ways to look at the same thing, one of them chosen.
import { currentInSight, el, link } from "./dom.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  parentElement.querySelector(".os-choices")?.remove()
  const shown = choices(data.label, data.options)
  parentElement.append(shown)
  currentInSight(shown.querySelector("ul"))
}

export function choices(label, options) {
  return el("nav", { class: "os-choices", "aria-label": label }, el("ul", {}, options.map(option =>
    el("li", {}, link(option.href, { "aria-current": option.is_current ? "page" : null }, option.label)))))
}
