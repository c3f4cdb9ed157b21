// The bar on top: wordmark, the rooms of the library, search, who is here.
import { currentInSight, el, icon, link, navigate, toHeading } from "./dom.js"
import { keepPlaces } from "./going_back.js"
import { suggesting } from "./suggest.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  document.documentElement.dataset.page = location.pathname
  keepPlaces()
  const here = parentElement.querySelector(".os-bar input")
  const typing = here && document.activeElement === here ? here.value : null
  parentElement.querySelector(".os-bar")?.remove()

  const search = el("input", {
    type: "search", name: "q", value: typing ?? data.query, placeholder: data.search.placeholder,
    "aria-label": data.search.label, autocomplete: "off", maxlength: 200, enterkeyhint: "search",
  })
  const form = el(
    "form",
    {
      class: "os-search", role: "search", action: "/find", method: "get",
      onsubmit: event => {
        event.preventDefault()
        const text = search.value.trim()
        search.blur() // the results come next, and a telephone's keyboard goes
        navigate(text ? `/find?q=${encodeURIComponent(text)}` : "/find")
      },
    },
    icon("search"),
    search,
    suggesting(search, data.search),
  )
  parentElement.append(
    el(
      "header",
      { class: "os-bar" },
      el("button", { type: "button", class: "os-skip-link", text: data.words.skip, onclick: () => toHeading() }),
      link("/", { class: "os-wordmark", "aria-label": data.words.home }, data.name),
      el(
        "nav",
        { class: "os-rooms", "aria-label": data.words.rooms },
        data.links.map(room => link(room.href, { "aria-current": isHere(room.href, data) }, room.label)),
      ),
      form,
      account(data),
    ),
  )
  currentInSight(parentElement.querySelector(".os-rooms"))
  if (typing !== null) search.focus()
}

// "true": the page is one of this room's, and not the one that the link leads to.
function isHere(href, { current, within }) {
  if (href === current) return "page"
  return href === within ? "true" : null
}

function account(data) {
  if (!data.account) return link("/sign_in", { class: "os-sign-in" }, icon("person"), el("span", { text: data.sign_in }))
  const { name, initial, line, links, token, words } = data.account
  const menu = el(
    "details",
    { class: "os-account" },
    el("summary", { "aria-label": words.menu }, el("span", { class: "os-initial", text: initial }), el("span", { class: "os-account-name", text: name })),
    el(
      "div",
      { class: "os-menu" },
      el("p", {}, el("b", { text: name }), el("span", { text: line })),
      links.map(each => link(each.href, {}, each.label)),
      el(
        "form", { method: "post", action: "/auth/sign-out" },
        el("input", { type: "hidden", name: "form_token", value: token }),
        el("button", { type: "submit", text: words.sign_out }),
      ),
    ),
  )
  menu.addEventListener("focusout", event => {
    if (!menu.contains(event.relatedTarget)) menu.open = false
  })
  menu.addEventListener("keydown", event => {
    if (event.key !== "Escape" || !menu.open) return
    menu.open = false
    menu.querySelector("summary").focus()
  })
  return menu
}
