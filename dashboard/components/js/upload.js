// A file of the reader's own, chosen or dropped: in our words, where a browser's own field has those of its maker.
import { el } from "./dom.js"

let number = 0

export default function ({ parentElement, data, setTriggerValue }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  const id = `os-upload-${++number}`
  const isFocused = parentElement.contains(document.activeElement)
  const said = el("p", { class: "os-quiet", role: "status", text: data.name })
  const problem = el("p", { class: "os-problem", role: "alert", text: data.problem, id: `${id}-problem` })
  const input = el("input", {
    type: "file", id, class: "os-unseen", accept: data.accept, "aria-describedby": `${id}-hint`,
    "aria-invalid": data.problem ? "true" : null, "aria-errormessage": data.problem ? problem.id : null,
    onchange: () => take(input.files[0]),
  })
  const take = file => {
    if (!file) return
    problem.textContent = file.size > data.most ? data.words.too_large : ""
    if (problem.textContent) return
    said.textContent = data.words.reading.replace("{name}", file.name)
    const reader = new FileReader()
    reader.onload = () => setTriggerValue("file", { name: file.name, content: reader.result.split(",")[1] ?? "" })
    reader.onerror = () => {
      said.textContent = ""
      problem.textContent = data.words.failed
    }
    reader.readAsDataURL(file)
    input.value = "" // the same file may be chosen again, mended
  }
  const box = el(
    "div",
    {
      class: "os-upload",
      ondragover: event => event.preventDefault(),
      ondrop: event => {
        event.preventDefault()
        take(event.dataTransfer.files[0])
      },
    },
    input, el("label", { for: id, class: "os-button os-primary", text: data.words.choose }),
    el("small", { id: `${id}-hint`, class: "os-quiet", text: data.words.hint }), said, problem,
  )
  parentElement.querySelector(".os-upload")?.remove()
  parentElement.append(box)
  if (isFocused) input.focus()
}
