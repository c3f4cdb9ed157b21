"""EPUB files made of a few words."""

import io
import zipfile

CHAPTER = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title></head>'
    "<body>{}</body></html>"
)


def epub_bytes(
    *bodies: str,
    package: str | None = None,
    nav: str = "",
    pictures: dict[str, bytes] | None = None,
    media_type: str = "image/png",
    more: dict[str, bytes] | None = None,
) -> bytes:
    """An EPUB whose chapters have these bodies; `nav`: body of its contents; `pictures` by name beside the package;
    `more` files by name in the archive.
    """
    parts = "".join(
        f'<item id="c{n}" href="text/c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(bodies))
    )
    parts += "".join(
        f'<item id="p{n}" href="{name}" media-type="{media_type}"/>' for n, name in enumerate(pictures or {})
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(bodies)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        archive.writestr(
            "OEBPS/book.opf",
            package
            or f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
            f'<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>{parts}</manifest>'
            f'<spine><itemref idref="nav"/>{spine}</spine></package>',
        )
        for number, body in enumerate(bodies):
            archive.writestr(f"OEBPS/text/c{number}.xhtml", CHAPTER.format(body))
        if nav:
            archive.writestr("OEBPS/nav.xhtml", CHAPTER.format(nav))
        for name, content in (pictures or {}).items():
            archive.writestr(f"OEBPS/{name}", content)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return packed.getvalue()
