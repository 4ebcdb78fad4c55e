"""Finds broken links of a built site: inside it always, to other sites when asked."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ATTRIBUTES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}
PATIENCE = 20   # seconds for an address
HIDDEN = (403, 405, 429)   # sites that refuse a program say so; it is no broken link


class _Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        link = found.get(_ATTRIBUTES.get(tag, ""))
        if link and not (tag == "link" and found.get("rel") == "preconnect"):
            self.links.add(link)


def _read(folder: Path) -> dict[Path, _Page]:
    """The pages; what lies in _static are templates of the theme."""
    pages = (path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts)
    return {path.resolve(): _Page(path.read_text("utf-8")) for path in pages}


def broken_inside(folder: Path) -> list[str]:
    """Return a line for each link whose page, file or anchor is not in `folder`."""
    read = _read(folder)
    links = [(path, link) for path, page in read.items() for link in sorted(page.links)]
    home = folder.resolve()
    return [f"{path.relative_to(home)}: {link}: {fault}" for path, link in links for fault in _faults(path, link, read)]


def _faults(path: Path, link: str, read: dict[Path, _Page]) -> Iterator[str]:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        yield "no such page"
    elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].anchors:
        yield "no such place on that page"


def outside(folder: Path) -> dict[str, str]:
    """Return the addresses on other sites -> a page that has it."""
    found = {}
    for path, page in _read(folder).items():
        for link in page.links:
            if urlsplit(link).scheme in ("http", "https"):
                found.setdefault(link.split("#")[0], path.name)
    return dict(sorted(found.items()))


def broken_outside(folder: Path) -> list[str]:
    """Ask for each address on other sites; return a line for each that does not answer well."""
    addresses = outside(folder)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(_answer, addresses))
    asked = zip(addresses.items(), answers, strict=True)
    return [f"{page}: {url}: {answer}" for (url, page), answer in asked if answer]


def _answer(url: str) -> str:
    """What is wrong with an address; nothing when it answers."""
    request = urllib.request.Request(url, headers={"User-Agent": "Mozilla/5.0 (link check of gpucourse)"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in HIDDEN else f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return str(error)
