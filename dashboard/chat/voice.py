"""The voice of a language model: Ollama through its own client, with a deadline that holds.

A shell: it talks to the network. What it says is never trusted; `answer` checks each line.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Protocol

import httpx
import ollama
import pydantic

from dashboard.chat.parse import Language
from openshelf.database.search import Record
from openshelf.errors import OpenshelfError
from openshelf.settings import get_settings

CONNECT_S = 1.5
# After a failure the model is left alone for this long, so that not each question waits for it.
REST_S = 60.0
MAX_TOKENS = 500
CONTEXT_TOKENS = 4_096
MAX_SUMMARY = 700
MAX_REPLY = 8_000
_LANGUAGES: dict[Language, str] = {"en": "English", "vi": "Vietnamese", "ru": "Russian"}


class VoiceError(OpenshelfError):
    """The model is away, slow or broken; the answer is made without it."""


class Voice(Protocol):
    """What can put an answer into words."""

    @property
    def name(self) -> str: ...

    def speak(self, question: str, language: Language, records: Sequence[Record]) -> Iterator[str]:
        """Pieces of text as they come.

        Raises:
            VoiceError: at any piece; what came before may be incomplete.
        """
        ...


@dataclass
class OllamaVoice:
    """Ollama at `url`. `clock` gives monotonic seconds; `timeout_s` is the deadline of one whole answer."""

    url: str
    model: str
    timeout_s: float
    clock: Callable[[], float]
    _silent_until: float = float("-inf")

    @property
    def name(self) -> str:
        return self.model

    def turn(self, session: str = "") -> Voice:
        """The voice for one question of a session; a new one stops the one before it."""
        return self

    def speak(self, question: str, language: Language, records: Sequence[Record]) -> Iterator[str]:
        start = self.clock()
        if start < self._silent_until:
            raise VoiceError("the model failed a moment ago and is left alone for a minute")
        pieces: queue.Queue[str | Exception | None] = queue.Queue(maxsize=1_000)
        given_up = threading.Event()
        # In a thread of its own: a server that sends a byte now and then would stretch any read timeout for ever.
        worker = threading.Thread(
            target=self._pump, args=(messages(question, language, records), pieces, given_up), daemon=True
        )
        worker.start()
        try:
            yield from self._until_deadline(pieces, start + self.timeout_s)
        except VoiceError:
            self._silent_until = self.clock() + REST_S
            raise
        finally:
            given_up.set()

    def _until_deadline(self, pieces: "queue.Queue[str | Exception | None]", deadline: float) -> Iterator[str]:
        length = 0
        while True:
            try:
                piece = pieces.get(timeout=max(0.0, deadline - self.clock()))
            except queue.Empty:
                raise VoiceError(f"the model did not finish within {self.timeout_s:g} s") from None
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise VoiceError(f"the model did not answer: {type(piece).__name__}") from piece
            length += len(piece)
            yield piece
            if length > MAX_REPLY:
                return

    def _pump(
        self,
        asked: list[dict[str, str]],
        pieces: "queue.Queue[str | Exception | None]",
        given_up: threading.Event,
    ) -> None:
        try:
            client = ollama.Client(
                host=self.url,
                timeout=httpx.Timeout(self.timeout_s, connect=min(CONNECT_S, self.timeout_s)),
                follow_redirects=False,
                trust_env=False,  # the address is meant as written: a question goes through no proxy
            )
            replies = client.chat(
                model=self.model,
                messages=asked,
                stream=True,
                think=False,
                options={"temperature": 0.3, "num_predict": MAX_TOKENS, "num_ctx": CONTEXT_TOKENS},
            )
            for reply in replies:
                if given_up.is_set():
                    return
                pieces.put(reply.message.content or "", timeout=self.timeout_s)
            pieces.put(None)
        except (
            ollama.ResponseError,
            httpx.HTTPError,
            httpx.InvalidURL,
            pydantic.ValidationError,
            ConnectionError,
            ValueError,
            AttributeError,  # the client takes any JSON for an object
            TypeError,
            queue.Full,
        ) as error:
            if not given_up.is_set():
                pieces.put(error)


@cache
def from_settings() -> OllamaVoice:
    """The voice that this process's settings name, shared by all its sessions."""
    settings = get_settings()
    return OllamaVoice(settings.ollama_url, settings.ollama_model, settings.ollama_timeout_s, time.monotonic)


def messages(question: str, language: Language, records: Sequence[Record]) -> list[dict[str, str]]:
    """The whole prompt: our rules as the system's, the records as data in a block that they cannot close."""
    rules = (resources.files("dashboard.chat") / "prompt.md").read_text("utf-8")
    data = "\n".join(_as_data(record) for record in records)
    asked = json.dumps(question, ensure_ascii=False).replace("<", "\\u003c")
    return [
        {"role": "system", "content": rules},
        {
            "role": "user",
            "content": f"<catalogue>\n{data}\n</catalogue>\n\n"
            f"The reader asks (answer in {_LANGUAGES[language]}): {asked}",
        },
    ]


def _as_data(record: Record) -> str:
    fields = {
        "id": record.book_id,
        "title": record.title,
        "authors": record.authors_text,
        "year": record.year,
        "subjects": record.subjects_text,
        "summary": (record.summary or "no summary")[:MAX_SUMMARY],
    }
    return json.dumps(fields, ensure_ascii=False).replace("<", "\\u003c")
