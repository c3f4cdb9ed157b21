// Which of a reader's lists a book is on: check marks, and a list made on the spot.
import { el, icon, memory, teller } from "./dom.js"

const remember = memory(() => teller())

export default function (component) {
  const { parentElement, data } = component
  const { hear, tell } = remember(parentElement)
  hear(component)
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const before = parentElement.querySelector(".os-list-menu")
  const focused = before?.contains(document.activeElement) ? document.activeElement.name : null
  const { words } = data
  const form = el("form", { onsubmit: event => {
    event.preventDefault()
    const name = form.elements.name.value.trim()
    if (name) tell("listed", { name })
    else form.elements.name.focus()
  } },
    el("input", { type: "text", name: "name", "aria-label": words.name, placeholder: words.name, maxlength: 80, autocomplete: "off" }),
    el("button", { type: "submit", class: "os-text-button", text: words.make }))
  const menu = el("details", { class: "os-list-menu", open: before?.open },
    el("summary", { class: "os-button" }, icon("list"), words.add, data.count_on ? el("span", { class: "os-quiet", text: data.count_line }) : null),
    el("div", { class: "os-list-choices", role: "group", "aria-label": words.add },
      data.lists.map(list =>
        el("label", {},
          el("input", { type: "checkbox", name: `list-${list.id}`, checked: list.is_on, onchange: event => tell("listed", { id: list.id, on: event.target.checked }) }),
          el("span", { text: list.name }))),
      form,
      el("p", { class: "os-problem", role: "alert", text: data.problem })))
  menu.addEventListener("keydown", event => {
    if (event.key !== "Escape" || !menu.open) return
    menu.open = false
    menu.querySelector("summary").focus()
  })
  before?.remove()
  parentElement.append(menu)
  if (focused) menu.querySelector(`[name="${focused}"]`)?.focus()
}
