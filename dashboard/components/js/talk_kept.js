// Chats of other days that the reader wants kept, each folded under its first question.
import { el } from "./dom.js"
import { turnNode } from "./talk_turns.js"

export default function ({ parentElement, data }) {
  const signature = JSON.stringify(data)
  if (parentElement.dataset.signature === signature) return
  parentElement.dataset.signature = signature
  parentElement.querySelector(".os-kept-chats")?.remove()
  parentElement.append(
    el(
      "section",
      { class: "os-kept-chats" },
      el("h2", { text: data.heading }),
      data.chats.map(chat =>
        el(
          "details",
          {},
          el("summary", {}, el("span", { text: chat.turns[0].question }), el("small", { text: chat.day })),
          chat.turns.map(turn => {
            const { node, fill } = turnNode(data.words, null)
            fill(turn, null)
            return node
          }),
        ),
      ),
    ),
  )
}
