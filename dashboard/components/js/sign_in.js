// Choosing a demo reader. A real form: the answer is a cookie no script can read.
import { el } from "./dom.js"

export default function ({ parentElement, data }) {
  parentElement.querySelector(".os-demo")?.remove()
  parentElement.append(
    el("section", { class: "os-demo" },
      el("h2", { text: data.heading }),
      el("p", { text: data.line }),
      el("form", { class: "os-readers", method: "post", action: "/auth/demo" },
        el("input", { type: "hidden", name: "form_token", value: data.token }),
        data.readers.map(reader =>
          el("button", { type: "submit", name: "username", value: reader.username, class: "os-reader" },
            el("span", { class: "os-initial", text: reader.initial }),
            el("span", {}, el("b", { text: reader.name }), el("small", { text: reader.line })))))),
  )
}
