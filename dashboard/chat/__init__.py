"""The librarian: parse -> retrieve -> rerank -> answer -> check -> explain. No Streamlit in here.

The rules of `parse` are in `reading`, what `retrieve` finds and weighs by is in `finding`.

In: a question and the answer it follows on. Out: an answer of works that are really on the shelf. Called by the
librarian's page and panel, by the API, by `openshelf ask` and by its judge. What they rely on, all in `answer`:

- `ask(conn, question, voice, before=None, *, audiences=None, hidden=frozenset(), taste=None) -> Answer`
- `look_up(conn, question, before=None, *, audiences=None, hidden=frozenset(), taste=None, voice=None)
  -> (Wish, records)`, then `stream(records, wish, voice) -> Iterator[Piece]`, then
  `collect(pieces, wish, before) -> Answer`; closing the stream stops the model
- `Piece = Opening | Told | Done`, `Told(book_id, title, authors_text, why, voice)`
- `Answer(wish, opening, books, voice, excuse, named, refusal)`; `refusal`: why no book is named, one of `REFUSALS`, or
  None; `voice`: who spoke, the model's name or `catalogue`

`voice`: None, or `voice.OllamaVoice(...).turn(session)`, made for each question: `session` is any text that tells one
tab from another, and a new question of a session stops the one before it. `voice.from_settings()` makes the shared
`OllamaVoice`. `audiences`: what the account is limited to; `hidden`: ids of works that the reader hid; `taste`: ids of
works -> how near each is to what the reader liked (-1 to 1), given only where the reader keeps a history.
"""
