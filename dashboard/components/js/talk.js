// The librarian's desk: `turns` draws what was said so far, `form` takes the next question.
import { cover, el, link, memory } from "./dom.js"

const MAX_QUESTION = 500
const still = matchMedia("(prefers-reduced-motion: reduce)")
const remember = memory(() => ({ latest: null, signature: "" }))

export default function (component) {
  const { parentElement, data } = component
  const kept = remember(parentElement)
  kept.latest = component
  const signature = JSON.stringify(data)
  if (kept.signature === signature) return
  kept.signature = signature
  const send = (name, value) => kept.latest.setTriggerValue(name, value)
  parentElement.querySelector(".os-talk")?.remove()
  parentElement.append(data.part === "form" ? form(data, send) : turns(data))
}

function turns(data) {
  return el(
    "div",
    { class: "os-talk", role: "log", "aria-live": "polite", "aria-label": data.words.conversation },
    data.turns.map(turn =>
      el(
        "article",
        { class: "os-turn" },
        el("p", { class: "os-asked", lang: turn.lang, text: turn.question }),
        turn.opening && el("p", { class: "os-opening", lang: turn.lang, text: turn.opening }),
        turn.books.length > 0 && el("ol", { class: "os-told" }, turn.books.map(book => told(book, turn.lang))),
        turn.ask && el("p", {}, link(turn.ask.href, { class: "os-text-button" }, turn.ask.label)),
        turn.label && el("p", { class: "os-voice", text: turn.label }),
      ),
    ),
  )
}

function told(book, lang) {
  return el(
    "li",
    {},
    link(book.href, { class: "os-told-cover", tabindex: "-1", "aria-hidden": "true" }, cover(book, 88, true)),
    el(
      "div",
      {},
      link(book.href, { class: "os-told-title", lang: book.lang }, book.title),
      book.author && el("p", { class: "os-told-author", text: book.author }),
      el("p", { class: "os-told-why", lang, text: book.why }),
    ),
  )
}

function form(data, send) {
  const field = el("textarea", {
    rows: 1, maxlength: MAX_QUESTION, placeholder: data.placeholder, "aria-label": data.words.question,
    oninput: grow,
    onkeydown: event => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault()
        ask()
      }
    },
  })
  const ask = () => {
    const text = field.value.trim()
    if (!text) return field.focus()
    field.value = ""
    send("ask", text)
  }
  return el(
    "div",
    { class: "os-talk os-talk-desk" },
    data.examples.length > 0 &&
      el("ul", { class: "os-examples", "aria-label": data.words.examples },
        data.examples.map(text => el("li", {}, el("button", { type: "button", text, onclick: () => send("ask", text) })))),
    el("form", { class: "os-question", onsubmit: event => { event.preventDefault(); ask() } },
      field, el("button", { type: "submit", class: "os-ask", text: data.words.ask })),
    el("p", { class: "os-voice" }, `${data.note} `,
      data.can_clear && el("button", { type: "button", class: "os-text-button", text: data.words.again, onclick: () => send("clear", true) })),
  )
}

function grow(event) {
  event.target.style.height = "auto"
  event.target.style.height = `${Math.min(event.target.scrollHeight, 160)}px`
}
