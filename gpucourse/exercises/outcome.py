"""What a check has found, and how it is shown: as plain text, and as a box for light and dark pages."""

from __future__ import annotations

import html
import sys
from dataclasses import dataclass
from typing import Any

# state -> (the words a learner reads, border colour; both colours hold on white and on black)
STATES = {
    "right": ("right", "#2a9d5c"),
    "wrong": ("not right yet", "#d98200"),
    "not attempted": ("not attempted yet", "#888888"),
    "raised": ("stopped with an error", "#c8503c"),
    "interrupted": ("interrupted", "#888888"),
}

TOLD = "#2a7ab0"  # the border of hints, solutions and notices


class Wrong(Exception):
    """Raised by a judge: the answer is wrong, and the text says why in one or two plain sentences."""


class NotAttempted(Exception):
    """Raised by a judge: a `...` still stands where the answer belongs, or the text says what is missing."""


@dataclass(frozen=True)
class Outcome:
    """The result of one check: a state out of `STATES`, the reason in words, and what the code printed."""

    id: str
    title: str
    state: str
    message: str = ""
    advice: str = ""
    printed: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        return f"Exercise {self.id} · {self.title}: {STATES[self.state][0]}."

    def __str__(self) -> str:
        lines = [self.headline, self.message, self.advice]
        if self.printed:
            lines += ["Your code printed:", *(f"    {line}" for line in self.printed)]
        return "\n".join(line for line in lines if line)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = paragraphs(self.message, self.advice)
        if self.printed:
            text = escaped("\n".join(self.printed))
            body += paragraphs("Your code printed:") + f'<pre style="margin:0">{text}</pre>'
        return box(self.headline, body, STATES[self.state][1])


def paragraphs(*texts: str) -> str:
    """Return the texts as HTML paragraphs; pieces between backquotes become code."""
    return "".join(f'<div style="margin-top:0.3em">{_marked(text)}</div>' for text in texts if text)


def _marked(text: str) -> str:
    pieces = escaped(text).split("`")
    if len(pieces) % 2 == 0:  # an odd number of backquotes: leave them as they are
        return "`".join(pieces).replace("\n", "<br>")
    return "".join(f"<code>{p}</code>" if i % 2 else p.replace("\n", "<br>") for i, p in enumerate(pieces))


def escaped(text: str) -> str:
    """Return `text` so that HTML shows it as it is."""
    return html.escape(text, quote=False)


def box(headline: str, body: str, color: str) -> str:
    """Return a bordered HTML box; it sets no text or background colour, so that the page's theme holds."""
    style = f"border-left:4px solid {color};padding:0.3em 0.8em;margin:0.3em 0;max-width:50em"
    return f'<div style="{style}"><strong>{escaped(headline)}</strong>{body}</div>'


def show(text: str, page: str) -> None:
    """Show `page` (HTML) where IPython runs, with `text` as its plain form; print `text` elsewhere."""
    if _in_ipython():
        from IPython.display import display

        data: dict[str, Any] = {"text/plain": text, "text/html": page}
        display(data, raw=True)  # type: ignore[no-untyped-call]
    else:
        print(text)


def _in_ipython() -> bool:
    interactive = sys.modules.get("IPython.core.getipython")
    return interactive is not None and interactive.get_ipython() is not None
