"""An explorer: a few controls, one picture and one sentence that says in words what the picture shows.

The picture is a PNG in an `HTML` widget, because JupyterLab, VS Code, Colab and nbval all understand that (an `Image`
widget, too, but it has no alternative text), and `repr` is short and fixed, because that is what nbval compares.
Explorers work with ipywidgets 7.7 and 8. Without ipywidgets the same call shows the picture for the starting values.
"""

from __future__ import annotations

import base64
import gc
import html
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[..., "tuple[Figure, str]"]


@dataclass(frozen=True)
class Control:
    """One control before it becomes a widget: its kind in ipywidgets, its start value, its settings."""

    kind: str
    value: Any
    settings: Mapping[str, Any]


def slider(value: float, low: float, high: float, step: float, label: str, form: str | None = None) -> Control:
    """A slider from `low` to `high`; whole numbers when `value` and `step` are ints. `form` is a format like ".0%"."""
    whole = isinstance(value, int) and isinstance(step, int)
    kind = "IntSlider" if whole else "FloatSlider"
    default = "d" if whole else ".2f"
    settings = {"min": low, "max": high, "step": step, "description": label, "readout_format": form or default}
    return Control(kind, value, settings)


def steps(value: Any, options: Sequence[Any], label: str) -> Control:
    """A slider over the listed `options`, for scales that double or multiply; an option may be (text, value)."""
    return Control("SelectionSlider", value, {"options": list(options), "description": label})


def choice(value: Any, options: Sequence[Any], label: str) -> Control:
    """A drop-down list; an option may be (text, value)."""
    return Control("Dropdown", value, {"options": list(options), "description": label})


def switch(value: bool, label: str) -> Control:
    """A check box."""
    return Control("Checkbox", value, {"description": label, "indent": False})


def _widget(control: Control) -> Any:
    import ipywidgets

    widget = getattr(ipywidgets, control.kind)(value=control.value, **control.settings)
    if hasattr(widget, "continuous_update"):
        widget.continuous_update = False   # one drawing when the thumb is let go, not fifty on the way
    widget.style.description_width = "170px"
    widget.layout.width = "480px"
    return widget


class Image:
    """A PNG on the page: set `value` to its bytes. `alt` are its words for those who cannot see it."""

    def __init__(self, alt: str) -> None:
        import ipywidgets

        self.alt, self._value, self.widget = alt, b"", ipywidgets.HTML()

    @property
    def value(self) -> bytes:
        """The bytes of the PNG now shown."""
        return self._value

    @value.setter
    def value(self, png: bytes) -> None:
        self._value, data = png, base64.b64encode(png).decode("ascii")
        width, height = struct.unpack(">II", png[16:24])   # said ahead, so that the page does not jump while it loads
        look = f'width="{width}" height="{height}" style="max-width: 100%; height: auto"'
        self.widget.value = f'<img alt="{html.escape(self.alt)}" {look} src="data:image/png;base64,{data}">'


class Explorer:
    """Controls above a picture and its sentence; redraws when a control changes.

    `draw(**values)` returns `(Figure, sentence)`. `controls` maps each keyword of `draw` to a `Control`.
    `explorer.set(name=value)` moves a control from code; `explorer.sentence` is the text now shown;
    `explorer.image.value` its PNG bytes. An error in `draw` is shown as the sentence: the widget survives.
    """

    def __init__(self, name: str, draw: Draw, **controls: Control) -> None:
        import ipywidgets

        self.name, self._draw = name, draw
        self.controls = {key: _widget(control) for key, control in controls.items()}
        self.image = Image(f"Picture of the {name} explorer. The sentence below it says what it shows.")
        self.text = ipywidgets.HTML()
        self.sentence = ""
        for widget in self.controls.values():
            widget.observe(self._redraw, names="value")
        self._redraw()
        self.box = ipywidgets.VBox([*self.controls.values(), self.image.widget, self.text])

    def _redraw(self, _change: object = None) -> None:
        with _collecting_later():
            self._show({key: widget.value for key, widget in self.controls.items()})

    def _show(self, values: dict[str, Any]) -> None:
        try:
            fig, sentence = self._draw(**values)
            self.image.value = picture.png(fig)
        except Exception as error:   # the learner sees it; the widget must live on
            sentence = f"{type(error).__name__}: {error}"
        self.sentence = " ".join(sentence.split())
        self.text.value = f"<p role='status'>{html.escape(self.sentence)}</p>"

    def set(self, **values: Any) -> None:
        """Move the named controls; KeyError names an unknown one and lists those there are."""
        for key, value in values.items():
            if key not in self.controls:
                raise KeyError(f"{self!r} has no control {key!r}; it has {', '.join(self.controls)}")
            self.controls[key].value = value

    def __repr__(self) -> str:
        return f"<explorer: {self.name}>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        # the box's own view with our short text (ipywidgets' text lists every trait) and, for pages
        # that run nothing, such as GitHub's, the picture as it stands
        data, metadata = picture.Picture(bytes(self.image.value), self.sentence)._repr_mimebundle_()
        view = {"model_id": self.box.model_id, "version_major": 2, "version_minor": 0}
        data |= {"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": view}
        display(data, metadata=metadata, raw=True)


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Let a picture be drawn without a stop for garbage, which takes longer than the picture where PyTorch is imported.

    A figure is a heap of cycles. What it leaves is collected at once after it, while it is young and that is cheap.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
            gc.collect(1)


@contextmanager
def may_lack_ipywidgets() -> Iterator[None]:
    """Go on behind this block where ipywidgets, and nothing else, is missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if missing.name != "ipywidgets":
            raise


def explorer(name: str, draw: Draw, **controls: Control) -> Explorer | None:
    """Make an explorer, or, without ipywidgets, show its picture for the starting values and say why on stderr."""
    with may_lack_ipywidgets():
        return Explorer(name, draw, **controls)
    print(f"The {name} explorer needs ipywidgets (pip install ipywidgets); here is its picture.", file=sys.stderr)
    show(draw, **{key: control.value for key, control in controls.items()})
    return None


def show(draw: Draw, **values: Any) -> None:
    """Draw once, as plain functions do: print the sentence, display the picture with the sentence as its words."""
    fig, sentence = draw(**values)
    print(sentence)
    picture.show(fig, sentence)
