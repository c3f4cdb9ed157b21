"""A visitor without a browser: asks Streamlit's WebSocket for pages as the page's own script does, and times them.

What is timed is the server's part: from the request for a page to the message that its script has finished, with all
that the script sent received. Drawing it is the browser's.
"""

import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

PATIENCE_S = 60


class PageFailedError(Exception):
    """A page was not drawn to its end."""


@dataclass(frozen=True)
class Answer:
    ms: float
    bytes: int


class Visit:
    """One tab, with the cookies that its page set, and those that are brought along."""

    def __init__(self, url: str, **brought: str) -> None:
        page = httpx.get(url, headers={"Accept": "text/html"}, timeout=PATIENCE_S)
        page.raise_for_status()
        self._url = url
        cookies = "; ".join(f"{name}={value}" for name, value in (dict(page.cookies) | brought).items())
        self._socket = connect(
            f"ws://{urlsplit(url).netloc}/_stcore/stream",
            origin=url,  # pyright: ignore[reportArgumentType] - a str is what it is
            subprotocols=["streamlit"],  # pyright: ignore[reportArgumentType]
            additional_headers={"Cookie": cookies},
            max_size=None,
            open_timeout=PATIENCE_S,
        )

    def ask(self, page: str = "", **query: object) -> Answer:
        """Go to a page and wait until it is drawn.

        Raises:
            PageFailedError: its script ended with an error, or not in time.
        """
        message = BackMsg()
        asked = message.rerun_script
        asked.page_name, asked.query_string = page, urlencode(query)
        asked.context_info.url = f"{self._url}/{page}"
        asked.context_info.timezone, asked.context_info.locale = "UTC", "en-US"
        begin, size = time.perf_counter(), 0
        self._socket.send(message.SerializeToString())
        while True:
            try:
                received = self._socket.recv(timeout=PATIENCE_S)
            except TimeoutError:
                raise PageFailedError(f"/{page} is not drawn after {PATIENCE_S} s") from None
            assert isinstance(received, bytes)
            size += len(received)
            answer = ForwardMsg.FromString(received)
            if answer.WhichOneof("type") == "script_finished":
                if answer.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                    raise PageFailedError(f"/{page}: {ForwardMsg.ScriptFinishedStatus.Name(answer.script_finished)}")
                return Answer((time.perf_counter() - begin) * 1_000, size)

    def close(self) -> None:
        self._socket.close()
