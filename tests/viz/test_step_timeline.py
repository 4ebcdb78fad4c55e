"""The step timeline: its schedules against hand-computed ones, what it says limits, and that everything draws."""

from itertools import pairwise, product

import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.viz import explorers, picture, step_timeline
from gpucourse.viz.step_timeline import COPY, DEVICE, GRAPH, HOST, IMAGE, KERNEL, ORDINARY, PINNED, READ, plan

CONTROLS = {"data": ("host", "workers", "device"), "batch": (1, 64, 2048), "launches": (6, 60, 300),
            "read": (True, False), "graph": (True, False)}  # fmt: skip


def spans(made, row, kind):
    return [(bar.start, bar.end) for bar in made.bars if (bar.row, bar.kind) == (row, kind)]


def test_a_host_that_does_all_itself_step_by_step():
    """Launches of 10 µs, kernels of 2: each kernel is done 2 µs after its launch, long before the next."""
    made = plan("host", batch=30, launches=6, launch=10, read=True, load=5, work=0)
    copied = 30 * 5 + COPY + 30 * IMAGE / ORDINARY
    done = copied + 6 * 10 + KERNEL
    assert made.ends[0] == pytest.approx(done)
    assert made.period == pytest.approx(done + READ)
    assert made.busy == pytest.approx(6 * KERNEL)
    assert made.idle == pytest.approx({"a batch is loaded": 150, "a batch is copied": copied - 150,
                                       "the loss is read": READ, "kernels are launched": 60 - 5 * KERNEL})  # fmt: skip
    assert spans(made, DEVICE, "forward")[:2] == [pytest.approx((copied + 10 * k, copied + 10 * k + 2)) for k in (1, 2)]
    assert spans(made, HOST, "backward")[0] == pytest.approx((copied + 20, copied + 50))


def test_a_device_that_never_waits():
    """Six kernels of 2 + 600 / (2 or 3) µs and so on, on data that lie there: 600 + 6 * 2 + one pick."""
    made = plan("device", batch=300, launches=6, launch=1, read=False, work=2)
    assert made.period == pytest.approx(600 + 6 * KERNEL + KERNEL)
    assert made.busy == pytest.approx(made.period)
    assert made.idle == {}
    assert max(end for _, end in spans(made, HOST, "optimizer")) == pytest.approx(36 * 7)


@pytest.mark.parametrize("launch", [3, 6, 20])
def test_small_kernels_go_at_the_pace_of_their_launches(launch):
    made = plan("device", batch=1, launches=60, launch=launch, read=False, work=0)
    assert made.period == pytest.approx(61 * launch)
    assert made.busy == pytest.approx(61 * KERNEL)


def test_a_graph_has_one_launch_and_no_gaps():
    made = plan("device", batch=64, launches=60, launch=6, read=True, graph=True, work=0)
    assert made.period == pytest.approx(6 + GRAPH + 60 * KERNEL + READ)
    assert len(spans(made, DEVICE, "forward")) == len(made.ends)
    assert len(spans(made, HOST, "graph")) == len(made.ends)
    assert not spans(made, HOST, "forward")


def test_four_workers_bring_a_batch_in_a_quarter_of_the_time():
    made = plan("workers", batch=1000, launches=6, launch=1, read=False, load=20, work=1)
    assert made.period == pytest.approx(1000 * 20 / 4)
    assert made.busy == pytest.approx(1000 + 6 * KERNEL)
    assert next(iter(made.idle)) == "a batch is loaded"


def test_a_copy_from_pinned_memory_runs_beside_the_kernels():
    """Kernels of 1,000 µs and copies of 10 + 125 µs: the second step waits for neither host nor copy."""
    made = plan("workers", batch=1000, launches=6, launch=1, read=False, load=0, work=1)
    assert made.period == pytest.approx(1000 + 6 * KERNEL)
    copies = spans(made, step_timeline.COPIES, "copy")
    assert copies[1][1] - copies[1][0] == pytest.approx(COPY + 1000 * IMAGE / PINNED)
    assert copies[1][1] < made.ends[0]
    waiting = plan("workers", batch=1000, launches=6, launch=1, read=True, load=0, work=1)
    copies = spans(waiting, step_timeline.COPIES, "copy")
    assert copies[1][0] > waiting.ends[0], "a host that reads the loss queues the copy too late"


def test_a_copy_from_ordinary_memory_comes_after_the_step_before():
    """Copy, one launch, 1,000 µs and 6 kernels; nothing of that overlaps, though nobody reads the loss."""
    made = plan("host", batch=1000, launches=6, launch=1, read=False, load=0, work=1)
    assert made.period == pytest.approx(COPY + 1000 * IMAGE / ORDINARY + 1 + 1000 + 6 * KERNEL)
    assert spans(made, step_timeline.COPIES, "copy")[1][0] == pytest.approx(made.ends[0])


@pytest.mark.parametrize("data", ["host", "workers"])
@pytest.mark.parametrize("graph", [True, False])
def test_no_kernel_starts_before_its_batch_has_been_copied(data, graph):
    """Kernels of next to nothing and large copies: each step's first kernel follows its own copy."""
    made = plan(data, batch=2000, launches=6, launch=1, read=False, graph=graph, load=0, work=0)
    starts = [start for start, _ in spans(made, DEVICE, "forward")]
    for number, (_, copied) in enumerate(spans(made, step_timeline.COPIES, "copy")):
        before = made.ends[number - 1] if number else 0.0
        assert min(start for start in starts if start >= before) >= copied - 1e-6


def test_a_larger_batch_makes_the_devices_part_longer_and_the_launches_not():
    small, large = (plan("device", batch=batch, read=False) for batch in (64, 2048))
    assert spans(small, HOST, "forward")[0] == spans(large, HOST, "forward")[0]
    assert large.busy - small.busy == pytest.approx(2 * (2048 - 64))


def every():
    return [dict(zip(CONTROLS, values, strict=True)) for values in product(*CONTROLS.values())]


@pytest.mark.parametrize("values", every(), ids=lambda values: "-".join(map(str, values.values())))
def test_a_schedule_is_possible_and_its_times_add_up(values):
    made = plan(**values)
    assert made.busy + sum(made.idle.values()) == pytest.approx(made.period, abs=0.1)
    for row in (HOST, step_timeline.COPIES, DEVICE):
        bars = sorted((bar.start, bar.end) for bar in made.bars if bar.row == row)
        assert all(end <= start + 1e-6 for (_, end), (start, _) in pairwise(bars)), row
    assert list(made.ends) == sorted(made.ends)
    longer = step_timeline.WARM
    assert made.ends[longer] - made.ends[longer - 1] == pytest.approx(made.period, rel=0.01), "not yet steady"


def test_the_sentence_says_what_limits():
    assert step_timeline.draw()[1] == (
        "Batches of 64 loaded by the host, 60 launches of 6 µs a step, loss read: a step takes 1,695 µs (37,748 images "
        "a second), and the device works 248 of them, 15%. The limit is loading: the device idles 1,280 µs while a "
        "batch is loaded, 114 µs while kernels are launched, 43 µs while a batch is copied, 10 µs while the loss is "
        "read. Assumed: 20 µs to load an image, 2 µs of the device an image and 2 a kernel."
    )
    assert "The limit is the launches" in step_timeline.draw("device", read=False)[1]
    assert "(256,000 images a second), and the device works 250 of them, 100%. The limit is the device. Assumed: 2" in (
        step_timeline.draw("device", read=False, graph=True)[1])  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"data": "disk"}, "data='disk': there are host, workers, device"), ({"batch": 0}, "batch=0"),
     ({"launches": 5}, "launches=5"), ({"launch": 0}, "launch=0"),
     ({"load": -1}, "load=-1"), ({"work": -1}, "work=-1")],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        plan(**wrong)


@pytest.mark.parametrize("values", every()[::5], ids=lambda values: "-".join(map(str, values.values())))
def test_the_picture_has_a_row_for_each_who_works_and_is_legible(values):
    fig, _ = step_timeline.draw(**values)
    rows = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert (step_timeline.COPIES in rows) == (values["data"] != "device")
    assert (step_timeline.WORKERS in rows) == (values["data"] == "workers")
    assert not clashes(fig)
    assert picture.png(fig)


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.step_timeline()
    before = explorer.image.value
    assert explorer.sentence == step_timeline.draw()[1]
    explorer.set(data="device", batch=256, launches=120, launch=4, read=False, graph=True)
    assert explorer.image.value != before
    step_timeline.step_timeline("device", 256, 120, 4, False, True)
    assert explorer.sentence in capsys.readouterr().out
