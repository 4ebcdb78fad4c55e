"""A file that is written whole: the oracle is the file system."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gpucourse.whole_file import replacing


def test_the_old_file_stands_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [*tmp_path.iterdir()] == [path]


def test_after_an_error_the_old_file_is_all_there_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_in_the_way_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "notes.json").mkdir()
    with pytest.raises(OSError, match=r"notes\.json"), replacing(tmp_path / "notes.json") as beside:
        beside.write_text("new")
    assert [each.name for each in tmp_path.iterdir()] == ["notes.json"]


def test_two_threads_do_not_write_into_one_file(tmp_path: Path) -> None:
    path, both, names = tmp_path / "notes.json", threading.Barrier(2, timeout=60), set()

    def write(text: str) -> None:
        with replacing(path) as beside:
            beside.write_text(text)
            names.add(beside)
            both.wait()
            assert beside.read_text() == text

    writers = [threading.Thread(target=write, args=(letter * 1000,)) for letter in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(names) == 2
    assert path.read_text() in ("a" * 1000, "b" * 1000)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_private_file_is_its_owners_alone(tmp_path: Path, private: bool, mode: int) -> None:
    umask = os.umask(0o022)
    try:
        with replacing(tmp_path / "marks.csv", private=private) as beside:
            beside.write_text("marks")
    finally:
        os.umask(umask)
    assert (tmp_path / "marks.csv").stat().st_mode & 0o777 == mode
