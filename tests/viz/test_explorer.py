"""Explorers: moved, the picture and the sentence change; an error leaves the widget alive."""

import builtins
import gc
import weakref
from base64 import b64decode

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("ipywidgets")
from gpucourse.viz import explorer, picture


def draw(height=1, kind="line"):
    if height == 13:
        raise ValueError("13 is not drawn")
    fig, ax = picture.new(2, 1)
    ax.bar([0], [height]) if kind == "bar" else ax.plot([0, height])
    ax.set_ylim(0, 20)
    return fig, f"a {kind} of height {height} <b>"


@pytest.fixture
def demo():
    kinds = explorer.choice("line", ["line", "bar"], "kind")
    return explorer.explorer("demo", draw, height=explorer.slider(1, 0, 20, 1, "height"), kind=kinds)


def test_moving_a_control_redraws_the_picture_and_the_sentence(demo):
    before = demo.image.value
    demo.set(height=7, kind="bar")
    assert demo.sentence == "a bar of height 7 <b>"
    assert demo.image.value != before
    assert bytes(demo.image.value).startswith(b"\x89PNG")
    assert "&lt;b&gt;" in demo.text.value, "the sentence is text, not markup"


def test_repr_is_short_fixed_and_free_of_model_ids(demo):
    assert repr(demo) == "<explorer: demo>"
    demo.set(height=3)
    assert repr(demo) == "<explorer: demo>"


def test_an_error_while_drawing_becomes_the_sentence_and_the_next_move_works(demo):
    demo.set(height=13)
    assert demo.sentence == "ValueError: 13 is not drawn"
    demo.set(height=2)
    assert demo.sentence == "a line of height 2 <b>"


def test_an_unknown_control_is_named_with_those_there_are(demo):
    with pytest.raises(KeyError, match="no control 'width'; it has height, kind"):
        demo.set(width=1)


def test_whole_number_sliders_stay_whole():
    assert explorer.slider(1, 0, 9, 1, "n").kind == "IntSlider"
    assert explorer.slider(0.5, 0, 1, 0.1, "p").kind == "FloatSlider"


def test_the_display_bundle_holds_the_view_and_the_short_text(demo, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata, raw: shown.append(data))
    demo._ipython_display_()
    assert shown[0]["text/plain"] == "<explorer: demo>"
    assert shown[0]["application/vnd.jupyter.widget-view+json"]["model_id"] == demo.box.model_id
    assert b64decode(shown[0]["image/png"]) == bytes(demo.image.value), "what GitHub shows"


def test_without_ipywidgets_the_picture_is_shown_and_the_notice_goes_to_stderr(monkeypatch, capsys):
    real = builtins.__import__

    def no_widgets(name, *rest, **options):
        if name == "ipywidgets":
            raise ModuleNotFoundError("No module named 'ipywidgets'", name="ipywidgets")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", no_widgets)
    assert explorer.explorer("demo", draw, height=explorer.slider(4, 0, 20, 1, "height")) is None
    out, err = capsys.readouterr()
    assert "a line of height 4" in out
    assert "pip install ipywidgets" in err


def test_a_move_leaves_no_figure_behind_and_is_not_stopped_for_garbage():
    alive, collecting = [], []

    def draw(n):
        fig, _ = picture.new(2, 1)
        alive.append(weakref.ref(fig))
        collecting.append(gc.isenabled())
        if n == 3:
            raise ValueError("three")
        return fig, f"n = {n}"

    made = explorer.explorer("once", draw, n=explorer.slider(1, 1, 9, 1, "n"))
    for n in (2, 3, 4):
        made.set(n=n)
    assert collecting == [False] * 4
    assert gc.isenabled()
    assert [figure() for figure in alive] == [None] * 4


def test_who_has_switched_collecting_off_keeps_it_off(demo):
    gc.disable()
    try:
        demo.set(height=3)
        assert not gc.isenabled()
    finally:
        gc.enable()
