// The form of a list: its name, and the rule of a shelf that fills itself.
import { el } from "./dom.js"

let number = 0

// `fields`: what a rule may ask for, with the choices; `rule`: null for a list that is filled by hand.
export function list_form({ name, rule, fields, words, submit, on_submit }) {
  const id = `os-list-${++number}`
  const problem = el("p", { class: "os-problem", role: "alert" })
  const named = name !== undefined && labelled(`${id}-name`, words.name, el("input", { type: "text", name: "name", value: name, maxlength: 80, required: true, autocomplete: "off" }))
  const form = el("form", { class: "os-list-form", novalidate: true, onsubmit: event => {
    event.preventDefault()
    const given = new FormData(form)
    const text = key => (given.get(key) ?? "").trim()
    if (named && !text("name")) return tell(words.name_missing, "name")
    const wanted = rule && { language: text("language"), subject: text("subject"), year_from: text("year_from"), year_to: text("year_to"), reading: text("reading") }
    if (wanted && !Object.values(wanted).some(Boolean)) return tell(words.rule_missing, "language")
    tell("")
    on_submit({ name: named ? text("name") : null, rule: wanted })
  } }, named, rule && rule_fields(id, rule, fields, words), problem, el("button", { type: "submit", class: "os-button os-primary", text: submit }))
  const tell = (message, field) => {
    problem.textContent = message
    if (field) form.elements.namedItem(field)?.focus()
  }
  return form
}

function rule_fields(id, rule, fields, words) {
  const select = (name, label, options) =>
    labelled(`${id}-${name}`, label, el("select", { name }, options.map(option => el("option", { value: option.value, text: option.label, selected: option.value === (rule[name] ?? "") }))))
  const year = (name, label) =>
    labelled(`${id}-${name}`, label, el("input", { type: "number", name, value: rule[name] ?? "", step: 1, inputmode: "numeric", min: -5000, max: 3000 }))
  const subjects = `${id}-subjects`
  return el("div", { class: "os-rule" },
    select("reading", words.reading, fields.readings),
    select("language", words.language, fields.languages),
    labelled(`${id}-subject`, words.subject, el("input", { type: "text", name: "subject", value: rule.subject ?? "", list: subjects, maxlength: 200, autocomplete: "off" })),
    el("datalist", { id: subjects }, fields.subjects.map(subject => el("option", { value: subject }))),
    year("year_from", words.year_from), year("year_to", words.year_to))
}

function labelled(id, label, input) {
  input.id = id
  return el("div", { class: "os-field" }, el("label", { for: id, text: label }), input)
}
