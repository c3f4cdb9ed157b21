// How a question and its answer look: on the librarian's page, in the panel beside any page, and among earlier chats.
import { cover, el, icon, link } from "./dom.js"

// A turn's node; `fill(turn)` brings it up to what is known, adding and never drawing anew, so that a screen reader
// hears each part once. `acts`: what the buttons do, or null where there are none.
export function turnNode(words, acts) {
  const asked = el("p", { class: "os-asked" })
  const opening = el("p", { class: "os-opening" })
  const books = el("ol", { class: "os-told" })
  const foot = el("div", { class: "os-turn-foot" })
  const node = el("article", { class: "os-turn" }, asked, opening, books, foot)
  const told = new Map()
  let drawn = ""

  const fill = (turn, marks) => {
    set(asked, turn.question, turn.lang)
    const isWaiting = turn.state === "waiting"
    node.setAttribute("aria-busy", String(isWaiting))
    opening.classList.toggle("os-looking", isWaiting && !turn.opening)
    set(opening, turn.opening || (isWaiting ? words.looking : ""), turn.opening ? turn.lang : null)
    for (const book of turn.books) {
      if (!told.has(book.id)) {
        const item = toldNode(book, turn.lang, words, acts)
        told.set(book.id, item)
        books.append(item.node)
      }
      told.get(book.id).mark(marks)
    }
    books.hidden = !turn.books.length
    const signature = JSON.stringify([turn.state, turn.label, turn.ask, turn.thumb, turn.problem, Boolean(turn.slip)])
    if (signature === drawn) return
    drawn = signature
    const focused = foot.contains(document.activeElement) ? document.activeElement.dataset.name : null
    foot.replaceChildren(...ends(turn, words, acts))
    if (focused) foot.querySelector(`[data-name="${focused}"]`)?.focus()
  }
  return { node, fill }
}

function set(node, text, lang) {
  if (node.textContent !== text) node.textContent = text
  node.hidden = !text
  if (lang) node.lang = lang
}

function ends(turn, words, acts) {
  if (turn.problem) {
    return [
      el("p", { class: "os-problem", role: "alert", text: turn.problem }),
      acts && button("retry", "os-text-button", words.retry, () => acts.retry(turn)),
    ].filter(Boolean)
  }
  return [
    turn.state === "stopped" && el("p", { class: "os-voice", text: words.stopped }),
    turn.ask && link(turn.ask, { class: "os-button os-ask-library" }, words.ask_library),
    turn.label && el("p", { class: "os-voice", text: turn.label }),
    acts && turn.slip && thumbs(turn, words, acts),
  ].filter(Boolean)
}

function thumbs(turn, words, acts) {
  const thumb = (good, name, label) =>
    el(
      "button",
      {
        type: "button", class: "os-thumb", "data-name": name, "aria-label": label, title: label,
        "aria-pressed": String(turn.thumb === good), onclick: () => acts.thumb(turn, turn.thumb === good ? null : good),
      },
      icon(name),
    )
  return el(
    "div",
    { class: "os-thumbs", role: "group", "aria-label": words.judge },
    thumb(true, "up", words.good),
    thumb(false, "down", words.bad),
    el("span", { class: "os-voice", role: "status", text: typeof turn.thumb === "boolean" ? words.thanks : "" }),
  )
}

function toldNode(book, lang, words, acts) {
  const buttons = acts ? bookButtons(book, words, acts) : null
  const node = el(
    "li",
    {},
    link(book.href, { class: "os-told-cover", tabindex: "-1", "aria-hidden": "true" }, cover(book, 88, true)),
    el(
      "div",
      {},
      el("p", { class: "os-told-name" }, link(book.href, { class: "os-told-title", lang: book.lang }, book.title)),
      book.author && el("p", { class: "os-told-author", text: book.author }),
      el("p", { class: "os-told-why", lang, text: book.why }),
      buttons?.node,
    ),
  )
  const mark = marks => {
    buttons?.mark(marks)
    node.classList.toggle("os-told-hidden", Boolean(marks?.hidden.includes(book.id)))
  }
  return { node, mark }
}

function bookButtons(book, words, acts) {
  let now = { liked: false, wanted: false, hidden: false }
  const make = (name, press) => {
    const node = el("button", { type: "button", class: `os-act os-act-${name}`, onclick: press }, icon(name), el("span", {}))
    return { node, text: node.querySelector("span") }
  }
  const like = make("like", () => !now.liked && acts.act("like", book))
  const want = make("want", () => acts.act("want", book))
  const hide = make("hide", () => acts.act(now.hidden ? "unhide" : "hide", book))
  const show = (each, isOn, label) => {
    each.node.setAttribute("aria-pressed", String(isOn))
    each.node.setAttribute("aria-label", `${label}: ${book.title}`)
    each.text.textContent = label
  }
  const mark = marks => {
    const has = name => Boolean(marks?.[name].includes(book.id))
    now = { liked: has("liked"), wanted: has("wanted"), hidden: has("hidden") }
    show(like, now.liked, now.liked ? words.liked : words.like)
    show(want, now.wanted, now.wanted ? words.wanted : words.want)
    show(hide, now.hidden, now.hidden ? words.unhide : words.hide)
    like.node.hidden = want.node.hidden = now.hidden
  }
  return { node: el("div", { class: "os-told-acts" }, like.node, want.node, hide.node), mark }
}

export function button(name, kind, text, onclick) {
  return el("button", { type: "button", class: kind, "data-name": name, text, onclick })
}
