// What the library has that begins as what is typed: asked of /suggest, shown in a list that the arrow keys walk.
import { el, marked, navigate } from "./dom.js"

const WAIT_MS = 70
let number = 0

// Ask after each pause in typing; only the latest answer counts, and none after `stop`.
export function asker(input, kind, answered) {
  let timer = null
  let running = null
  const stop = () => {
    clearTimeout(timer)
    running?.abort()
  }
  const ask = () => {
    stop()
    const text = input.value.trim()
    if (!text) return answered([])
    timer = setTimeout(async () => {
      running = new AbortController()
      try {
        const query = new URLSearchParams(kind ? { q: text, kind } : { q: text })
        const answer = await fetch(`/suggest?${query}`, { signal: running.signal })
        if (answer.ok && input.value.trim() === text) answered((await answer.json()).suggestions)
      } catch {
        answered([]) // what is typed is still searched for
      }
    }, WAIT_MS)
  }
  return { ask, stop }
}

// Make a text field a combobox (WAI-ARIA: list autocomplete with manual selection). Returns its list.
export function suggesting(input, words) {
  const id = `os-suggestions-${++number}`
  const list = el("ul", { class: "os-suggestions", role: "listbox", id, "aria-label": words.suggestions, hidden: true })
  const said = el("p", { class: "os-unseen", role: "status" })
  let options = []
  let chosen = -1
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list" }))
    input.setAttribute(name, value)

  const close = () => {
    suggestions.stop() // what was asked before must not open the list again
    list.hidden = true
    choose(-1)
    input.setAttribute("aria-expanded", "false")
  }
  const choose = index => {
    chosen = index
    options.forEach((option, place) => option.node.setAttribute("aria-selected", String(place === index)))
    if (index < 0) input.removeAttribute("aria-activedescendant")
    else {
      input.setAttribute("aria-activedescendant", options[index].node.id)
      options[index].node.scrollIntoView({ block: "nearest" })
    }
  }
  const go = option => {
    close()
    input.value = option.kind === "title" ? input.value : option.name
    navigate(option.href)
    input.blur()
  }
  const show = found => {
    const before = options[chosen]?.href // an answer that comes late leaves who walks the list where they are
    options = found.map((option, place) => ({
      ...option,
      node: el(
        "li", { role: "option", id: `${id}-${place}`, "aria-selected": "false", onmousedown: event => event.preventDefault(), onclick: () => go(option) },
        el("span", { class: "os-suggestion", lang: option.lang }, marked(option.name, option.marks)),
        el("small", { class: "os-quiet", text: option.line }),
      ),
    }))
    list.replaceChildren(...options.map(option => option.node))
    list.hidden = !options.length || document.activeElement !== input
    input.setAttribute("aria-expanded", String(!list.hidden))
    choose(options.findIndex(option => option.href === before))
    said.textContent = options.length ? words.count.replace("{count}", options.length) : ""
  }
  const suggestions = asker(input, null, show)
  input.addEventListener("input", suggestions.ask)
  input.addEventListener("blur", close)
  input.addEventListener("keydown", event => {
    if (event.isComposing) return // a Vietnamese or Japanese word is being made
    if (event.key === "Escape") {
      if (!list.hidden) event.preventDefault()
      close()
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && options.length) {
      event.preventDefault()
      list.hidden = false
      input.setAttribute("aria-expanded", "true")
      const step = event.key === "ArrowDown" ? 1 : -1
      // One place beyond the ends is the field itself.
      choose(((chosen + 1 + step + options.length + 1) % (options.length + 1)) - 1)
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault()
      go(options[chosen])
    }
  })
  return [list, said]
}
