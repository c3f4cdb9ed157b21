// The page of one work: cover, record, and everything a reader can do with it.
import { cover, el, icon, link, memory, teller, withTitle } from "./dom.js"

const remember = memory(parent => {
  const said = el("p", { class: "os-unseen", role: "status" })
  parent.append(said)
  return { said, signature: "", teller: teller() }
})

export default function (component) {
  const { parentElement, data } = component
  const kept = remember(parentElement)
  kept.teller.hear(component)
  const signature = JSON.stringify(data)
  if (kept.signature === signature) return
  kept.signature = signature
  const { words } = data
  const focused = parentElement.contains(document.activeElement) ? document.activeElement.dataset.name : null
  const act = (action, value = null) => kept.teller.tell("acts", { action, value })

  const joined = links => links.flatMap((entry, index) => [index ? ", " : null, link(entry.href, {}, entry.label)])
  const toggle = (action, name, label, isOn) =>
    el("button", { type: "button", class: "os-button", "data-name": action, "aria-pressed": String(isOn), onclick: () => act(action) }, icon(name), label)
  const quiet = (action, label, isOn) =>
    el("button", { type: "button", class: "os-text-button", "data-name": action, "aria-pressed": isOn === undefined ? null : String(isOn), text: label, onclick: () => act(action) })

  const article = el(
    "article",
    { class: "os-book" },
    el("div", { class: "os-book-cover" }, cover({ ...data, alt: words.cover.replace("{title}", data.title).replace("{author}", data.author) }, 320, true)),
    el(
      "div",
      { class: "os-book-record" },
      data.series && el("p", { class: "os-book-series" }, link(data.series.href, {}, data.series.label)),
      el("h1", { class: "os-book-title", lang: data.lang, text: data.title }),
      data.authors.length > 0 && el("p", { class: "os-book-authors" }, ...joined(data.authors)),
      data.facts && el("p", { class: "os-book-facts", text: data.facts }),
      data.why && el("p", { class: "os-book-why" }, withTitle(data.why.text, data.why.title)),
      data.hidden && el("p", { class: "os-note" }, `${words.hidden} `, quiet("unhide", words.unhide)),
      el(
        "div",
        { class: "os-book-acts" },
        data.read_href && link(data.read_href, { class: "os-button os-primary" }, words.read),
        toggle("want", "want", data.wanted ? words.wanted : words.want, data.wanted),
        toggle("finish", "check", data.finished ? words.finished : words.finish, data.finished),
        toggle("like", "like", words.like, data.liked),
      ),
      stars(data, act),
      el("div", { class: "os-summary", lang: data.summary.length ? data.lang : null },
        data.summary.length ? data.summary.map(text => el("p", { text })) : el("p", { class: "os-quiet", text: words.no_summary })),
      data.subjects.length
        ? el("ul", { class: "os-subjects", "aria-label": words.subjects }, data.subjects.map(subject => el("li", {}, link(subject.href, {}, subject.label))))
        : el("p", { class: "os-quiet os-book-bare", text: words.no_subjects }),
      record(words.details, data.details),
      record(words.access, data.access),
      data.editions.length > 0 && el("section", { class: "os-book-section" }, el("h2", { text: words.editions }),
        el("ul", { class: "os-editions" }, data.editions.map(text => el("li", { text })))),
      data.downloads.length > 0 && el("section", { class: "os-book-section" }, el("h2", { text: words.take_away }),
        // Files, not pages: the browser fetches them itself.
        el("ul", { class: "os-subjects" }, data.downloads.map(each => el("li", {}, el("a", { href: each.href, download: true, text: each.label }))))),
      el(
        "p",
        { class: "os-less" },
        quiet("skip", data.skipped ? words.skipped : words.skip, data.skipped),
        quiet("dislike", data.disliked ? words.disliked : words.dislike, data.disliked),
        !data.hidden && quiet("hide", words.hide),
      ),
    ),
  )
  parentElement.querySelector(".os-book")?.remove()
  parentElement.append(article)
  kept.said.textContent = changed(kept.before, data)
  kept.before = data
  if (!focused) return
  // What was pressed may be gone for what undoes it.
  const successor = { hide: "unhide", unhide: "hide" }[focused]
  article.querySelector(`[data-name="${focused}"], [data-name="${successor}"]`)?.focus({ preventScroll: true })
}

function record(heading, lines) {
  if (!lines.length) return null
  return el("section", { class: "os-book-section" }, el("h2", { text: heading }),
    el("dl", { class: "os-record" }, lines.flatMap(each => [el("dt", { text: each.label }), el("dd", { text: each.value })])))
}

// What an act has done, in words.
function changed(before, data) {
  if (!before || before.title !== data.title) return ""
  const { words } = data
  const told = [["wanted", words.wanted], ["finished", words.finished], ["liked", words.liked], ["disliked", words.disliked], ["skipped", words.skipped], ["hidden", words.hidden]]
  return [...told.filter(([name]) => data[name] && !before[name]).map(([, text]) => text), data.stars !== before.stars ? data.rating_line : ""].filter(Boolean).join(". ")
}

function stars(data, act) {
  const group = el("div", { class: "os-stars", role: "group", "aria-label": data.words.rating })
  for (let value = 1; value <= 5; value += 1) {
    group.append(
      el("button", {
        type: "button", "data-name": `star${value}`, class: value <= data.stars ? "os-star os-on" : "os-star",
        "aria-pressed": String(value === data.stars), "aria-label": data.star_labels[value - 1], onclick: () => act("rate", value),
      }, icon("star")),
    )
  }
  group.append(el("span", { class: "os-quiet", text: data.rating_line }))
  return group
}
