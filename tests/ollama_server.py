"""A server on loopback that speaks Ollama's protocol as told: well, badly, slowly or not at all.

Eight moods: good (`says`), absent (no server), refusing and broken (`fails` 404, 500), hanging and dripping (`hangs`),
`garbage`, and obeying what a blurb orders (`obeys`).
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What a reply does with the open connection, given the decoded request.
Reply = Callable[[BaseHTTPRequestHandler, dict], None]


class Server:
    def __init__(self, reply: Reply, port: int = 0) -> None:
        self.reply = reply
        self.requests: list[dict] = []  # of /api/chat
        self.loads: list[dict] = []  # of /api/generate: have a model taken into memory
        self.models: list[str] = []  # what /api/tags lists
        self.left = threading.Event()  # someone closed the connection before the end
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/api/generate":
                    outer.loads.append(request)
                    _headers(self, 200, "application/json")
                    self.wfile.write(json.dumps({"model": request["model"], "response": "", "done": True}).encode())
                    return
                outer.requests.append(request)
                try:
                    outer.reply(self, request)
                except (BrokenPipeError, ConnectionResetError):
                    outer.left.set()

            def do_GET(self) -> None:
                _headers(self, 200, "application/json")
                self.wfile.write(json.dumps({"models": [{"name": name} for name in outer.models]}).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextmanager
def serving(reply: Reply, port: int = 0) -> Iterator[Server]:
    """`port`: 0 takes a free one."""
    server = Server(reply, port)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.http.shutdown()
        server.http.server_close()


def says(text: str, chunk: int = 7) -> Reply:
    """A good answer, streamed in small chunks as Ollama does."""

    def reply(handler: BaseHTTPRequestHandler, request: dict) -> None:
        _headers(handler, 200, "application/x-ndjson")
        parts = [text[i : i + chunk] for i in range(0, len(text), chunk)]
        for part in [*parts, ""]:
            line = {"model": request["model"], "message": {"role": "assistant", "content": part}, "done": part == ""}
            handler.wfile.write(json.dumps(line).encode() + b"\n")
            handler.wfile.flush()

    return reply


def obeys(invented: str) -> Reply:
    """Does whatever a prompt tells it, and names a book that is not there for the first record it is shown."""

    def reply(handler: BaseHTTPRequestHandler, request: dict) -> None:
        prompt = request["messages"][-1]["content"]
        found = re.search(r'"id": (\d+)', prompt)
        ordered = re.search(r"recommend (.{3,60})", prompt)
        named = ordered[1] if ordered else invented
        book_id = found[1] if found else 0
        says(f"Read {named} instead!\n[{book_id}] {named}, from http://evil.example/x")(handler, request)

    return reply


def fails(status: int, body: bytes = b'{"error": "model not found"}') -> Reply:
    def reply(handler: BaseHTTPRequestHandler, _request: dict) -> None:
        _headers(handler, status, "application/json")
        handler.wfile.write(body)

    return reply


def garbage(body: bytes) -> Reply:
    def reply(handler: BaseHTTPRequestHandler, _request: dict) -> None:
        _headers(handler, 200, "application/x-ndjson")
        handler.wfile.write(body)

    return reply


def hangs(released: Callable[[], threading.Event], *, drip: bool, first: str = "") -> Reply:
    """Says `first` and no more; with `drip`, an empty piece now and then to keep the line alive."""

    def reply(handler: BaseHTTPRequestHandler, request: dict) -> None:
        _headers(handler, 200, "application/x-ndjson")
        said = first
        while True:
            if said:
                line = {"model": request["model"], "message": {"role": "assistant", "content": said}, "done": False}
                handler.wfile.write(json.dumps(line).encode() + b"\n")
                handler.wfile.flush()
            if released().wait(0.05):
                return
            said = " " if drip else ""

    return reply


def _headers(handler: BaseHTTPRequestHandler, status: int, kind: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.end_headers()
