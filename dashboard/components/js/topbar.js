// The bar on top: wordmark, the rooms of the library, search, who is here.
import { el, icon, link, navigate } from "./dom.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const here = parentElement.querySelector(".os-bar input")
  const typing = here && document.activeElement === here ? here.value : null
  parentElement.querySelector(".os-bar")?.remove()

  const search = el("input", {
    type: "search", name: "q", value: typing ?? data.query, placeholder: "Title, author, subject, or a feeling",
    "aria-label": "Search the library", autocomplete: "off", maxlength: 200, enterkeyhint: "search",
  })
  const form = el(
    "form",
    {
      class: "os-search", role: "search", action: "/find", method: "get",
      onsubmit: event => {
        event.preventDefault()
        const text = search.value.trim()
        if (text) navigate(`/find?q=${encodeURIComponent(text)}`)
        else search.focus()
      },
    },
    icon("search"),
    search,
  )
  parentElement.append(
    el(
      "header",
      { class: "os-bar" },
      link("/", { class: "os-wordmark", "aria-label": `${data.name}, to the first page` }, data.name),
      el(
        "nav",
        { class: "os-rooms", "aria-label": "Rooms of the library" },
        data.links.map(room =>
          link(room.href, { "aria-current": room.href === data.current ? "page" : null }, room.label),
        ),
      ),
      form,
      account(data),
    ),
  )
  if (typing !== null) search.focus()
}

function account(data) {
  if (!data.account) return link("/sign_in", { class: "os-sign-in" }, icon("person"), el("span", { text: "Sign in" }))
  const menu = el(
    "details",
    { class: "os-account" },
    el("summary", { "aria-label": `Account of ${data.account.name}` }, el("span", { class: "os-initial", text: data.account.initial }), el("span", { class: "os-account-name", text: data.account.name })),
    el(
      "div",
      { class: "os-menu" },
      el("p", { text: data.account.line }),
      link("/mine", {}, "My books"),
      el("form", { method: "post", action: "/auth/sign-out" }, el("button", { type: "submit", text: "Sign out" })),
    ),
  )
  menu.addEventListener("focusout", event => {
    if (!menu.contains(event.relatedTarget)) menu.open = false
  })
  return menu
}
