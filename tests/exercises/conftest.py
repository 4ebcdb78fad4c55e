"""Each test of the exercises keeps its progress in a file of its own."""

import pytest

from gpucourse.exercises import store


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    file = tmp_path / "home" / "progress.json"
    monkeypatch.setenv(store.VARIABLE, str(file))
    monkeypatch.setattr(store, "_memory", {})
    monkeypatch.setattr(store, "_told", set())
    return file
