// Choosing a few books and subjects one likes: what to press, in groups, and how many are chosen already.
import { cover, el, link, memory } from "./dom.js"

const remembered = memory(() => ({ chosen: new Set(), group: 0 }))

export default function ({ parentElement, data, setTriggerValue }) {
  const kept = remembered(parentElement)
  kept.send = setTriggerValue
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  parentElement.querySelector(".os-welcome")?.remove()

  const list = el("ul", { class: "os-picks" })
  const count = el("p", { class: "os-picked", role: "status" })
  const done = el("button", {
    type: "button", class: "os-button os-primary", text: data.words.done,
    onclick: () => {
      done.disabled = true
      kept.send("picked", [...kept.chosen])
    },
  })
  const groups = data.groups.map((group, number) =>
    el("button", {
      type: "button", class: "os-group", text: group.name, "aria-pressed": String(number === kept.group),
      onclick: () => {
        kept.group = number
        groups.forEach((each, n) => each.setAttribute("aria-pressed", String(n === number)))
        draw()
      },
    }))

  const tell = () => {
    const missing = data.least - kept.chosen.size
    count.textContent = missing > 0 ? data.words.missing[missing - 1] : data.words.enough
    done.disabled = missing > 0
  }
  const draw = () => {
    list.classList.toggle("os-of-subjects", data.groups[kept.group].cards.some(card => card.is_subject))
    list.replaceChildren(
      ...data.groups[kept.group].cards.map(card => {
        const pick = el(
          "button",
          {
            type: "button", class: "os-pick", "aria-pressed": String(kept.chosen.has(card.id)),
            onclick: () => {
              if (!kept.chosen.delete(card.id)) kept.chosen.add(card.id)
              pick.setAttribute("aria-pressed", String(kept.chosen.has(card.id)))
              tell()
            },
          },
          !card.is_subject && cover(card, 176, true),
          el("span", { class: "os-title", lang: card.lang, text: card.title }),
          el("span", { class: "os-author", text: card.author }),
        )
        return el("li", {}, pick)
      }),
    )
  }

  parentElement.append(
    el(
      "section",
      { class: "os-welcome", "aria-label": data.words.name },
      el("div", { class: "os-groups", role: "group", "aria-label": data.words.groups }, groups),
      list,
      el("div", { class: "os-pick-end" }, count, link("/", { class: "os-skip" }, data.words.skip), done),
    ),
  )
  draw()
  tell()
}
