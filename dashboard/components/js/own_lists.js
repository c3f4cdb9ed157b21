// A reader's own lists as tiles, and the two forms that make more of them.
import { cover, el, link } from "./dom.js"
import { list_form } from "./rules.js"

export default function ({ parentElement, data, setTriggerValue }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const made = rule => ({ on_submit: given => setTriggerValue("made", given), rule, fields: data.fields, words: data.words, name: "" })
  const section = el("section", { class: "os-own-lists", "aria-labelledby": "os-own-lists-title" },
    el("h2", { id: "os-own-lists-title", text: data.heading }),
    el("p", { class: "os-problem", role: "alert", text: data.problem }),
    data.lists.length > 0 && el("ul", { class: "os-tiles" }, data.lists.map(tile)),
    el("div", { class: "os-makers" },
      el("details", {}, el("summary", { class: "os-button", text: data.words.make }), list_form({ ...made(null), submit: data.words.make_submit })),
      el("details", {}, el("summary", { class: "os-button", text: data.words.make_ruled }), el("p", { class: "os-quiet", text: data.words.ruled_line }), list_form({ ...made({}), submit: data.words.make_submit }))),
  )
  parentElement.querySelector(".os-own-lists")?.remove()
  parentElement.append(section)
}

function tile(list) {
  return el("li", {},
    link(list.href, { class: "os-tile" },
      el("span", { class: "os-fan", "aria-hidden": "true" }, list.covers.length ? list.covers.map(card => cover(card, 88, false)) : el("span", { class: "os-cover os-cover-none" })),
      el("b", { text: list.name }),
      el("span", { class: "os-quiet", text: list.line })))
}
