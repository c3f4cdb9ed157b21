// A book's text as we lay it out, or its PDF in a frame: contents, how it looks, where the reader is, reading aloud.
// The text comes as a tree of a few kinds of element and is built node by node: no markup of a book is ever parsed here.
import { el, icon, link, memory, navigate, teller } from "./dom.js"

const TAGS = new Set(
  ("p div h1 h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote pre hr figure figcaption table caption thead tbody tr th td " +
    "b br cite code em i q s small strong sub sup u").split(" "),
)
// The page has its own first heading: those of the book begin one step lower.
const LOWER = { h1: "h2", h2: "h3", h3: "h4", h4: "h5", h5: "h6" }
const BLOCKS = "p, h2, h3, h4, h5, h6, li, dt, dd, pre, blockquote, figcaption, tr, img"
const SIZES = [14, 15, 16, 17, 18, 19, 20, 22, 24, 27, 30, 34, 38]
const USUAL = { size: 5, font: "serif", spacing: "normal", theme: "auto", remember: false }
const LOOKS = "openshelf.reading"
const PLACES = "openshelf.places"
const MAX_PLACES = 60
const SAVE_MS = 900
const SEND_MS = 2500

// What the browser keeps for us; a browser that keeps nothing is a reader without a memory, not an error.
const kept_in_browser = (name, otherwise, storage = "localStorage") => {
  try {
    return JSON.parse(globalThis[storage].getItem(name)) ?? otherwise
  } catch {
    return otherwise
  }
}
const keep_in_browser = (name, value, storage = "localStorage") => {
  try {
    if (value === null) globalThis[storage].removeItem(name)
    else globalThis[storage].setItem(name, JSON.stringify(value))
  } catch { /* full or forbidden */ }
}
// A visitor's places last as long as the tab, lest the next person at this computer find them, unless they ask for more.
const places_of = kept => kept_in_browser(PLACES, {}, kept.looks.remember ? "localStorage" : "sessionStorage")
const keep_places = (kept, places) => keep_in_browser(PLACES, places, kept.looks.remember ? "localStorage" : "sessionStorage")

const scroller = () => document.querySelector('[data-testid="stMain"]') ?? document.scrollingElement
const is_typing = target => target instanceof Element && target.closest("input, select, textarea, [contenteditable], [role=radiogroup]")

const remember = memory(parent => {
  const section = el("section", { class: "os-reading" })
  parent.append(section)
  const kept = { section, latest: null, drawn: null, looks: { ...USUAL, ...kept_in_browser(LOOKS, {}) }, sent: 0, timers: {}, teller: teller() }
  kept.on_scroll = () => {
    clearTimeout(kept.timers.scroll)
    kept.timers.scroll = setTimeout(() => note_place(kept), SAVE_MS)
    show_progress(kept)
  }
  kept.on_key = event => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || is_typing(event.target)) return
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const href = step && kept.latest.data.parts?.[kept.latest.data.number - 1 + step]
    if (!href) return
    event.preventDefault()
    navigate(href)
  }
  kept.on_hide = () => document.hidden && note_place(kept, true)
  kept.on_voices = () => kept.listen && (kept.listen.hidden = !voice_for(kept.latest.data.lang))
  scroller().addEventListener("scroll", kept.on_scroll, { passive: true })
  document.addEventListener("keydown", kept.on_key)
  document.addEventListener("visibilitychange", kept.on_hide)
  globalThis.speechSynthesis?.addEventListener?.("voiceschanged", kept.on_voices)
  kept.leave = () => {
    hush(kept)
    Object.values(kept.timers).forEach(clearTimeout)
    scroller()?.removeEventListener("scroll", kept.on_scroll)
    document.removeEventListener("keydown", kept.on_key)
    document.removeEventListener("visibilitychange", kept.on_hide)
    globalThis.speechSynthesis?.removeEventListener?.("voiceschanged", kept.on_voices)
  }
  return kept
})

export default function (component) {
  const kept = remember(component.parentElement)
  kept.latest = component
  kept.teller.hear(component)
  const { data } = component
  const drawn = `${data.key}/${data.number}/${data.lang}/${data.pdf ?? ""}`
  if (kept.drawn !== drawn) {
    const is_first = kept.drawn === null
    if (is_first && goes_elsewhere(kept)) return
    kept.drawn = drawn
    draw(kept, is_first)
  }
  if (kept.finish) show_finish(kept, data)
  // Called again before each new call: only a reader that left the page is gone.
  return () => setTimeout(() => kept.section.isConnected || kept.leave(), 0)
}

// A visitor's place is known here only: whoever did not ask for a part goes on where they were.
function goes_elsewhere(kept) {
  const { data } = kept.latest
  const place = data.remember === "browser" && !data.chosen && places_of(kept)[data.key]
  const href = place && place.part !== data.number && data.parts?.[place.part - 1]
  if (!href) return false
  history.replaceState({}, "", href)
  navigate(href)
  return true
}

function draw(kept, is_first) {
  const { data } = kept.latest
  const speaks_on = kept.speaks
  hush(kept)
  kept.article = data.nodes ? el("article", { class: "os-text", lang: data.lang || null, tabindex: -1, "aria-label": data.part_title }, build(kept, data.nodes)) : null
  kept.blocks = kept.article ? [...kept.article.querySelectorAll(BLOCKS)] : []
  kept.section.replaceChildren(
    ...[head(kept, data), data.pdf ? frame(data) : kept.article, foot(kept, data), el("p", { class: "os-unseen", role: "status", text: is_first ? "" : data.place })].filter(Boolean),
  )
  look(kept)
  if (kept.article) go_to_start(kept, data, is_first)
  else if (!is_first) kept.head.querySelector("h1").focus({ preventScroll: true })
  note_place(kept, true)
  if (speaks_on) speak(kept, 0)
}

function build(kept, nodes) {
  return nodes.map(node => {
    if (typeof node === "string") return document.createTextNode(node)
    const [tag, { lang, dir, id, part, anchor, src, alt }, ...children] = node
    const common = { lang, dir, "data-anchor": id }
    if (tag === "img") {
      const address = kept.latest.data.pictures + src.split("/").map(encodeURIComponent).join("/")
      return el("img", { ...common, src: address, alt: alt ?? "", loading: "lazy", decoding: "async" })
    }
    if (tag === "a") {
      const href = part && kept.latest.data.parts[part - 1]
      if (!href) return el("span", common, build(kept, children))
      return el("a", { ...common, href, onclick: event => leads_to(kept, event, part, anchor) }, build(kept, children))
    }
    return TAGS.has(tag) ? el(LOWER[tag] ?? tag, common, build(kept, children)) : el("span", common, build(kept, children))
  })
}

// A link inside the book: another part, or a place in this one.
function leads_to(kept, event, part, anchor) {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  const { data } = kept.latest
  event.currentTarget.closest("details")?.removeAttribute("open")
  if (part === data.number) {
    if (!show_anchor(kept, anchor)) scroller().scrollTo(0, 0)
    kept.article?.focus({ preventScroll: true })
    return
  }
  kept.goal = anchor
  navigate(data.parts[part - 1])
}

function show_anchor(kept, anchor) {
  const found = anchor ? kept.article?.querySelector(`[data-anchor="${CSS.escape(anchor)}"]`) : null
  found?.scrollIntoView({ block: "start" })
  return Boolean(found)
}

function go_to_start(kept, data, is_first) {
  const goal = kept.goal
  kept.goal = null
  if (!is_first) kept.article.focus({ preventScroll: true })
  if (show_anchor(kept, goal)) return
  const has_goal = Number.isInteger(data.goal)
  const remembered = data.remember === "account" ? data.start : places_of(kept)[data.key]
  const place = is_first && (has_goal ? { part: data.number, block: data.goal } : remembered)
  if (place && has_goal) kept.blocks[data.goal]?.classList.add("os-found")
  if (!place || place.part !== data.number || !kept.blocks[place.block] || !place.block) return void scroller().scrollTo(0, 0)
  const restore = () => kept.section.isConnected && kept.blocks[place.block]?.scrollIntoView({ block: "start" })
  requestAnimationFrame(restore)
  // The letters that come later are of other widths.
  document.fonts?.ready.then(restore)
}

// The first block that is on screen below our bar.
function block_on_screen(kept) {
  const top = (kept.head?.getBoundingClientRect().bottom ?? 0) + 2
  const found = kept.blocks.findIndex(block => block.getBoundingClientRect().bottom > top)
  return found < 0 ? Math.max(kept.blocks.length - 1, 0) : found
}

function progress_of(kept, data) {
  if (!kept.article) return data.number / data.parts.length // what the browser's viewer shows of a PDF it keeps to itself
  const box = kept.article.getBoundingClientRect()
  const view = scroller().clientHeight
  const read = box.height <= view ? (box.bottom <= view + 4 ? 1 : 0) : (view - box.top) / box.height
  return Math.min(1, Math.max(0, data.before + data.weight * Math.min(1, Math.max(0, read))))
}

function show_progress(kept) {
  if (!kept.bar) return
  const percent = Math.round(100 * progress_of(kept, kept.latest.data))
  kept.bar.value = percent
  kept.percent.textContent = kept.latest.data.words.percent.replace("{percent}", percent)
}

function note_place(kept, now = false) {
  const { data } = kept.latest
  if (!data.parts.length || !kept.section.isConnected) return
  show_progress(kept)
  const place = { part: data.number, block: block_on_screen(kept), progress: progress_of(kept, data) }
  const same = kept.noted && kept.noted.part === place.part && kept.noted.block === place.block
  if (same) return
  kept.noted = place
  if (data.remember === "browser") {
    const places = { ...places_of(kept), [data.key]: { ...place, at: Date.now() } }
    const newest = Object.entries(places).sort(([, one], [, other]) => other.at - one.at).slice(0, MAX_PLACES)
    keep_places(kept, Object.fromEntries(newest))
  } else if (data.remember === "account") {
    clearTimeout(kept.timers.send)
    const wait = now ? 0 : Math.max(0, kept.sent + SEND_MS - Date.now())
    kept.timers.send = setTimeout(() => {
      kept.sent = Date.now()
      if (kept.section.isConnected) kept.teller.tell("place", place)
    }, wait)
  }
}

// The bar above the text

function head(kept, data) {
  const { words } = data
  kept.listen = data.nodes && el("button", { type: "button", class: "os-tool", "aria-pressed": "false", hidden: !voice_for(data.lang), onclick: () => (kept.speaks ? hush(kept) : speak(kept, block_on_screen(kept))) }, icon("speak"), el("span", { text: words.listen }))
  kept.bar = data.parts.length > 0 && el("progress", { max: 100, value: 0, "aria-label": words.progress })
  kept.percent = kept.bar && el("span", { class: "os-quiet" })
  kept.head = el("header", { class: "os-reading-head" },
    link(data.home.href, { class: "os-tool", "aria-label": words.back }, icon("back"), el("span", { text: words.back })),
    el("h1", { class: "os-reading-title", lang: data.lang || null, tabindex: -1, text: data.title }),
    el("div", { class: "os-tools", role: "group", "aria-label": words.tools },
      kept.percent,
      kept.listen,
      data.contents.length > 0 && menu("list", words.contents, contents(kept, data)),
      data.nodes && menu("letters", words.looks, looks(kept, data))),
    kept.bar,
  )
  return kept.head
}

function menu(name, label, content) {
  const details = el("details", { class: `os-reading-menu os-reading-${name}` }, el("summary", { class: "os-tool", "aria-label": label, title: label }, icon(name), el("span", { text: label })), content)
  details.addEventListener("keydown", event => {
    if (event.key !== "Escape" || !details.open) return
    event.stopPropagation()
    details.open = false
    details.querySelector("summary").focus()
  })
  details.addEventListener("focusout", event => {
    if (event.relatedTarget && !details.contains(event.relatedTarget)) details.open = false
  })
  details.addEventListener("toggle", () => {
    if (!details.open) return
    for (const other of document.querySelectorAll(".os-reading-menu[open]")) if (other !== details) other.open = false
    details.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" })
  })
  return details
}

function contents(kept, data) {
  const current = data.contents.find(entry => entry.part === data.number) ?? data.contents.findLast(entry => entry.part < data.number)
  return el("nav", { class: "os-reading-panel", "aria-label": data.words.contents },
    el("ol", { lang: data.lang || null }, data.contents.map(entry =>
      el("li", { class: `os-level-${Math.min(entry.level, 3)}` },
        el("a", { href: data.parts[entry.part - 1], "aria-current": entry === current ? "true" : null, text: entry.label, onclick: event => leads_to(kept, event, entry.part, entry.anchor) })))))
}

function looks(kept, data) {
  const { words } = data
  const change = (name, value) => {
    const block = block_on_screen(kept)
    kept.looks = { ...kept.looks, [name]: value }
    keep_in_browser(LOOKS, kept.looks)
    look(kept)
    if (block) kept.blocks[block]?.scrollIntoView({ block: "start" })
  }
  const size = step => () => change("size", Math.min(SIZES.length - 1, Math.max(0, kept.looks.size + step)))
  const choice = (name, label, options) =>
    el("fieldset", { class: `os-choice os-choice-${name}` }, el("legend", { text: label }),
      Object.entries(options).map(([value, text]) =>
        el("label", {}, el("input", { type: "radio", name: `os-${name}`, value, checked: kept.looks[name] === value, onchange: () => change(name, value) }), el("span", { text }))))
  kept.size = el("output", { "aria-live": "polite" })
  return el("div", { class: "os-reading-panel", role: "group", "aria-label": words.looks },
    el("div", { class: "os-choice os-size", role: "group", "aria-label": words.size },
      el("span", { text: words.size }),
      el("button", { type: "button", "aria-label": words.smaller, onclick: size(-1) }, el("span", { class: "os-small-a", text: "A" })), kept.size,
      el("button", { type: "button", "aria-label": words.larger, onclick: size(1) }, el("span", { class: "os-large-a", text: "A" }))),
    choice("font", words.font, words.fonts),
    choice("spacing", words.spacing, words.spacings),
    choice("theme", words.theme, words.themes),
    data.remember === "browser" && el("label", { class: "os-choice os-reading-check" },
      el("input", { type: "checkbox", checked: kept.looks.remember, onchange: event => {
        const places = places_of(kept)
        keep_places(kept, null)
        change("remember", event.target.checked)
        keep_places(kept, places)
      } }), el("span", { text: words.remember })),
    el("p", { class: "os-quiet", text: words.keys }))
}

function look(kept) {
  const { size, font, spacing, theme } = kept.looks
  const pixels = SIZES[size] ?? SIZES[USUAL.size]
  kept.section.dataset.font = font
  kept.section.dataset.spacing = spacing
  kept.section.dataset.theme = theme
  kept.section.style.setProperty("--reading-size", `${pixels / 16}rem`)
  if (kept.size) kept.size.textContent = `${Math.round((100 * pixels) / SIZES[USUAL.size])} %`
}

// Below the text

function foot(kept, data) {
  const { words } = data
  const step = (href, name, label) =>
    href && link(href, { class: "os-button", rel: name === "back" ? "prev" : "next" }, ...(name === "back" ? [icon(name), label] : [label, icon(name)]))
  kept.finish = data.finish && el("button", { type: "button", class: "os-button", onclick: () => kept.latest.data.finish.done || kept.teller.tell("finish", true) }, icon("check"), el("span"))
  return el("div", { class: "os-reading-foot" },
    el("nav", { class: "os-reading-steps", "aria-label": words.parts },
      step(data.previous, "back", words.previous) || el("span"), el("span", { class: "os-quiet", text: data.place }),
      kept.finish || step(data.next, "forward", words.next) || el("span")),
    data.other && el("p", { class: "os-downloads os-quiet" }, link(data.other, {}, data.pdf ? words.as_text : words.as_pages)),
    data.downloads.length > 0 && el("p", { class: "os-downloads os-quiet" }, `${words.take_away} `,
      data.downloads.flatMap((file, index) => [index ? " · " : null, el("a", { href: file.href, download: "", text: file.label })])))
}

function show_finish(kept, data) {
  if (!data.finish) return
  kept.finish.className = data.finish.done ? "os-button" : "os-button os-primary"
  kept.finish.setAttribute("aria-pressed", String(data.finish.done))
  kept.finish.lastChild.textContent = data.finish.label
}

function frame(data) {
  return el("div", { class: "os-pdf" },
    el("iframe", { src: data.pdf, title: data.words.pdf.replace("{title}", data.title) }),
    el("p", { class: "os-quiet" }, `${data.words.pdf_not_shown} `, el("a", { href: data.pdf, target: "_blank", rel: "noopener", text: data.words.pdf_open })))
}

// Reading aloud: with voices that live in this browser only, for others send the text to someone else's computer.

function voice_for(lang) {
  if (!globalThis.speechSynthesis) return null
  const wanted = (lang || document.documentElement.lang || "en").slice(0, 2).toLowerCase()
  return speechSynthesis.getVoices().find(voice => voice.localService && voice.lang.slice(0, 2).toLowerCase() === wanted) ?? null
}

function speak(kept, from) {
  const { data } = kept.latest
  const voice = voice_for(data.lang)
  if (!voice) return
  const blocks = kept.blocks.slice(from).filter(block => !block.querySelector(BLOCKS) && block.textContent.trim())
  kept.speaks = {}
  const turn = kept.speaks
  kept.listen.setAttribute("aria-pressed", "true")
  kept.listen.lastChild.textContent = data.words.stop
  const next = (index, pieces) => {
    if (kept.speaks !== turn) return
    if (!pieces?.length) {
      kept.article.querySelector(".os-spoken")?.classList.remove("os-spoken")
      const block = blocks[index]
      if (!block) {
        const href = data.parts[data.number]
        if (href) return navigate(href)
        return hush(kept)
      }
      block.classList.add("os-spoken")
      const box = block.getBoundingClientRect()
      if (box.top < 90 || box.bottom > innerHeight - 40) block.scrollIntoView({ block: "center" })
      // Long texts are cut off by some browsers: a sentence or two at a time.
      return next(index, block.textContent.match(/[^.!?…。]{1,220}[.!?…。]*\s*|\S+/g) ?? [])
    }
    const said = new SpeechSynthesisUtterance(pieces[0])
    said.voice = voice
    said.lang = data.lang || voice.lang
    said.onend = () => (pieces.length > 1 ? next(index, pieces.slice(1)) : next(index + 1, null))
    said.onerror = event => event.error !== "canceled" && event.error !== "interrupted" && hush(kept)
    speechSynthesis.speak(said)
  }
  next(0, null)
}

function hush(kept) {
  if (!kept.speaks) return
  kept.speaks = null
  speechSynthesis.cancel()
  kept.article?.querySelector(".os-spoken")?.classList.remove("os-spoken")
  kept.listen.setAttribute("aria-pressed", "false")
  kept.listen.lastChild.textContent = kept.latest.data.words.listen
}
