// The head of one list: its name, what fills it, and what can be done with it.
import { el, link } from "./dom.js"
import { list_form } from "./rules.js"

export default function ({ parentElement, data, setTriggerValue }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const { words } = data
  const send = change => setTriggerValue("changed", change)
  const head = el("header", { class: "os-list-desk" },
    link(data.home, { class: "os-text-button" }, words.home),
    el("h1", { text: data.name }),
    el("p", { class: "os-quiet", role: "status", text: data.line }),
    el("p", { class: "os-problem", role: "alert", text: data.problem }),
    data.removed
      ? el("p", {}, el("button", { type: "button", class: "os-button os-primary", text: words.bring_back, onclick: () => send({ what: "back" }) }))
      : el("div", { class: "os-makers" },
          el("details", {}, el("summary", { class: "os-button", text: words.rename }), list_form({ name: data.name, rule: null, words, submit: words.save, on_submit: given => send({ what: "rename", ...given }) })),
          data.rule && el("details", {}, el("summary", { class: "os-button", text: words.change_rule }), list_form({ rule: data.rule, fields: data.fields, words, submit: words.save, on_submit: given => send({ what: "rule", ...given }) })),
          el("a", { class: "os-button", href: data.csv, download: "", text: words.csv }),
          el("button", { type: "button", class: "os-button", text: words.remove, onclick: () => send({ what: "remove" }) })),
  )
  parentElement.querySelector(".os-list-desk")?.remove()
  parentElement.append(head)
}
