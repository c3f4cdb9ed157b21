"""The text a work is embedded from, and its hash. Pure."""

import hashlib
import re

# About what MiniLM reads (256 word pieces); more would be cut off unseen.
MAX_CHARACTERS = 1_500
# A change of the recipe below is a new version: every work is embedded again.
_RECIPE = "1"
_SPACES = re.compile(r"\s+")


def work_text(title: str, authors_text: str, series_name: str | None, subjects_text: str, summary: str | None) -> str:
    """One line for the encoder: what the work is called, by whom, what it is about, what it says of itself."""
    parts = [
        title + (f" by {authors_text}" if authors_text else ""),
        f"Series: {series_name}" if series_name else "",
        f"Subjects: {subjects_text}" if subjects_text else "",
        summary or "",
    ]
    text = ". ".join(_SPACES.sub(" ", part).strip().rstrip(".") for part in parts if part and part.strip())
    return text[:MAX_CHARACTERS].rstrip()


def text_hash(text: str) -> str:
    """What `library.text_embeddings.text_hash` holds: equal means nothing to embed again."""
    return hashlib.sha256(f"{_RECIPE}\n{text}".encode()).hexdigest()[:32]
