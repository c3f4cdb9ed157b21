// The head of a list: title, count, what is worth saying, and filters whose values live in the address.
import { el, link, memory, navigate } from "./dom.js"
import { choices } from "./choices.js"
import { asker } from "./suggest.js"

const WIDE = matchMedia("(min-width: 701px)")

const remember = memory(parent => {
  const title = el("h1")
  const line = el("p", { role: "status" }) // stays, so that a new count is announced
  const body = el("div")
  const root = el("div", { class: "os-finder" }, el("header", { class: "os-heading" }, title, line), body)
  parent.append(root)
  return { title, line, body, isOpen: null }
})

export default function ({ parentElement, data }) {
  const kept = remember(parentElement)
  if (kept.title.textContent !== data.heading) kept.title.textContent = data.heading
  if (kept.line.textContent !== data.line) kept.line.textContent = data.line
  const signature = JSON.stringify([data.groups, data.notes, data.ways, data.chosen, data.clear, data.words])
  if (kept.signature === signature) return
  kept.signature = signature
  const focused = kept.body.contains(document.activeElement) ? document.activeElement.name : null
  kept.body.replaceChildren(...[...data.notes.map(note), data.ways.length && choices(data.ways_label, data.ways), filters(kept, data)].filter(Boolean))
  if (focused) kept.body.querySelector(`[name="${focused}"]`)?.focus()
}

function note(said) {
  return el("p", { class: "os-note" }, said.text, said.link && [" ", link(said.href, { class: "os-text-button" }, said.link)], said.tail)
}

function change(name, value) {
  const query = new URLSearchParams(location.search)
  if (value) query.set(name, value)
  else query.delete(name)
  query.delete("page")
  navigate(location.pathname + (query.size ? `?${query}` : ""))
}

function filters(kept, data) {
  if (!data.groups.length) return null
  const form = el(
    "form", { class: "os-filters", onsubmit: event => event.preventDefault() },
    data.groups.map(group =>
      el("fieldset", { class: "os-filter-group" }, el("legend", { text: group.label }), el("div", {}, group.fields.map(field)))),
  )
  const chosen = data.chosen.length > 0 &&
    el("ul", { class: "os-chosen", "aria-label": data.words.chosen },
      data.chosen.map(each => el("li", {}, link(each.href, { "aria-label": data.words.without.replace("{label}", each.label) }, each.label, el("span", { "aria-hidden": "true", text: "×" })))),
      data.clear && el("li", {}, link(data.clear, { class: "os-text-button" }, data.words.clear)))
  const box = el(
    "details", { class: "os-filter-box", open: kept.isOpen ?? (WIDE.matches && !data.is_folded) },
    el("summary", {}, data.words.filters, data.chosen.length ? ` (${data.chosen.length})` : ""),
    form,
  )
  box.addEventListener("toggle", () => { kept.isOpen = box.open })
  return el("div", {}, box, (chosen || data.beside) && el("div", { class: "os-chosen-line" }, chosen || el("span"), data.beside && link(data.beside.href, { class: "os-text-button" }, data.beside.label)))
}

let number = 0

function field(data) {
  const id = `os-filter-${++number}`
  const shared = { id, name: data.name }
  const label = el("label", { for: id, text: data.label })
  const onchange = event => change(data.name, event.target.value.trim())
  const isOn = data.value ? "os-filter os-on" : "os-filter"
  switch (data.type) {
    case "checkbox":
      return el("div", { class: "os-filter os-check" },
        el("input", { ...shared, type: "checkbox", checked: Boolean(data.value), onchange: event => change(data.name, event.target.checked ? "yes" : "") }), label)
    case "select":
      return el("div", { class: isOn }, label,
        el("select", { ...shared, onchange },
          data.options.map(option => el("option", { value: option.value, selected: option.value === data.value, text: option.label }))))
    case "year":
      return el("div", { class: `${isOn} os-year` }, label,
        el("input", { ...shared, type: "number", step: 1, inputmode: "numeric", value: data.value ?? "", placeholder: data.placeholder, onchange }))
    default: {
      const names = el("datalist", { id: `${id}-names` })
      const input = el("input", { ...shared, type: "text", value: data.value, list: names.id, autocomplete: "off", spellcheck: "false", maxlength: 200, onchange })
      const { ask } = asker(input, data.kind, found => names.replaceChildren(...found.map(each => el("option", { value: each.key }))))
      input.addEventListener("input", ask)
      return el("div", { class: isOn }, label, input, names)
    }
  }
}
