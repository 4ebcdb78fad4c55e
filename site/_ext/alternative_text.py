"""Gives each picture of a stored output the words that stand in the output's metadata; MyST-NB reads only its size."""

from __future__ import annotations

from typing import Any

from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_without_words = NbElementRenderer.render_image


def _render_image(self: NbElementRenderer, data: MimeData) -> list[Any]:
    """As MyST-NB does it, and with `alt`; ExtensionError for a picture that has no words."""
    words = data.output_metadata.get(data.mime_type, {}).get("alt", "").strip()
    if not words:
        raise ExtensionError(f"a picture without alternative text in cell {data.cell_index} (line {data.line})")
    rendered = _without_words(self, data)
    for node in rendered:
        node["alt"] = words
    return rendered


def setup(app: Sphinx) -> dict[str, bool]:
    NbElementRenderer.render_image = _render_image
    return {"parallel_read_safe": True, "parallel_write_safe": True}
