// Filters whose values live in the address: selects, years, and the pages of a long list.
import { el, link, navigate } from "./dom.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const focused = parentElement.contains(document.activeElement) ? document.activeElement.name : null
  const change = (name, value) => {
    const query = new URLSearchParams(location.search)
    if (value) query.set(name, value)
    else query.delete(name)
    query.delete("page")
    navigate(location.pathname + (query.size ? `?${query}` : ""))
  }

  const bar = el("div", { class: "os-filters" },
    data.selects.map(select =>
      el("label", { class: select.value ? "os-filter os-on" : "os-filter" }, el("span", { text: select.label }),
        el("select", { name: select.name, onchange: event => change(select.name, event.target.value) },
          select.options.map(option => el("option", { value: option.value, selected: option.value === select.value, text: option.label }))))),
    data.years && el("fieldset", { class: "os-filter os-years" }, el("legend", { text: "Written" }),
      ["year_from", "year_to"].flatMap((name, index) => [
        index ? el("span", { text: "to", "aria-hidden": "true" }) : null,
        el("input", {
          type: "number", name, value: data.years[name] ?? "", placeholder: data.years.placeholders[index], step: 1, inputmode: "numeric",
          "aria-label": index ? "Latest year" : "Earliest year", onchange: event => change(name, event.target.value),
        })])),
    data.directory && link(data.directory.href, { class: "os-text-button" }, data.directory.label),
    data.clear && link(data.clear, { class: "os-text-button" }, "Clear all"),
  )
  parentElement.querySelector(".os-filters")?.remove()
  parentElement.append(bar)
  if (focused) bar.querySelector(`[name="${focused}"]`)?.focus()
}
