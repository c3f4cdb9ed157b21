// Whoever goes back finds a page as they left it: how far down, and how far along in each row. A browser does so by itself
// only for a page that is there at once. Kept in this tab's memory alone, so that the next person finds nothing.
import { isBetweenPages } from "./dom.js"

const MOST = 100
// A page is drawn piece by piece: so long it is held to its place, unless its reader moves it first.
const HOLD_MS = 4000
const LOOK_MS = 50

const left = new Map() // address -> { top, rows: heading -> how far along }
let held = null

const address = () => location.pathname + location.search
const main = () => document.querySelector('[data-testid="stMain"]')
const rows = () => [...document.querySelectorAll(".os-cards")]
const named = row => row.closest("section")?.querySelector(".os-shelf-title")?.textContent ?? ""

function note({ target }) {
  // A text knows its reader's place itself (reader.js); what moves between two pages is nobody's doing.
  if (held || location.pathname === "/read" || isBetweenPages()) return
  const isPage = target === main()
  if (!isPage && !target.matches?.(".os-cards")) return
  const place = left.get(address()) ?? { top: 0, rows: new Map() }
  left.delete(address())
  left.set(address(), place) // the latest stands last
  if (left.size > MOST) left.delete(left.keys().next().value)
  if (isPage) place.top = target.scrollTop
  else place.rows.set(named(target), target.scrollLeft)
}

function hold(place) {
  held = place
  let until = performance.now() + HOLD_MS
  const look = () => {
    if (held !== place) return
    if (isBetweenPages()) until = performance.now() + HOLD_MS // a busy server
    else {
      const page = main()
      const isLong = page && page.scrollHeight - page.clientHeight >= place.top
      if (isLong && Math.abs(page.scrollTop - place.top) > 1) page.scrollTo({ top: place.top, behavior: "instant" })
      for (const row of rows()) {
        const along = place.rows.get(named(row)) ?? 0
        if (Math.abs(row.scrollLeft - along) > 1) row.scrollTo({ left: along, behavior: "instant" })
      }
    }
    if (performance.now() < until) setTimeout(look, LOOK_MS)
    else held = null
  }
  look()
}

let isKept = false

export function keepPlaces() {
  if (isKept) return
  isKept = true
  addEventListener("scroll", note, { capture: true, passive: true })
  for (const moved of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(moved, () => (held = null), { capture: true, passive: true })
  }
  addEventListener("popstate", event => {
    held = null
    // What `navigate` sends is a page come to anew, which begins at its top.
    if (!event.isTrusted) left.delete(address())
    else if (left.has(address())) hold(left.get(address()))
  })
}
