// A form of ours: labelled fields, the problem in words beside the field, the answer of the server followed.
import { el } from "./dom.js"

let number = 0

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return // what is typed stays
  parentElement.dataset.signature = signature
  parentElement.querySelector(".os-form-block")?.remove()
  const form = build(data)
  const head = data.heading ? el("h2", { text: data.heading }) : null
  const line = data.line ? el("p", { class: "os-form-line", text: data.line }) : null
  const block = data.folded
    ? el("details", { class: "os-form-block os-folded" }, el("summary", { text: data.folded }), line, form)
    : el("div", { class: "os-form-block" }, head, line, form)
  parentElement.append(block)
  if (data.sends_itself) form.requestSubmit()
}

function build(data) {
  const id = `os-form-${++number}`
  const problem = el("p", { class: "os-problem", role: "alert", id: `${id}-problem` })
  const button = el("button", { type: "submit", class: `os-button${data.quiet ? "" : " os-primary"}`, text: data.submit })
  const form = el(
    "form",
    { class: "os-form", method: "post", action: data.action, novalidate: true, "aria-label": data.name },
    Object.entries(data.hidden).map(([name, value]) => el("input", { type: "hidden", name, value })),
    data.fields.map(field => labelled(field, `${id}-${field.name}`, data.words)),
    problem,
    el("div", { class: "os-form-end" }, button),
  )
  form.addEventListener("submit", async event => {
    event.preventDefault()
    if (button.disabled) return
    const missing = [...form.elements].find(each => each.required && !each.value.trim() && each.type !== "checkbox")
    if (missing) return tell(form, problem, data.words.missing, missing.name)
    button.disabled = true
    tell(form, problem, "")
    try {
      const answer = await fetch(form.action, {
        method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(new FormData(form)),
      })
      const said = (answer.headers.get("content-type") ?? "").includes("json") ? await answer.json() : {}
      if (said.to) return location.assign(said.to)
      tell(form, problem, said.problem ?? (answer.status === 403 ? data.words.stale : data.words.failed), said.field)
    } catch {
      tell(form, problem, data.words.failed)
    }
    button.disabled = false
  })
  return form
}

function labelled(field, id, words) {
  const hint = field.hint ? el("small", { id: `${id}-hint`, text: field.hint }) : null
  const shared = { id, name: field.name, "aria-describedby": hint?.id }
  if (field.type === "checkbox") {
    return el(
      "div", { class: "os-field os-check" },
      el("input", { ...shared, type: "checkbox", value: "1" }),
      el("label", { for: id }, el("span", { text: field.label }), hint),
    )
  }
  if (field.type === "select") {
    const options = field.options.map(([value, text]) => el("option", { value, text, selected: value === field.value }))
    return el("div", { class: "os-field" }, el("label", { for: id, text: field.label }), el("select", shared, options), hint)
  }
  if (field.type === "textarea") {
    const area = el("textarea", { ...shared, rows: 5, maxlength: 4000, spellcheck: "false", required: field.required, text: field.value })
    return el("div", { class: "os-field" }, el("label", { for: id, text: field.label }), area, hint)
  }
  const input = el("input", {
    ...shared, type: field.type, value: field.value, autocomplete: field.autocomplete, required: field.required,
    maxlength: 200, spellcheck: "false", autocapitalize: field.type === "text" && field.name !== "username" ? "words" : "none",
  })
  const show = field.type === "password" && field.can_show
    ? el("button", {
        type: "button", class: "os-show", "aria-pressed": "false", "aria-label": words.show, text: words.show_short,
        onclick: event => {
          const shown = input.type === "text"
          input.type = shown ? "password" : "text"
          event.currentTarget.setAttribute("aria-pressed", String(!shown))
        },
      })
    : null
  return el("div", { class: "os-field" }, el("label", { for: id, text: field.label }), el("span", { class: "os-input" }, input, show), hint)
}

// The problem in words; the field it is about is marked and has the focus.
function tell(form, problem, words, name) {
  problem.textContent = words
  for (const each of form.elements) {
    each.removeAttribute("aria-invalid")
    each.removeAttribute("aria-errormessage")
  }
  const field = name && form.elements.namedItem(name)
  if (!field) return
  field.setAttribute("aria-invalid", "true")
  field.setAttribute("aria-errormessage", problem.id)
  field.focus()
}
