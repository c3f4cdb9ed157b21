"""Streamlit's own scripts and styles, packed once and kept, so that a first visit weighs less than half.

Streamlit sends them as they are, because packing them anew for each visitor costs more than it gives. Their names hold
a digest of what is in them, so one packed copy under the home folder serves everybody, for good.
"""

import gzip
import re
from pathlib import Path

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.file_util import get_static_dir

from openshelf.whole_file import whole_file

_ADDRESS = re.compile(r"/static/((?:js|css)/[A-Za-z0-9_.\-]+\.(js|css))")
# Streamlit asks for this font at every first visit, by its space, and for most pages in vain: they show no icon of it.
# Told that the font has no space, the browser fetches it when there is an icon to show.
_ICON_FONT = re.compile(rb"(@font-face\{font-family:Material Symbols Rounded;[^}]*)\}")
_WITHOUT_SPACE = rb"\1;unicode-range:U+21-7E}"
_TYPES = {"js": "text/javascript", "css": "text/css"}
_KEPT = {"Cache-Control": "public, immutable, max-age=31536000", "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}


class PackedAssets:
    """ASGI middleware before Streamlit's own file server; `folder` keeps the packed copies."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self.app = app
        self.folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _ADDRESS.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if asked and scope["method"] in ("GET", "HEAD") and _takes_packed(Headers(scope=scope)):
            file = await to_thread.run_sync(packed, Path(get_static_dir()) / "static" / asked[1], self.folder)
            if file:
                response = FileResponse(file, media_type=_TYPES[asked[2]], headers=_KEPT)
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _takes_packed(headers: Headers) -> bool:
    """A part of a file cannot be cut from a packed one."""
    return "gzip" in headers.get("accept-encoding", "") and "range" not in headers


def packed(original: Path, folder: Path) -> Path | None:
    """The packed copy of a file, made the first time it is asked for; None without such a file or room for a copy."""
    kept = folder / f"{original.name}.gz"
    if kept.exists():
        return kept
    try:
        content = original.read_bytes()
        if original.suffix == ".css":
            content = _ICON_FONT.sub(_WITHOUT_SPACE, content)
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(kept) as file:
            file.write(gzip.compress(content, mtime=0))
    except OSError:
        return None
    return kept
