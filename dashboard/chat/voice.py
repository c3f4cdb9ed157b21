"""The voice of a language model: Ollama through its own client, with deadlines that hold.

A shell: it talks to the network. What the model says is never trusted: `answer` checks each line, `parse.merge` each
field, `rerank` each number. For each question there is one `Turn`, with one deadline for all that the model does for it
and a short patience until it has said something of use: a reader does not wait for a model that may never speak.

A session has one request at a time: a new question stops the one before it, for who asks anew has gone on. A process
has a few; who finds them taken waits no longer than the patience. Who leaves closes the generator, and with it the
connection, so that Ollama stops, too.
"""

import asyncio
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, NoReturn, Protocol

import httpx
import msgspec
import ollama
import pydantic
import structlog

from dashboard.chat.check import supporting
from dashboard.chat.lexicon import Language, lexicon
from dashboard.chat.reading.wish import Understood
from openshelf.database.search import Record
from openshelf.errors import OpenshelfError
from openshelf.settings import get_settings

CONNECT_S = 1.0
# After a failure the model is left alone for this long, so that not each question waits for it.
REST_S = 60.0
# A model that was not in memory is loaded meanwhile; Ollama's own limit for that is five minutes.
LOAD_S = 300.0
CONTEXT_TOKENS = 4_096
MAX_SUMMARY = 700
MAX_REPLY = 8_000
# Who waits for a free place at the model, in one process; more get the catalogue's words at once.
MAX_WAITING = 8
# A share of the patience: who helps comes before who speaks, and must leave time for it.
_HELPING_SHARE = 0.5
_LANGUAGES: dict[Language, str] = {"en": "English", "vi": "Vietnamese", "ru": "Russian"}
_FAILURES = (
    ollama.ResponseError,
    httpx.HTTPError,
    httpx.InvalidURL,
    pydantic.ValidationError,
    OSError,
    ValueError,
    AttributeError,  # the client takes any JSON for an object
    TypeError,
)

log = structlog.get_logger(__name__)


class VoiceError(OpenshelfError):
    """The model is away, slow or broken; the answer is made without it."""


class _LateError(VoiceError):
    """Too slow, but perhaps well."""


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
    """Ollama at `url`, shared by all sessions of a process.

    `clock` gives monotonic seconds; `timeout_s` is the deadline of one whole answer, `patience_s` of the first words
    of use; `parses`, `reranks`: whether the model takes part in these steps; `at_once`: questions at one time.
    """

    url: str
    model: str
    timeout_s: float
    clock: Callable[[], float]
    patience_s: float = 1.5
    temperature: float = 0.3
    top_p: float = 0.9
    max_tokens: int = 400
    parses: bool = False
    reranks: bool = False
    at_once: int = 2
    silent_until: float = field(default=float("-inf"), init=False)
    is_loaded: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _running: dict[str, "Turn"] = field(default_factory=dict, init=False, repr=False)
    _waiting: int = field(default=0, init=False)
    _is_loading: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._places = threading.BoundedSemaphore(self.at_once)

    @property
    def name(self) -> str:
        return self.model

    def turn(self, session: str = "") -> "Turn":
        """The voice for one question of a session; when it first speaks, the turn before it is stopped."""
        return Turn(self, session, self.clock())

    def speak(self, question: str, language: Language, records: Sequence[Record]) -> Iterator[str]:
        """One question of nobody's session."""
        return self.turn().speak(question, language, records)

    def rest(self, seconds: float = REST_S) -> None:
        self.silent_until = self.clock() + seconds

    def begin(self, turn: "Turn") -> None:
        """Wait for a place at the model; stop what the same session asked before.

        Raises:
            VoiceError: there is none in time.
        """
        if self.clock() < self.silent_until:
            raise VoiceError("the model failed a moment ago and is left alone for a minute")
        with self._lock:
            before = self._running.get(turn.session) if turn.session else None
            if turn.session:
                self._running[turn.session] = turn
            if self._waiting >= MAX_WAITING:
                raise VoiceError("too many wait for the model")
            self._waiting += 1
        try:
            if before is not None and before is not turn:
                before.stop()
            if not self._places.acquire(timeout=max(0.0, turn.patient_until - self.clock())):
                raise VoiceError("the model is busy with other questions")
        finally:
            with self._lock:
                self._waiting -= 1

    def end(self, turn: "Turn") -> None:
        """A request has ended, and its connection is closed."""
        self._places.release()
        with self._lock:
            if self._running.get(turn.session) is turn:
                del self._running[turn.session]

    def client(self, timeout_s: float) -> ollama.AsyncClient:
        return ollama.AsyncClient(
            host=self.url,
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            follow_redirects=False,
            trust_env=False,  # the address is meant as written: a question goes through no proxy
        )

    def load(self) -> None:
        """Have Ollama take the model into memory, in the background; it speaks again when that is done."""
        with self._lock:
            if self._is_loading:
                return
            self._is_loading = True
        threading.Thread(target=self._load, name="load the chat's model", daemon=True).start()

    def _load(self) -> None:
        async def ask_for_nothing() -> None:
            async with self.client(LOAD_S) as client:
                await client.generate(model=self.model, keep_alive="30m")

        try:
            asyncio.run(ask_for_nothing())
            self.is_loaded, self.silent_until = True, float("-inf")
        except _FAILURES as error:
            log.warning("the chat's model does not load", model=self.model, reason=type(error).__name__)
        finally:
            self._is_loading = False


@dataclass
class Turn:
    """What the model does for one question, from `started` on, within one deadline.

    `patience_left` is spent only while the model is waited for, so that a slow database does not silence it.
    """

    shared: OllamaVoice
    session: str
    started: float
    patience_left: float = field(init=False)
    patient_until: float = field(init=False)
    _requests: list["_Request"] = field(default_factory=list, init=False, repr=False)
    _is_stopped: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.patience_left = min(self.shared.patience_s, self.shared.timeout_s)
        self.patient_until = self.started + self.patience_left

    @property
    def name(self) -> str:
        return self.shared.name

    @property
    def deadline(self) -> float:
        return self.started + self.shared.timeout_s

    def heard(self) -> None:
        """Something of use was said: the rest may take until the deadline."""
        self.patient_until = self.deadline

    def stop(self) -> None:
        """Say no more, whatever is under way; from any thread."""
        self._is_stopped = True
        for request in self._requests:
            request.cancel()

    def speak(self, question: str, language: Language, records: Sequence[Record]) -> Iterator[str]:
        """Pieces of text as they come, see `Voice`."""
        yield from self._ask(messages(question, language, records))

    def understand(self, question: str) -> Understood | None:
        """What the model makes of a question; None where it does not take part, or fails, or is not quick."""
        if not self.shared.parses:
            return None
        schema = msgspec.json.schema(Understood)
        text = self._whole([_system(_understanding()), _user(_quoted(question))], _flat(schema))
        try:
            return None if text is None else msgspec.json.decode(text, type=Understood)
        except msgspec.MsgspecError:
            log.warning("the model's understanding is no JSON of the form asked for")
            return None

    def order(self, question: str, records: Sequence[Record]) -> list[int] | None:
        """Ids in the order in which the model would name them; None where it takes no part, or fails."""
        if not self.shared.reranks or len(records) < 2:
            return None
        data = "\n".join(_as_data(record, 160) for record in records)
        asked = [
            _system(_prompt("prompt_rerank.md")),
            _user(f"<catalogue>\n{data}\n</catalogue>\n\nThe reader asks: {_quoted(question)}"),
        ]
        schema = {"type": "array", "items": {"type": "integer"}, "maxItems": len(records)}
        text = self._whole(asked, schema)
        try:
            return None if text is None else msgspec.json.decode(text, type=list[int])
        except msgspec.MsgspecError:
            return None

    def _whole(self, asked: list[dict[str, str]], schema: dict[str, Any]) -> str | None:
        try:
            return "".join(self._ask(asked, schema))
        except VoiceError as error:
            log.info("the model does not help", reason=str(error))
            return None

    def _ask(self, asked: list[dict[str, str]], schema: dict[str, Any] | None = None) -> Iterator[str]:
        """Pieces of a reply. With a `schema` the model only helps: it gets a share of the patience, and to be late is
        no failure of it.
        """
        shared = self.shared
        begun = shared.clock()
        self.patient_until = begun + self.patience_left * (1.0 if schema is None else _HELPING_SHARE)
        shared.begin(self)
        request = _Request(self, asked, schema)
        self._requests.append(request)
        if self._is_stopped:
            request.cancel()
        request.start()
        try:
            yield from self._until_late(request)
        except _LateError:
            if schema is None and not self._is_stopped:
                self._was_late()
            raise
        except VoiceError:
            if not self._is_stopped:
                shared.rest()
            raise
        finally:
            request.cancel()
            self.patience_left = max(0.0, self.patience_left - (shared.clock() - begun))

    def _until_late(self, request: "_Request") -> Iterator[str]:
        length = 0
        while length <= MAX_REPLY:
            left = min(self.patient_until, self.deadline) - self.shared.clock()
            try:
                # One who drips on for ever is late, too, though each piece comes in time.
                piece = request.pieces.get(timeout=max(0.0, left)) if left > 0 or length == 0 else self._late()
            except queue.Empty:
                self._late()
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise VoiceError(f"the model did not answer: {type(piece).__name__}") from piece
            length += len(piece)
            yield piece

    def _late(self) -> NoReturn:
        waited = min(self.patient_until, self.deadline) - self.started
        raise _LateError(f"the model said nothing of use within {waited:.1f} s")

    def _was_late(self) -> None:
        """A model that is not in memory yet is loaded, once; one that was, and is late, is left alone."""
        self.shared.rest()
        if not self.shared.is_loaded:
            self.shared.load()
        self.shared.is_loaded = False


class _Request:
    """One request in a thread of its own, with an event loop: cancelling closes the connection, whatever it waits for.

    A server that sends a byte now and then would stretch any read timeout for ever; the deadline is the reader's side.
    """

    def __init__(self, turn: Turn, asked: list[dict[str, str]], schema: dict[str, Any] | None) -> None:
        self.pieces: queue.Queue[str | Exception | None] = queue.Queue()
        self._turn, self._asked, self._schema = turn, asked, schema
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="ask the chat's model", daemon=True).start()

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            if self._loop is not None and self._task is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._task.cancel)
        self.pieces.put(None)

    def _run(self) -> None:
        try:
            asyncio.run(self._talk())
        finally:
            self._turn.shared.end(self._turn)

    async def _talk(self) -> None:
        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            if self._is_cancelled:
                return
        try:
            async for piece in self._replies():
                self.pieces.put(piece)
            self.pieces.put(None)
        except asyncio.CancelledError:
            pass
        except _FAILURES as error:
            self.pieces.put(error)
        finally:
            with self._lock:
                self._task = None

    async def _replies(self) -> AsyncIterator[str]:
        shared = self._turn.shared
        left = max(0.1, self._turn.deadline - shared.clock())
        async with shared.client(left) as client, asyncio.timeout(left):
            replies = await client.chat(
                model=shared.model,
                messages=self._asked,
                stream=True,
                think=False,
                format=self._schema,
                options={
                    "temperature": shared.temperature,
                    "top_p": shared.top_p,
                    "num_predict": shared.max_tokens,
                    "num_ctx": CONTEXT_TOKENS,
                },
            )
            async for reply in replies:
                yield reply.message.content or ""


@cache
def from_settings() -> OllamaVoice:
    """The voice that this process's settings name, shared by all its sessions."""
    settings = get_settings()
    return OllamaVoice(
        settings.ollama_url,
        settings.ollama_model,
        settings.ollama_timeout_s,
        time.monotonic,
        patience_s=settings.ollama_patience_s,
        temperature=settings.ollama_temperature,
        top_p=settings.ollama_top_p,
        max_tokens=settings.ollama_max_tokens,
        parses=settings.chat_parse,
        reranks=settings.chat_rerank,
        at_once=settings.chat_at_once,
    )


def messages(question: str, language: Language, records: Sequence[Record]) -> list[dict[str, str]]:
    """The whole prompt: our rules as the system's, the records as data in a block that they cannot close."""
    data = "\n".join(_as_data(record, MAX_SUMMARY) for record in records)
    return [
        _system(_prompt("prompt_answer.md")),
        _user(
            f"<catalogue>\n{data}\n</catalogue>\n\n"
            f"The reader asks (answer in {_LANGUAGES[language]}): {_quoted(question)}"
        ),
    ]


def _as_data(record: Record, max_summary: int) -> str:
    fields = {
        "id": record.book_id,
        "title": record.title[:200],
        "authors": record.authors_text[:200],
        "year": record.year,
        "subjects": record.subjects_text[:200],
        "summary": (" ".join(supporting(record.summary)) or "no summary")[:max_summary],
    }
    return _quoted(fields)


def _quoted(value: object) -> str:
    """JSON that closes no block: without an opening bracket there is no tag."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _prompt(name: str) -> str:
    return (resources.files("dashboard.chat") / name).read_text("utf-8")


def _understanding() -> str:
    names = {kind: ", ".join(c.name for c in lexicon().concepts if c.kind == kind) for kind in ("subject", "mood")}
    return _prompt("prompt_parse.md").format(subjects=names["subject"], moods=names["mood"])


def _flat(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema without references, as a grammar is made of it."""
    return schema["$defs"]["Understood"] if "$defs" in schema else schema


def _system(content: str) -> dict[str, str]:
    return {"role": "system", "content": content}


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}
