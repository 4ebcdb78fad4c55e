"""Progress that leaves one machine and comes to another: by file, by code, on Colab, and from kernels at once."""

import base64
import io
import json
import os
import subprocess
import sys
import zlib
from types import ModuleType

import pytest

import gpucourse
from gpucourse.__main__ import main
from gpucourse.exercises import exchange, portable, store
from gpucourse.exercises.progress import note_check, note_hint

SOLVED = {"attempts": 2, "right": "2026-01-31"}
FILE = {"what": "gpucourse progress", "version": 1, "course": "0.6.0", "saved": "2026-02-01T00:00:00Z",
        "exercises": {"01.1": SOLVED}}  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def entries(file):
    return json.loads(file.read_text())["exercises"]


def another_machine(monkeypatch, tmp_path, name="other"):
    file = tmp_path / name / "progress.json"
    monkeypatch.setenv(store.VARIABLE, str(file))
    return file


def packed(content):
    text = base64.urlsafe_b64encode(zlib.compress(content)).decode()
    return f"gpucourse-progress:{text}:end"


def test_the_file_is_small_readable_json_with_a_version(here, capsys):
    note_check("01.1", "wrong")
    note_check("01.1", "right")
    note_hint("02.1", 2)
    assert main(["progress", "export"]) == 0
    assert "2 exercises, 1 right, in gpucourse-progress.json" in capsys.readouterr().out
    found = json.loads((here / "gpucourse-progress.json").read_text())
    assert list(found) == ["what", "version", "course", "saved", "exercises"]
    assert (found["what"], found["version"], found["course"]) == ("gpucourse progress", 1, gpucourse.__version__)
    assert found["exercises"]["01.1"]["attempts"] == 2
    assert found["exercises"]["02.1"] == {"hints": 2}


@pytest.mark.parametrize("way", ["file", "code", "folded code", "standard input"])
def test_there_and_back(way, progress_file, tmp_path, monkeypatch, capsys):
    note_check("01.1", "right")
    note_check("03.2", "raised")
    before = entries(progress_file)
    if way == "file":
        gpucourse.export_progress("out.json")
        source = "out.json"
    else:
        capsys.readouterr()
        gpucourse.export_progress(code=True)
        source = capsys.readouterr().out
        assert max(map(len, source.splitlines())) <= 76
    if way == "folded code":
        source = "  " + source.replace("\n", "\r\n   ")
    if way == "standard input":
        monkeypatch.setattr(sys, "stdin", io.StringIO(source))
        source = "-"
    other = another_machine(monkeypatch, tmp_path)
    gpucourse.import_progress(source)
    assert "1 of them new here. Right here in all: 1." in capsys.readouterr().out
    assert entries(other) == before


def test_two_machines_meet(progress_file, tmp_path, monkeypatch):
    """Each has solved something that the other has not; after an exchange in both directions they agree."""
    note_check("01.1", "right")
    note_check("01.2", "wrong")
    exchange.export_progress("first.json")
    other = another_machine(monkeypatch, tmp_path)
    for state in ("wrong", "wrong", "right"):
        note_check("01.2", state)
    note_check("01.1", "wrong")
    exchange.export_progress("second.json")
    exchange.import_progress("first.json")
    monkeypatch.setenv(store.VARIABLE, str(progress_file))
    exchange.import_progress("second.json")
    assert entries(progress_file) == entries(other)
    assert [("right" in entries(other)[id], entries(other)[id]["attempts"]) for id in ("01.1", "01.2")] == [
        (True, 1), (True, 3)]  # fmt: skip


def test_all_exercises_fit_into_a_code_of_a_page(capsys):
    ids = [f"{lesson:02d}.{k}" for lesson in range(1, 20) for k in range(1, 7)]
    lasts = [{"at": f"2026-02-{id[:2]}T1{id[3]}:2{id[1]}:00Z", "state": "right"} for id in ids]
    everything = {id: SOLVED | {"last": last} for id, last in zip(ids, lasts, strict=True)}
    assert len(portable.to_code(everything).splitlines()) < 40
    assert portable.from_text(portable.to_code(everything), "it") == everything


# -- what is refused, and changes nothing -----------------------------------------------------------

REFUSED = {
    "no JSON": (b"PK\x03\x04", "damaged"),
    "no text": (b"\xff\xfe\x00", "damaged"),
    "empty": (b"", "damaged"),
    "cut off": (json.dumps(FILE).encode()[:-9], "damaged"),
    "deep": (b"[" * 200_000, "damaged"),
    "a number of endless digits": (b'{"version": ' + b"9" * 9_000 + b"}", "damaged"),
    "a list": (b"[1]", "no progress of this course"),
    "a notebook": (b'{"cells": [], "nbformat": 4}', "no progress of this course"),
    "another program's": (json.dumps(FILE | {"what": "high scores"}).encode(), "no progress of this course"),
    "the course's own store": (b'{"version": 1, "exercises": {}}', "no progress of this course"),
    "newer": (json.dumps(FILE | {"version": 2, "exercises": "?"}).encode(), "newer version"),
    "no version": (json.dumps(FILE | {"version": True}).encode(), "has no version 1"),
    "no exercises": (json.dumps(FILE | {"exercises": [1]}).encode(), "no exercises"),
    "no exercise": (json.dumps(FILE | {"exercises": {"x": {}}}).encode(), "at 'x'"),
    "no entry": (json.dumps(FILE | {"exercises": {"01.1": SOLVED, "01.2": 3}}).encode(), "at '01.2'"),
    "a wrong value": (json.dumps(FILE | {"exercises": {"01.1": SOLVED, "01.2": {"right": "soon"}}}).encode(),
                      'at 01.2, "right"'),
    "a count that is none": (b'{"what": "gpucourse progress", "version": 1, "exercises": {"01.1": {"attempts": NaN}}}',
                             '"attempts"'),
    "huge": (json.dumps(FILE).encode() + b" " * 1_000_000, "more than 1,000,000 bytes"),
    "a code cut off": (packed(json.dumps(FILE).encode())[:-12].encode(), ":end"),
    "a code cut in the middle": (b"gpucourse-progress:" + base64.b64encode(zlib.compress(b"{}" * 900)[:8]) + b":end",
                                 "does not end"),
    "a code with a letter gone": (packed(json.dumps(FILE).encode()).replace("e", "!", 3).encode(), "damaged"),
    "a code that unpacks to too much": (packed(b" " * 50_000_000).encode(), "does not end"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("known", [False, True])
def test_what_is_refused_changes_nothing(case, known, here, progress_file, capsys):
    if known:
        note_check("01.2", "right")
    before = progress_file.read_bytes() if known else None
    text, words = REFUSED[case]
    (here / "in.json").write_bytes(text)
    assert main(["progress", "import", "in.json"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert words in told.err and "Nothing was changed." in told.err
    assert len(told.err) < 400
    exchange.import_progress("in.json")     # in a notebook: the same line, and no traceback
    assert words in capsys.readouterr().out
    assert (progress_file.read_bytes() if progress_file.exists() else None) == before


@pytest.mark.parametrize("source", ["nothing.json", ".", "\0", "x" * 5000, "a\nb"])
def test_what_is_no_file(source, capsys):
    exchange.import_progress(source)
    assert "Nothing was changed." in capsys.readouterr().out


def test_an_endless_file_is_not_read_to_its_end(capsys):
    if not os.path.exists("/dev/zero"):
        pytest.skip("no /dev/zero here")
    exchange.import_progress("/dev/zero")
    assert "more than 1,000,000 bytes" in capsys.readouterr().out


def test_an_exercise_of_a_later_edition_is_kept(progress_file, here):
    (here / "in.json").write_text(json.dumps(FILE | {"exercises": {"42.7": SOLVED}}))
    exchange.import_progress("in.json")
    assert entries(progress_file) == {"42.7": SOLVED}


def test_what_cannot_be_kept_is_said(tmp_path, monkeypatch, capsys, here):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "file" / "progress.json"))
    (here / "in.json").write_text(json.dumps(FILE))
    assert main(["progress", "import", "in.json"]) == 1
    assert "could not be kept" in capsys.readouterr().err


def test_a_store_of_a_newer_version_stays(progress_file, here, capsys):
    progress_file.parent.mkdir()
    progress_file.write_text('{"version": 2, "exercises": {}}')
    (here / "in.json").write_text(json.dumps(FILE))
    assert main(["progress", "import", "in.json"]) == 1
    assert "newer version" in capsys.readouterr().err
    assert progress_file.read_text() == '{"version": 2, "exercises": {}}'


# -- writing ----------------------------------------------------------------------------------------


def test_nothing_to_export(here, capsys):
    assert main(["progress", "export"]) == 1
    assert "no progress to export" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_an_older_export_is_replaced_and_nothing_else(here, capsys):
    note_hint("01.1", 1)
    exchange.export_progress("out.json")
    note_hint("01.1", 2)
    exchange.export_progress("out.json")
    assert entries(here / "out.json") == {"01.1": {"hints": 2}}
    for text, words in ((json.dumps(FILE), "would be lost"), ("my diary", "no progress that this version reads")):
        (here / "out.json").write_text(text)
        capsys.readouterr()
        exchange.export_progress("out.json")
        assert words in capsys.readouterr().out
        assert (here / "out.json").read_text() == text


def test_a_write_that_fails_leaves_the_old_file_and_nothing_half_written(here, monkeypatch, capsys):
    note_hint("01.1", 1)
    exchange.export_progress("out.json")
    before = (here / "out.json").read_text()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    exchange.export_progress("out.json")
    assert "No space left" in capsys.readouterr().out
    assert [(file.name, file.read_text()) for file in here.iterdir()] == [("out.json", before)]


@pytest.mark.parametrize("name", ["no/such/folder.json", "."])
def test_a_place_that_cannot_be_written(name, capsys):
    note_hint("01.1", 1)
    exchange.export_progress(name)
    assert "Next step: another name" in capsys.readouterr().out


def test_spoiled_entries_do_not_travel(progress_file, here):
    progress_file.parent.mkdir()
    mixed = {"01.1": SOLVED | {"hints": "x"}, "secret": {"hints": 1}, "01.2": {"note": "mine"}}
    progress_file.write_text(json.dumps({"version": 1, "exercises": mixed}))
    exchange.export_progress("out.json")
    assert entries(here / "out.json") == {"01.1": SOLVED}


# -- two kernels at once, and Colab -----------------------------------------------------------------

KERNELS = ("from gpucourse.exercises.progress import note_check\nfor _ in range(40): note_check('01.1', 'wrong')",
           "from gpucourse.exercises.exchange import read\nfor _ in range(40): read('in.json')")  # fmt: skip


def test_kernels_that_note_and_import_at_once_lose_nothing(progress_file, here):
    (here / "in.json").write_text(json.dumps(FILE | {"exercises": {"01.1": {"right": "2026-01-31"}, "02.1": SOLVED}}))
    kernels = [subprocess.Popen([sys.executable, "-c", code]) for code in (*KERNELS, *KERNELS)]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0, 0, 0]
    found = entries(progress_file)
    assert found["01.1"]["attempts"] == 80
    assert found["01.1"]["right"] == "2026-01-31"
    assert found["02.1"] == SOLVED


@pytest.fixture
def colab(monkeypatch):
    """A stand-in for google.colab: the browser's downloads, and the files it will upload."""
    files = ModuleType("google.colab.files")
    files.downloads, files.uploads = [], {}
    files.download = files.downloads.append
    files.upload = lambda: files.uploads
    for name, module in (("google.colab", ModuleType("google.colab")), ("google.colab.files", files)):
        monkeypatch.setitem(sys.modules, name, module)
    return files


def test_on_colab_the_browser_downloads_and_uploads(colab, progress_file, here, capsys):
    note_check("01.2", "right")
    exchange.export_progress()
    assert colab.downloads == ["gpucourse-progress.json"]
    colab.uploads = {"gpucourse-progress (1).json": json.dumps(FILE).encode()}
    exchange.import_progress()
    assert sorted(entries(progress_file)) == ["01.1", "01.2"]
    colab.uploads = {"photo.png": b"\x89PNG"}
    exchange.import_progress()
    assert "photo.png is damaged" in capsys.readouterr().out


def test_on_colab_nothing_chosen_changes_nothing(colab, progress_file, capsys):
    exchange.import_progress()
    assert "Nothing was changed." in capsys.readouterr().out
    assert not progress_file.exists()
