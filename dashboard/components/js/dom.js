// Building blocks of the components. Text reaches the page only as text nodes: no markup is ever parsed from data.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  like: "M12 20.2s-7.6-4.6-7.6-10.1A4.3 4.3 0 0 1 12 7.4a4.3 4.3 0 0 1 7.6 2.7c0 5.5-7.6 10.1-7.6 10.1z",
  want: "M6.5 4h11v16l-5.5-4-5.5 4z",
  skip: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  search: "M10.8 4.5a6.3 6.3 0 1 0 0 12.6 6.3 6.3 0 0 0 0-12.6zM15.6 15.6L20 20",
  back: "M14.5 5.5L8 12l6.5 6.5",
  forward: "M9.5 5.5L16 12l-6.5 6.5",
  star: "M12 4.2l2.4 5 5.4.7-4 3.8 1 5.4-4.8-2.7-4.8 2.7 1-5.4-4-3.8 5.4-.7z",
  list: "M8.5 6.5H20M8.5 12H20M8.5 17.5H20M4.2 6.5h.6M4.2 12h.6M4.2 17.5h.6",
  letters: "M3 18.5L8 5.5l5 13M4.8 14h6.4M20.5 12.2v6.3M20.5 15.4a3 3 0 1 1-6 0 3 3 0 0 1 6 0z",
  speak: "M4 10v4h3.5L12 17.8V6.2L7.5 10zM15.3 9.2a4 4 0 0 1 0 5.6M17.9 6.6a7.6 7.6 0 0 1 0 10.8",
  check: "M5 12.5l4.5 4.5L19 7.5",
  talk: "M4.5 5.5h15v10.5h-8l-4 3.5v-3.5h-3zM8.5 9.5h7M8.5 12.5h4.5",
  whole: "M14 5h5v5M19 5l-6 6M10 19H5v-5M5 19l6-6",
  up: "M7.5 11v8.5h9.2l2.3-8h-5l.8-4.6c.2-1.2-.6-1.9-1.4-1.9zM4.5 11v8.5",
  down: "M16.5 13V4.5H7.3l-2.3 8h5l-.8 4.6c-.2 1.2.6 1.9 1.4 1.9zM19.5 13V4.5",
  hide: "M4 4.5l16 15M9.9 6.3A9 9 0 0 1 12 6c4.5 0 7.5 3.7 8.5 6a11 11 0 0 1-2.6 3.5M6.6 8A11.6 11.6 0 0 0 3.5 12c1 2.3 4 6 8.5 6a8.6 8.6 0 0 0 3.7-.8M10 10.2a2.6 2.6 0 0 0 3.7 3.7",
  person: "M12 12a3.8 3.8 0 1 0 0-7.6 3.8 3.8 0 0 0 0 7.6zM4.8 20c.6-3.6 3.5-5.6 7.2-5.6s6.6 2 7.2 5.6",
}

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    if (name === "text") node.textContent = value
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value)
    else node.setAttribute(name, value === true ? "" : String(value))
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) node.append(child)
  return node
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("aria-hidden", "true")
  svg.setAttribute("class", "os-icon")
  const path = document.createElementNS(SVG, "path")
  path.setAttribute("d", ICONS[name])
  svg.append(path)
  return svg
}

const heading = (levels = ":is(h1, h2)") => document.querySelector(`[data-testid="stMain"] ${levels}`)

// To the first heading: what it stands over comes next, for eyes and for screen readers.
export function toHeading(title = heading()) {
  if (!title) return
  title.tabIndex = -1
  title.focus({ preventScroll: true })
}

const DRAWN_MS = 3000
const LOOK_MS = 40
const HEARD_MS = 5000

// Tellers of something that would be lost with the page. (Each component has this module for itself.)
const unheard = (globalThis.openshelfUnheard ??= new Set())
let leaving = null

// Go to a page inside the running app, as the browser's own back and forward do. On a busy server what was done last
// on this page is heard first.
export function navigate(href, until = performance.now() + HEARD_MS) {
  clearTimeout(leaving)
  if (unheard.size && performance.now() < until) leaving = setTimeout(navigate, LOOK_MS, href, until)
  else go(href)
}

function go(href) {
  unheard.clear()
  const { pathname } = location
  if (href !== location.pathname + location.search) history.pushState({}, "", href)
  dispatchEvent(new PopStateEvent("popstate"))
  document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0)
  if (location.pathname === pathname && document.activeElement === document.body) toHeading()
  else comeAlong()
}

// Keyboard and screen reader come along to a new page, to its heading; unless what had the focus is still there and so
// is the page (a filter), or the reader has gone on meanwhile.
function comeAlong() {
  const pressed = document.activeElement
  const left = heading("h1")?.textContent
  let until = performance.now() + DRAWN_MS
  const look = () => {
    if (isBetweenPages() || isDrawing()) until = performance.now() + DRAWN_MS // a busy server, a slow line
    const now = document.activeElement
    if (now !== pressed && now !== document.body) return
    const title = heading("h1")
    if (title && title.textContent !== left) toHeading(title)
    else if (performance.now() < until) setTimeout(look, LOOK_MS)
    else if (now === document.body) toHeading()
  }
  setTimeout(look, LOOK_MS)
}

// A link that works everywhere (new tab, no script) and stays in the running app on a plain click.
export function link(href, attributes, ...children) {
  return el(
    "a",
    {
      href,
      ...attributes,
      onclick: event => {
        if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
        event.preventDefault()
        navigate(href)
      },
    },
    ...children,
  )
}

// A text with some of its places marked: `marks` are [start, end) in code points, in order.
export function marked(text, marks) {
  if (!marks?.length) return [text]
  const letters = Array.from(text)
  const part = (start, end) => letters.slice(start, end).join("")
  let at = 0
  const parts = marks.flatMap(([start, end]) => {
    const before = part(at, start)
    at = end
    return [before, el("mark", { text: part(start, end) })]
  })
  return [...parts, part(at)].filter(Boolean)
}

// A sentence with a title in it, the title in a tag of its own: translations put it where their grammar does.
export function withTitle(text, title) {
  const [before, after] = text.split("{title}")
  return after === undefined ? [text] : [before, el("cite", { text: title }), after].filter(Boolean)
}

// A cover, or the title set in type where there is none.
export function cover(card, width, eager) {
  const frame = el("span", { class: "os-cover" })
  const typeset = () =>
    frame.replaceChildren(
      el("span", { class: "os-cover-typeset", lang: card.lang, "aria-hidden": "true" }, el("b", { text: card.title }), el("i", { text: card.author })),
    )
  if (!card.cover) {
    typeset()
    return frame
  }
  const source = w => `${card.cover}&w=${w}`
  frame.append(
    el("img", {
      src: source(width),
      srcset: `${source(width)} 1x, ${source(width * 2)} 2x`,
      width,
      height: width * 1.5,
      alt: card.alt ?? "", // beside its title a cover says nothing more
      decoding: "async",
      loading: eager ? "eager" : "lazy",
      onerror: typeset,
    }),
  )
  return frame
}

// What a component keeps between two calls of its function, by the element it lives in.
export function memory(initial) {
  const kept = new WeakMap()
  return parent => {
    if (!kept.has(parent)) kept.set(parent, initial(parent))
    return kept.get(parent)
  }
}

// From when a page is left until the bar of the next one is drawn nothing may be sent: Streamlit takes it for a wish of
// the page that was left, and clears the next one. (`data-page` is set by the bar.)
export const isBetweenPages = () => (document.documentElement.dataset.page ?? location.pathname) !== location.pathname

// Whether a page's script runs, or is about to.
const isDrawing = () =>
  ["running", "rerunRequested"].includes(document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState)

const MOST_WAITING = 100

// What a reader does, told to the server. Of what one component tells while a run is under way Streamlit keeps the last
// only, so each time all is told again that was not heard yet; the server knows by number and teller what it has heard
// (`told` in handlers.py) and says so in `data.heard`. What was `seen` may be lost with the page, what was done may not.
export function teller() {
  const from = Math.random().toString(36).slice(2)
  let count = 0
  let waiting = []
  let isHeldBack = false
  let latest = null
  const say = () => {
    isHeldBack = isBetweenPages()
    if (isHeldBack) return
    for (const name of new Set(waiting.map(each => each.name))) {
      const told = waiting.filter(each => each.name === name).map(({ number, value }) => [number, value])
      latest.setTriggerValue(name, { from, told })
    }
  }
  const note = () => (waiting.some(each => each.name !== "seen") ? unheard.add(from) : unheard.delete(from))
  return {
    hear(component) {
      latest = component
      const { heard } = component.data
      if (heard?.from === from) waiting = waiting.filter(each => each.number > (heard[each.name] ?? 0))
      note()
      if (isHeldBack) say()
    },
    tell(name, ...values) {
      waiting = [...waiting, ...values.map(value => ({ name, value, number: ++count }))].slice(-MOST_WAITING)
      note()
      say()
    },
  }
}

// What gathers within a while, as one list.
export function batch(send, wait) {
  let waiting = []
  let timer = null
  return value => {
    waiting.push(value)
    timer ??= setTimeout(() => {
      const values = waiting
      waiting = []
      timer = null
      send(values)
    }, wait)
  }
}

// Of a row that is longer than its window the current link is in sight from the first: at once, and not again, so that
// nothing moves under who moves the row.
export function currentInSight(row) {
  const current = row.querySelector("[aria-current]")
  if (!current || row.scrollWidth <= row.clientWidth) return
  const [inner, outer] = [current.getBoundingClientRect(), row.getBoundingClientRect()]
  row.scrollTo({ left: row.scrollLeft + inner.left - outer.left - (outer.width - inner.width) / 2, behavior: "instant" })
}
