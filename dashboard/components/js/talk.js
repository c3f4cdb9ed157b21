// The librarian: one conversation in a tab, on a page of its own and in a panel beside every other. It is drawn once
// and goes along from page to page; what was said stays in this tab's storage and nowhere else.
import { el, icon, link, memory, teller } from "./dom.js"
import { button, turnNode } from "./talk_turns.js"

const KEY = "openshelf.talk"
const MAX_QUESTION = 2000
const MAX_TURNS = 20
const narrow = matchMedia("(max-width: 700px)")
const still = matchMedia("(prefers-reduced-motion: reduce)")

const remember = memory(parent => build(parent))

export default function (component) {
  const kept = remember(component.parentElement)
  kept.latest = component
  kept.teller.hear(component)
  kept.update(component.data)
}

function build(parent) {
  const kept = { latest: null, data: null, marks: null, pressed: new Map(), told: [], nodes: new Map(), running: null, teller: teller() }
  const root = el("section", { class: "os-librarian" })
  parent.append(root)

  kept.update = data => {
    const isOther = kept.data?.owner !== data.owner
    const isOtherLanguage = JSON.stringify(kept.data?.words) !== JSON.stringify(data.words)
    kept.data = data
    kept.marks = data.marks
    kept.pressed.clear() // what was pressed is among the marks by now
    if (isOther) {
      kept.running?.abort()
      kept.talk = load(data.owner)
    }
    if (isOther || isOtherLanguage) draw(kept, root)
    place(kept, root)
    refresh(kept)
    tellBooks(kept)
  }
  return kept
}

// What was said

function load(owner) {
  const fresh = { owner, chat: crypto.randomUUID?.() ?? uuid(), thread: null, turns: [] }
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY))
    if (found?.owner !== owner) throw new Error("another's")
    for (const turn of found.turns) if (turn.state === "waiting") turn.state = "stopped"
    return found
  } catch {
    forget()
    return fresh
  }
}

// crypto.randomUUID is there on secure sites only; a library at home has none.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6] & 15) | 64
  bytes[8] = (bytes[8] & 63) | 128
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}

function save(kept) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept.talk))
  } catch {
    // A browser that keeps nothing: the conversation lasts until the page is loaded anew.
  }
}

function forget() {
  try {
    sessionStorage.removeItem(KEY)
  } catch {
    // nothing was kept
  }
}

// Asking

async function ask(kept, question) {
  kept.running?.abort()
  const running = new AbortController()
  kept.running = running
  const turn = { question, lang: "", opening: "", books: [], state: "waiting" }
  kept.talk.turns.push(turn)
  kept.talk.turns.splice(0, kept.talk.turns.length - MAX_TURNS)
  refresh(kept)
  follow(kept, turn)
  const { data, talk } = kept
  try {
    const response = await fetch("/librarian/ask", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Form-Token": data.token },
      body: JSON.stringify({ text: question, chat: talk.chat, thread: talk.thread, hidden: data.own_hidden }),
      signal: running.signal,
    })
    if (!response.ok) throw new Error(await problemOf(response, data.words))
    await listen(response.body, (name, said) => {
      if (name === "opening") Object.assign(turn, { opening: said.text, lang: said.language })
      else if (name === "book") turn.books.push(said)
      else if (name === "problem") throw new Error(said.text)
      else if (name === "done") {
        Object.assign(turn, { lang: said.language, label: said.label, ask: said.ask, slip: said.slip, state: "done" })
        talk.thread = said.thread
      }
      refresh(kept)
    })
    if (turn.state !== "done") throw new Error(data.words.failed)
  } catch (error) {
    if (running.signal.aborted) turn.state = "stopped"
    else Object.assign(turn, { state: "failed", problem: error instanceof TypeError ? data.words.failed : error.message })
  }
  if (kept.running === running) kept.running = null
  if (kept.talk !== talk) return // somebody else is here by now
  save(kept)
  refresh(kept)
  tellBooks(kept)
}

async function problemOf(response, words) {
  const said = await response.text()
  try {
    return JSON.parse(said).problem || words.failed
  } catch {
    return response.status === 403 ? words.stale : words.failed
  }
}

// Server-sent events, as they come.
async function listen(body, handle) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let waiting = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    waiting += value
    const events = waiting.split("\n\n")
    waiting = events.pop()
    for (const event of events) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? []
      if (name) handle(name, JSON.parse(data))
    }
  }
}

async function thumb(kept, turn, good) {
  const before = turn.thumb
  turn.thumb = good
  refresh(kept)
  const response = await fetch("/librarian/thumb", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Form-Token": kept.data.token },
    body: JSON.stringify({ slip: turn.slip, good }),
  }).catch(() => null)
  if (!response?.ok) turn.thumb = before
  save(kept)
  refresh(kept)
}

function act(kept, action, book) {
  const marks = now(kept)
  const flip = (name, isOn) => kept.pressed.set(`${name} ${book.id}`, isOn)
  if (action === "like") flip("liked", true)
  else if (action === "want") flip("wanted", !marks.wanted.includes(book.id))
  else flip("hidden", action === "hide")
  const said = { like: "said_like", want: marks.wanted.includes(book.id) ? "said_unwant" : "said_want", hide: "said_hide", unhide: "said_unhide" }
  kept.status.textContent = kept.data.words[said[action]].replace("{title}", book.title)
  kept.teller.tell("acts", { action, id: book.id })
  refresh(kept)
}

// The marks as stored, and what was pressed since.
function now(kept) {
  const marks = Object.fromEntries(Object.entries(kept.marks).map(([name, ids]) => [name, [...ids]]))
  for (const [key, isOn] of kept.pressed) {
    const [name, id] = key.split(" ")
    marks[name] = marks[name].filter(each => each !== Number(id))
    if (isOn) marks[name].push(Number(id))
  }
  return marks
}

// The page is asked for the marks of the books that stand here.
function tellBooks(kept) {
  const books = [...new Set(kept.talk.turns.flatMap(turn => turn.books.map(book => book.id)))]
  if (JSON.stringify(books) === JSON.stringify(kept.told)) return
  kept.told = books
  kept.latest.setStateValue("books", books)
}

// Drawing

function draw(kept, root) {
  const { words, examples, chips, note } = kept.data
  kept.nodes.clear()
  const title = "os-librarian-title"
  kept.log = el("div", { class: "os-talk-log", role: "log", "aria-live": "polite", "aria-label": words.conversation })
  kept.status = el("p", { class: "os-unseen", role: "status" })
  kept.field = el("textarea", {
    rows: 1, maxlength: MAX_QUESTION, "aria-label": words.question, enterkeyhint: "send",
    oninput: () => grow(kept.field),
    onkeydown: event => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
      event.preventDefault()
      submit()
    },
  })
  const submit = () => {
    const text = kept.field.value.trim()
    if (!text) return kept.field.focus()
    kept.field.value = ""
    grow(kept.field)
    ask(kept, text)
  }
  kept.go = button("ask", "os-ask", words.ask, () => (kept.running && !kept.field.value.trim() ? kept.running.abort() : submit()))
  const choose = (list, kind, label) =>
    el("ul", { class: `os-examples os-${kind}`, "aria-label": label },
      list.map(text => el("li", {}, button(kind, "os-example", text, () => { ask(kept, text); kept.field.focus() }))))
  kept.examples = choose(examples, "starts", words.examples)
  kept.chips = choose(chips, "chips", words.more)
  kept.again = button("again", "os-text-button", words.again, () => {
    kept.running?.abort()
    forget()
    kept.talk = load(kept.data.owner)
    kept.nodes.clear()
    kept.log.replaceChildren()
    refresh(kept)
    tellBooks(kept)
    kept.field.focus()
  })
  kept.head = el("header", { class: "os-talk-head" })
  kept.inner = el(
    "div",
    { class: "os-talk" },
    kept.head,
    kept.log,
    el(
      "div",
      { class: "os-talk-desk" },
      kept.examples,
      kept.chips,
      el("form", { class: "os-question", onsubmit: event => { event.preventDefault(); submit() } }, kept.field, kept.go),
      kept.note = el("p", { class: "os-voice os-talk-note" }, el("span", {}, `${note.text} `, link(note.href, { class: "os-text-button" }, note.label))),
      kept.status,
    ),
  )
  kept.sheet = el("dialog", {
    class: "os-talk-sheet", "aria-labelledby": title, id: "os-talk-sheet",
    onkeydown: event => { if (event.key === "Escape") { event.preventDefault(); close(kept) } },
    oncancel: event => { event.preventDefault(); close(kept) },
    // On a telephone the sheet is all there is to see: a link in it leads behind it.
    onclick: event => { if (event.target.closest("a") && narrow.matches) close(kept, false) },
  })
  kept.opener = el(
    "button",
    { type: "button", class: "os-talk-open", "aria-expanded": "false", "aria-controls": "os-talk-sheet", onclick: () => (kept.sheet.open ? close(kept) : open(kept)) },
    icon("talk"), el("span", { text: words.title }),
  )
  kept.titleId = title
  kept.place = null
  root.replaceChildren(kept.opener, kept.sheet)
}

// `page`: it is the page. `panel`: a button in the corner opens it. `aside`: the button stays out of the text's way.
function place(kept, root) {
  const { data } = kept
  if (kept.place === data.place) return
  const wasPage = kept.place === "page"
  const wasTyping = document.activeElement === kept.field
  kept.place = data.place
  root.dataset.place = data.place
  const isPage = data.place === "page"
  if (isPage && kept.sheet.open) kept.sheet.close()
  kept.opener.hidden = isPage
  kept.opener.setAttribute("aria-expanded", String(kept.sheet.open))
  if (isPage || wasPage || !kept.head.childElementCount) {
    kept.head.replaceChildren(...(isPage ? pageHead(data.words) : sheetHead(kept)))
    if (isPage) kept.note.append(kept.again)
    ;(isPage ? root : kept.sheet).append(kept.inner)
  }
  if (wasTyping && isPage) kept.field.focus()
}

function pageHead(words) {
  return [el("div", { class: "os-heading" }, el("h1", { text: words.title }), el("p", { text: words.line }))]
}

function sheetHead(kept) {
  const { words } = kept.data
  return [
    // No h2: the page's own heading is the first one.
    el("p", { class: "os-talk-title", id: kept.titleId, role: "heading", "aria-level": "2", text: words.title }),
    kept.again,
    link("/librarian", { class: "os-talk-tool os-talk-whole", "aria-label": words.whole, title: words.whole }, icon("whole")),
    el("button", { type: "button", class: "os-talk-tool", "aria-label": words.close, title: words.close, onclick: () => close(kept) }, icon("skip")),
  ]
}

function open(kept) {
  if (narrow.matches) kept.sheet.showModal()
  else kept.sheet.show()
  kept.opener.setAttribute("aria-expanded", "true")
  kept.field.focus()
  grow(kept.field)
  const last = kept.log.lastElementChild
  if (last) last.scrollIntoView({ block: "start" })
}

function close(kept, comesBack = true) {
  if (!kept.sheet.open) return
  kept.sheet.close()
  kept.opener.setAttribute("aria-expanded", "false")
  if (comesBack) kept.opener.focus()
}

function refresh(kept) {
  if (!kept.log) return
  const { words } = kept.data
  const { turns } = kept.talk
  const marks = now(kept)
  const acts = {
    act: (action, book) => act(kept, action, book),
    thumb: (turn, good) => thumb(kept, turn, good),
    retry: turn => {
      turns.splice(turns.indexOf(turn), 1)
      ask(kept, turn.question)
    },
  }
  for (const [turn, { node }] of kept.nodes) {
    if (turns.includes(turn)) continue
    node.remove()
    kept.nodes.delete(turn)
  }
  for (const turn of turns) {
    if (!kept.nodes.has(turn)) {
      const made = turnNode(words, acts)
      kept.nodes.set(turn, made)
      kept.log.append(made.node)
    }
    kept.nodes.get(turn).fill(turn, marks)
  }
  kept.log.hidden = !turns.length
  const last = turns.at(-1)
  const hint = turns.length ? words.next : words.first
  if (kept.field.placeholder !== hint) {
    kept.field.placeholder = hint
    grow(kept.field)
  }
  kept.examples.hidden = turns.length > 0
  kept.chips.hidden = !(last?.state === "done" && last.books.length)
  kept.again.hidden = !turns.length
  kept.go.textContent = kept.running ? words.stop : words.ask
}

// The question goes to the top of what is seen, and the answer grows below it.
function follow(kept, turn) {
  kept.nodes.get(turn)?.node.scrollIntoView({ block: "start", behavior: still.matches ? "auto" : "smooth" })
}

function grow(field) {
  field.style.height = "auto"
  field.style.height = `${Math.min(field.scrollHeight, 160)}px`
}
