"""A server on loopback that speaks Ollama's protocol as told: well, badly, slowly or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What a reply does with the open connection, given the decoded request.
Reply = Callable[[BaseHTTPRequestHandler, dict], None]


class Server:
    def __init__(self, reply: Reply, port: int = 0) -> None:
        self.reply = reply
        self.requests: list[dict] = []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(request)
                with suppress(BrokenPipeError, ConnectionResetError):
                    outer.reply(self, request)

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


def hangs(released: Callable[[], threading.Event], *, drip: bool) -> Reply:
    """Says nothing more after the headers; with `drip`, an empty piece now and then to keep the line alive."""

    def reply(handler: BaseHTTPRequestHandler, request: dict) -> None:
        _headers(handler, 200, "application/x-ndjson")
        while not released().wait(0.05):
            if drip:
                line = {"model": request["model"], "message": {"role": "assistant", "content": " "}, "done": False}
                handler.wfile.write(json.dumps(line).encode() + b"\n")
                handler.wfile.flush()

    return reply


def _headers(handler: BaseHTTPRequestHandler, status: int, kind: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.end_headers()
