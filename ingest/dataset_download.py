"""Published data sets from where they are published, by kagglehub: only asked for by name, never by itself."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from openshelf.errors import IngestError, UsageError

HANDLES = {
    "movielens": "rounakbanik/the-movies-dataset",  # MovieLens with what TMDB tells of the films
    "book_crossing": "arashnic/book-recommendation-dataset",
    "goodbooks": "zygmunt/goodbooks-10k",
}


@dataclass(frozen=True)
class Download:
    """What would be fetched, and where it would lie."""

    source: str
    handle: str
    folder: str
    command: str  # the same by hand


def plan(name: str, folder: Path) -> Download:
    """What `fetch` would fetch; needs neither network nor token.

    Raises:
        UsageError: nobody publishes this one there.
    """
    from models.dataset_formats import format_of  # pandas comes with it

    handle = HANDLES.get(format_of(name))
    if handle is None:
        raise UsageError(f"{name} is not published anywhere we know: name the folder that holds it")
    return Download("Kaggle", handle, str(folder), f"kaggle datasets download {handle} --unzip --path {folder}")


def fetch(name: str, folder: Path) -> Path:
    """The folder with the files, fetched unless they are there already.

    Raises:
        UsageError: kagglehub is not installed, the token can be read by others, or nobody publishes this one.
        IngestError: it cannot be fetched.
    """
    asked = plan(name, folder)
    _check_token()
    os.environ["KAGGLEHUB_CACHE"] = str(folder)
    try:
        import kagglehub  # pyright: ignore[reportMissingImports]  # an extra of its own: only this command needs it
    except ImportError as error:
        raise UsageError(
            "to fetch data sets kagglehub is needed: `pip install kagglehub`; or fetch it by hand (--dry-run says "
            "what and from where) and name the folder"
        ) from error
    try:
        return Path(kagglehub.dataset_download(asked.handle))
    except Exception as error:  # of whatever kind: its errors are those of three libraries
        raise IngestError(
            f"{asked.handle} cannot be fetched: {error}. Is there a network, and a token in {_token()} (kaggle.com, "
            "Settings, API)?"
        ) from error


def _token() -> Path:
    return Path(os.environ.get("KAGGLE_CONFIG_DIR", Path.home() / ".kaggle")) / "kaggle.json"


def _check_token() -> None:
    """The token, if there is one, is its owner's alone. It is read by kagglehub, never by us."""
    token = _token()
    if token.exists() and token.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"others can read your token: chmod 600 {token}")
