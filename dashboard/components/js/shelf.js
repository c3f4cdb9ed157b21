// A shelf of covers: a row that scrolls sideways, or a grid. Cards glide to their new places when a slate changes.
import { batch, cover, el, icon, link, marked, memory, teller, toHeading, withTitle } from "./dom.js"

const SEEN_SHARE = 0.5
const SEEN_MS = 500
const still = matchMedia("(prefers-reduced-motion: reduce)")

const remember = memory(parent => {
  const list = el("ol", { class: "os-cards" })
  const head = el("header", { class: "os-shelf-head" })
  const said = el("p", { class: "os-unseen", role: "status" })
  const section = el("section", { class: "os-shelf" }, head, list, said)
  parent.append(section)
  const kept = { section, head, list, said, cards: new Map(), seen: new Set(), timers: new Map(), teller: teller() }
  kept.report = batch(places => kept.teller.tell("seen", ...places), 700)
  kept.observer = new IntersectionObserver(entries => entries.forEach(entry => watch(kept, entry)), {
    threshold: [SEEN_SHARE],
  })
  return kept
})

export default function (component) {
  const kept = remember(component.parentElement)
  kept.teller.hear(component)
  const { data } = component
  kept.section.className = `os-shelf os-${data.layout}`
  drawHead(kept, data)
  drawCards(kept, data)
  return () => {
    kept.observer.disconnect()
    kept.timers.forEach(clearTimeout)
  }
}

function drawHead(kept, data) {
  const signature = JSON.stringify([data.heading, data.caption, data.more, data.cards.length > 0])
  if (kept.headSignature === signature) return
  kept.headSignature = signature
  const isAtHeading = kept.head.firstChild?.matches?.(":is(h1, h2):focus")
  const scroll = direction => () =>
    kept.list.scrollBy({ left: direction * kept.list.clientWidth * 0.9, behavior: still.matches ? "auto" : "smooth" })
  kept.head.replaceChildren(
    ...[
      data.heading && el(data.level || "h2", { class: "os-shelf-title", text: data.heading }),
      data.caption && el("p", { class: "os-shelf-caption", "aria-live": data.live ? "polite" : null, text: data.caption }),
      (data.more || data.layout === "row") &&
        el(
          "div",
          { class: "os-shelf-tools" },
          data.more &&
            link(data.more.href, { class: "os-more" }, data.more.label),
          data.layout === "row" && data.cards.length > 5 && [
            el("button", { type: "button", class: "os-arrow", "aria-label": data.words.back, onclick: scroll(-1) }, icon("back")),
            el("button", { type: "button", class: "os-arrow", "aria-label": data.words.on, onclick: scroll(1) }, icon("forward")),
          ],
        ),
    ].filter(Boolean),
  )
  kept.head.hidden = !kept.head.childElementCount
  if (isAtHeading) toHeading(kept.head.querySelector("h1, h2"))
}

function drawCards(kept, data) {
  const held = heldBy(kept.list)
  const before = new Map([...kept.cards].map(([id, card]) => [id, card.node.getBoundingClientRect()]))
  const wanted = new Set(data.cards.map(card => card.id))
  for (const [id, card] of kept.cards) {
    if (wanted.has(id)) continue
    kept.observer.unobserve(card.node)
    card.node.remove()
    kept.cards.delete(id)
  }
  const nodes = data.cards.map((card, index) => {
    const known = kept.cards.get(card.id)
    const place = { id: card.id, position: card.position, slate: data.slate_id }
    if (known && known.signature === JSON.stringify(card)) {
      known.place = place
      known.node.classList.remove("os-gone")
      return known.node
    }
    const node = known ? known.node : el("li", { class: "os-card" })
    const entry = { node, place, signature: JSON.stringify(card) }
    kept.cards.set(card.id, entry)
    node.dataset.book = card.id
    fillCard(kept, entry, card, data, index)
    node.classList.remove("os-gone")
    return node
  })
  const inOrder = nodes.length === kept.list.children.length && nodes.every((node, i) => kept.list.children[i] === node)
  if (!inOrder) kept.list.replaceChildren(...nodes)
  if (!nodes.length) kept.list.replaceChildren(el("li", { class: "os-empty", text: data.empty || data.words.empty }))
  if (held) holdAgain(kept.list, held)
  for (const { node } of kept.cards.values()) {
    kept.observer.unobserve(node)
    kept.observer.observe(node)
  }
  if (kept.drawn && !inOrder && !still.matches) glide(kept, before)
  kept.drawn = true
}

// Who works by keyboard stays on what they pressed; where its card is gone, on the one in its place.
function heldBy(list) {
  const active = list.querySelector(":focus-visible")
  const node = active?.closest("li")
  return node ? { node, index: [...list.children].indexOf(node), action: active.dataset.action } : null
}

function holdAgain(list, { node, index, action }) {
  if (list.contains(document.activeElement)) return
  const stays = node.parentNode === list
  const there = stays ? node : list.children[Math.min(index, list.children.length - 1)]
  const button = stays && action && there.querySelector(`[data-action="${action}"]`)
  ;(button || there.querySelector("a"))?.focus({ preventScroll: true })
}

function glide(kept, before) {
  for (const [id, { node }] of kept.cards) {
    const from = before.get(id)
    const to = node.getBoundingClientRect()
    const frames = from
      ? [{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }]
      : [{ opacity: 0, transform: "translateY(10px)" }, { opacity: 1, transform: "none" }]
    if (from && Math.abs(from.left - to.left) < 1 && Math.abs(from.top - to.top) < 1) continue
    node.animate(frames, { duration: from ? 420 : 520, easing: "cubic-bezier(.2,.7,.2,1)" })
  }
}

function fillCard(kept, entry, card, data, index) {
  const name = [card.title, card.author, card.note].filter(Boolean).join(", ")
  entry.node.replaceChildren(
    ...[
      link(
        card.href,
        { class: "os-card-link", title: card.author ? `${card.title}, ${card.author}` : card.title, "aria-label": name },
        cover({ ...card, alt: (card.author ? data.words.cover : data.words.cover_alone).replace("{title}", card.title).replace("{author}", card.author) }, 176, index < 6 && data.eager),
        el("span", { class: "os-title", lang: card.lang }, marked(card.title, card.title_marks)),
        el("span", { class: "os-author" }, marked(card.author, card.author_marks), card.note && (card.author ? ` · ${card.note}` : card.note)),
      ),
      card.reason && el("p", { class: "os-reason" }, withTitle(card.reason.text, card.reason.title)),
      card.excerpt && el("p", { class: "os-excerpt", lang: card.lang }, marked(card.excerpt.text, card.excerpt.marks)),
      card.way && el("p", { class: "os-way" }, el("span", { lang: card.lang, text: card.way.chapter }), link(card.way.href, { "aria-label": `${card.way.label}: ${card.title}, ${card.way.chapter}` }, card.way.label)),
      data.actions && actions(kept, entry, card, data.words),
      data.button &&
        el("button", {
          type: "button", class: "os-text-button", text: data.button.label, "aria-label": `${data.button.label}: ${card.title}`,
          onclick: () => kept.teller.tell("acts", { action: data.button.action, ...entry.place }),
        }),
    ].filter(Boolean),
  )
}

function actions(kept, entry, card, words) {
  const say = text => { kept.said.textContent = text.replace("{title}", card.title) }
  const button = (action, label, done, isOn) =>
    el(
      "button",
      {
        type: "button",
        class: `os-act os-act-${action}`,
        "data-action": action,
        "aria-label": `${isOn ? done : label}: ${card.title}`,
        "aria-pressed": action === "skip" ? null : String(isOn),
        title: isOn ? done : label,
        onclick: event => {
          const self = event.currentTarget
          const pressed = self.getAttribute("aria-pressed") === "true"
          if (action === "like" && pressed) return
          if (action === "skip") entry.node.classList.add("os-gone")
          else self.setAttribute("aria-pressed", String(!pressed))
          say(action === "like" ? words.said_like : action === "skip" ? words.said_skip : pressed ? words.said_unwant : words.said_want)
          kept.teller.tell("acts", { action, ...entry.place })
        },
      },
      icon(action),
    )
  return el(
    "div",
    { class: "os-acts" },
    button("like", words.like, words.liked, card.liked),
    button("want", card.is_film ? words.want_film : words.want, words.wanted, card.wanted),
    button("skip", words.skip, words.skip, false),
  )
}

// A place of a slate counts as seen after half of it stood on screen for half a second, once.
function watch(kept, entry) {
  const card = kept.cards.get(Number(entry.target.dataset.book))
  if (!card || !card.place.slate) return
  const name = `${card.place.slate}/${card.place.id}`
  clearTimeout(kept.timers.get(name))
  if (!entry.isIntersecting || entry.intersectionRatio < SEEN_SHARE || kept.seen.has(name)) return
  kept.timers.set(
    name,
    setTimeout(() => {
      if (document.hidden || kept.seen.has(name)) return
      kept.seen.add(name)
      kept.report(card.place)
    }, SEEN_MS),
  )
}
