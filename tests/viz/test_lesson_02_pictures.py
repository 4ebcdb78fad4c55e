"""The pictures of lesson 02 that show numbers handed to them: the words must carry those numbers."""

import pytest

from gpucourse.viz import mistimed, picture, pool, transfer_cost

PNG = b"\x89PNG"


@pytest.fixture
def shown(monkeypatch):
    pictures = []
    monkeypatch.setattr(picture, "show", lambda fig, alt: pictures.append(picture.picture(fig, alt)))
    return pictures


def test_mistimed_counts_the_points_below_the_limit(shown):
    mistimed.mistimed([512, 1024], [1e-3, 2.0], [13e-6, 10e-6], [1e-6, 1e-4])
    assert shown[0].data.startswith(PNG)
    assert "between 10 and 13 microseconds" in shown[0].alt and "1 of 2 lie below" in shown[0].alt


def test_transfer_cost_says_each_way(shown):
    transfer_cost.transfer_cost({"link": (25e-6, 31.5e9), "memory": (1e-7, 83.2e9)})
    assert shown[0].data.startswith(PNG)
    assert "link: 25 µs, then 31.5 GB/s" in shown[0].alt and "memory: 0.1 µs, then 83.2 GB/s" in shown[0].alt


def test_pool_history_says_each_step(shown):
    pool.pool_history([("a = ones(9)", 4_000_256, 4_000_256), ("del a", 0, 4_000_256)])
    assert shown[0].data.startswith(PNG)
    assert "after del a: 0 of 4.00026 MB in use" in shown[0].alt
