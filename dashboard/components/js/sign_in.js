// Choosing a demo reader. A real form: the answer is a cookie no script can read.
import { el } from "./dom.js"

export default function ({ parentElement, data }) {
  parentElement.querySelector(".os-readers")?.remove()
  parentElement.append(
    el("form", { class: "os-readers", method: "post", action: "/auth/demo" },
      data.readers.map(reader =>
        el("button", { type: "submit", name: "username", value: reader.username, class: "os-reader" },
          el("span", { class: "os-initial", text: reader.initial }),
          el("span", {}, el("b", { text: reader.name }), el("small", { text: reader.line })))),
    ),
  )
}
