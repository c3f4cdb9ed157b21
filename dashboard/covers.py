"""Covers at the few sizes that pages use, kept as files under the home folder."""

from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from openshelf.whole_file import whole_file

WIDTHS = (88, 176, 320, 352, 640)
# A larger picture is not a cover but an attack on our memory.
MAX_PIXELS = 40_000_000
_QUALITY = 82


def thumbnail(original: Path, book_id: int, width: int, folder: Path) -> Path | None:
    """The cover at this width as a JPEG; None if it is no picture. Made once, again when the original changes."""
    changed = original.stat().st_mtime_ns
    kept = folder / str(width) / f"{book_id}-{changed}.jpg"
    if kept.exists():
        return kept
    try:
        with Image.open(original) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            picture.draft("RGB", (width * 2, width * 3))
            small = ImageOps.exif_transpose(picture).convert("RGB")
            small.thumbnail((width, width * 3), Image.Resampling.LANCZOS)
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        return None
    kept.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(kept) as file:
        small.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return kept
