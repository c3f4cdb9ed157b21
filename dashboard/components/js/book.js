// The page of one work: cover, record, and everything a reader can do with it.
import { cover, el, icon, link } from "./dom.js"

export default function ({ parentElement, data, setTriggerValue }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const focused = parentElement.contains(document.activeElement) ? document.activeElement.dataset.name : null
  const act = (action, value = null) => setTriggerValue("acts", [{ action, value }])

  const fact = (label, ...values) => values.length > 0 && [el("dt", { text: label }), el("dd", {}, ...values)]
  const joined = links => links.flatMap((entry, index) => [index ? ", " : null, link(entry.href, {}, entry.label)])
  const toggle = (action, name, label, isOn) =>
    el("button", { type: "button", class: "os-button", "data-name": action, "aria-pressed": String(isOn), onclick: () => act(action) }, icon(name), label)

  const article = el(
    "article",
    { class: "os-book" },
    el("div", { class: "os-book-cover" }, cover(data, 320, true)),
    el(
      "div",
      { class: "os-book-record" },
      data.series && el("p", { class: "os-book-series" }, link(data.series.href, {}, data.series.label)),
      el("h1", { class: "os-book-title", lang: data.lang, text: data.title }),
      data.authors.length > 0 && el("p", { class: "os-book-authors" }, ...joined(data.authors)),
      data.facts && el("p", { class: "os-book-facts", text: data.facts }),
      data.hidden &&
        el("p", { class: "os-note" }, "You said you are not interested; it stays off your shelves. ",
          el("button", { type: "button", class: "os-text-button", "data-name": "unhide", text: "Show it again", onclick: () => act("unhide") })),
      el(
        "div",
        { class: "os-book-acts" },
        data.read_href && link(data.read_href, { class: "os-button os-primary" }, "Read now"),
        toggle("want", "want", data.wanted ? "On your shelf" : "Want to read", data.wanted),
        toggle("finish", "check", data.finished ? "You have read it" : "I have read it", data.finished),
        toggle("like", "like", "Like", data.liked),
      ),
      stars(data, act),
      el("div", { class: "os-summary" },
        data.summary.length ? data.summary.map(text => el("p", { text })) : el("p", { class: "os-quiet", text: "No description yet." })),
      el("ul", { class: "os-subjects", "aria-label": "Subjects" }, data.subjects.map(subject => el("li", {}, link(subject.href, {}, subject.label)))),
      el("dl", { class: "os-record" }, [
        fact("Audience", ...(data.audience ? [data.audience] : [])),
        ...data.editions.map((edition, index) => fact(data.editions.length > 1 ? `Edition ${index + 1}` : "Edition", edition)),
      ].flat().filter(Boolean)),
      el(
        "p",
        { class: "os-less" },
        el("button", { type: "button", class: "os-text-button", "data-name": "skip", "aria-pressed": String(data.skipped), text: data.skipped ? "Put aside for now" : "Not now", onclick: () => act("skip") }),
        el("button", { type: "button", class: "os-text-button", "data-name": "dislike", "aria-pressed": String(data.disliked), text: data.disliked ? "You do not like this" : "I do not like this", onclick: () => act("dislike") }),
        !data.hidden && el("button", { type: "button", class: "os-text-button", "data-name": "hide", text: "Not interested, hide it", onclick: () => act("hide") }),
      ),
    ),
  )
  parentElement.querySelector(".os-book")?.remove()
  parentElement.append(article)
  if (focused) article.querySelector(`[data-name="${focused}"]`)?.focus()
}

function stars(data, act) {
  const group = el("div", { class: "os-stars", role: "group", "aria-label": "Your rating" })
  for (let value = 1; value <= 5; value += 1) {
    group.append(
      el("button", {
        type: "button", "data-name": `star${value}`, class: value <= data.stars ? "os-star os-on" : "os-star",
        "aria-pressed": String(value === data.stars), "aria-label": value === 1 ? "1 star" : `${value} stars`, onclick: () => act("rate", value),
      }, icon("star")),
    )
  }
  group.append(el("span", { class: "os-quiet", text: data.rating_line }))
  return group
}
