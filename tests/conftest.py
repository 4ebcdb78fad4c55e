"""What tests of several folders share."""

import os
from pathlib import Path

import pytest

from gpucourse.backend import THIS_MACHINE
from gpucourse.optional import NEEDS

TESTS = Path(__file__).parent
BROWSER, SOLVED = TESTS / "browser", TESTS / "lessons" / "test_solved.py"


def pytest_collection_modifyitems(config, items):
    """The browser's tests last: Playwright leaves an event loop in its thread, and some tests want none.

    With `-n N --dist loadgroup` the tests of a file stay together, except the solved lessons: they take a minute each,
    begin first, and so leave no worker without work at the end.
    """
    items.sort(key=lambda item: (BROWSER in item.path.parents, item.path != SOLVED))
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            group = item.nodeid if item.path == SOLVED else item.path.as_posix()
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def librosa():
    """It imports numba, which reads once whether to simulate: what lesson 09's tests need must be said before."""
    os.environ.update(NEEDS["numba.cuda"].settings(THIS_MACHINE))
    return pytest.importorskip("librosa")
