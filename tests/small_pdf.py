"""Small PDF files for tests: pages of text in any alphabet, with contents, protected or cut off."""

import io
from collections.abc import Sequence

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, FloatObject, NameObject

# Every letter is the glyph of its own number, and is said to mean itself.
_TO_UNICODE = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
1 beginbfrange <0000> <FFFF> <0000> endbfrange endcmap end end"""


def pdf_bytes(
    *pages: Sequence[str],
    contents: Sequence[tuple[str, int]] = (),
    password: str | None = None,
    owner: str | None = None,
) -> bytes:
    """Pages of lines; `contents`: (title, page from 1). `owner` alone: whoever reads needs no password."""
    writer = PdfWriter()
    means = DecodedStreamObject()
    means.set_data(_TO_UNICODE)
    name = NameObject
    font = DictionaryObject(
        {
            name("/Type"): name("/Font"),
            name("/Subtype"): name("/Type0"),
            name("/BaseFont"): name("/Any"),
            name("/Encoding"): name("/Identity-H"),
            name("/ToUnicode"): writer._add_object(means),
            name("/DescendantFonts"): ArrayObject(
                [DictionaryObject({name("/Type"): name("/Font"), name("/Subtype"): name("/CIDFontType2")})]
            ),
        }
    )
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        drawn = DecodedStreamObject()
        shown = b" ".join(b"<%s> Tj 0 -14 Td" % line.encode("utf-16-be").hex().encode() for line in lines)
        drawn.set_data(b"BT /F 12 Tf 72 770 Td %s ET" % shown)
        page[name("/Resources")] = DictionaryObject({name("/Font"): DictionaryObject({name("/F"): font})})
        page[name("/Contents")] = writer._add_object(drawn)
        page[name("/UserUnit")] = FloatObject(1)
    for title, number in contents:
        writer.add_outline_item(title, number - 1)
    if password is not None or owner is not None:
        writer.encrypt(password or "", owner, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
