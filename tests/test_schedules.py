"""Schedules: their ends, their peak, and PyTorch's own cosine."""

import pytest

from gpucourse.schedules import constant, cosine, one_cycle

torch = pytest.importorskip("torch")


def test_cosine_is_pytorchs():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for step in range(21):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3 * cosine(step / 20), abs=1e-12)
        optimizer.step()
        theirs.step()


def test_one_cycle_rises_to_its_peak_and_falls_to_zero():
    factor = one_cycle(peak_at=0.2, start=0.1)
    assert [factor(done) for done in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([0.1, 0.55, 1, 0.5, 0])


def test_constant():
    assert constant(0) == constant(0.7) == 1
