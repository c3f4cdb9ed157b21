// Where one is in something long, and the ways on: pages of a list, chapters of a text.
import { el, icon, link, navigate } from "./dom.js"

export default function ({ parentElement, data, setTriggerValue }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const step = (target, name, label) =>
    target ? link(target, { class: "os-button", rel: name === "back" ? "prev" : "next" }, ...(name === "back" ? [icon(name), label] : [label, icon(name)])) : el("span")
  const pager = el("nav", { class: `os-pager ${data.variant || ""}`, "aria-label": data.label },
    data.home && link(data.home.href, { class: "os-text-button" }, data.home.label),
    data.title && el("p", { class: "os-pager-title", lang: data.lang, text: data.title }),
    data.chapters && el("select", { "aria-label": "Chapters", onchange: event => navigate(event.target.value) },
      data.chapters.map(chapter => el("option", { value: chapter.href, selected: chapter.href === data.current, text: chapter.label }))),
    (data.previous || data.next || data.place) && el("div", { class: "os-pager-steps" },
      step(data.previous, "back", data.previous_label), el("span", { class: "os-quiet", text: data.place || "" }),
      // A button that stays: what a link sends on its way out is lost when the page goes.
      data.finish ? el("button", { type: "button", class: data.finish.done ? "os-button" : "os-button os-primary", "aria-pressed": String(data.finish.done),
        onclick: () => data.finish.done || setTriggerValue("finish", true) }, icon("check"), data.finish.label)
        : step(data.next, "forward", data.next_label)),
  )
  parentElement.querySelector(".os-pager")?.remove()
  parentElement.append(pager)
}
