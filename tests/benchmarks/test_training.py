"""The ladder of lesson 14: equal mathematics gives equal losses, a rung does what its name says, all is recorded."""

import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from torch.nn import functional as F  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from gpucourse import benchmarks, cupy_sim, recorded, scores  # noqa: E402
from gpucourse import measure as command  # noqa: E402
from gpucourse.benchmarks import training  # noqa: E402
from gpucourse.benchmarks import training_loops as loops  # noqa: E402
from gpucourse.benchmarks.case import FULL, QUICK, Machine, NotHere, measure  # noqa: E402
from gpucourse.checkpoint import seed_all  # noqa: E402
from gpucourse.data.batches import Batches, tensors  # noqa: E402
from gpucourse.data.images import Labeled, digits  # noqa: E402
from gpucourse.models.cnn import DigitsCNN, Textbook  # noqa: E402
from gpucourse.schedules import one_cycle  # noqa: E402
from gpucourse.train import fit  # noqa: E402

CPU = Machine("cpu", "a CPU", np, lambda: None, 1)
N, SIZE, EPOCHS = 300, 64, 2
ONE_CYCLE = ("large batches, one cycle", "channels last", "bfloat16", "compiled", "one graph an epoch")


def few(n=N):
    data = digits()
    return replace(data, train=Labeled(data.train.images[:n], data.train.labels[:n]),
                   test=Labeled(data.test.images[:100], data.test.labels[:100]))


def task(**changes):
    given = {"data": few(), "goal": 0.0, "device": torch.device("cpu"), "size": SIZE, "epochs": EPOCHS, "width": 4,
             "textbook_epochs": EPOCHS, "falls_every": 1, "losses": []}
    return loops.Task(**given | changes)


@pytest.fixture
def stand_ins(monkeypatch):
    """Compiling and recording leave the work as it is and are counted; the textbook's network is a quick one."""
    counts = Counter()

    def compile(function):
        counts["compiled"] += 1
        return function

    def graph_of(work):
        counts["recorded"] += 1
        work()
        work()

        def launch():
            counts["launched"] += 1
            work()

        return launch

    monkeypatch.setattr(loops, "Textbook", lambda: DigitsCNN(2))
    monkeypatch.setattr(torch, "compile", compile)
    monkeypatch.setattr(loops, "graph_of", graph_of)
    return counts


def trained(rung, given=None):
    """The losses that the rung has read, and its network."""
    given = given or task()
    seed_all(0)
    *_, network = loops.RUNGS[rung].loop(given)
    return given.losses, network


# --- equal mathematics, equal losses -----------------------------------------------------------------------


def test_the_textbook_is_pytorchs_example():
    from torchvision import transforms

    data = few().train
    as_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    pairs = [(as_tensor(image), int(label)) for image, label in zip(data.images, data.labels, strict=True)]
    losses = []
    seed_all(0)
    loader = torch.utils.data.DataLoader(pairs, batch_size=64, shuffle=True)
    model = Textbook()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    for epoch in range(EPOCHS):
        optimizer.param_groups[0]["lr"] = 0.7**epoch
        for number, (x, y) in enumerate(loader):
            model.zero_grad()
            loss = F.nll_loss(F.log_softmax(model(x), dim=1), y)
            loss.backward()
            optimizer.step()
            losses += [loss.item()] if number % 10 == 0 else []
    found, _ = trained("textbook")
    assert found == pytest.approx(losses, rel=1e-4) and len(found) == EPOCHS * 1


def test_data_on_the_device_are_the_loaders_in_the_same_order():
    data, losses = few().train, []
    for batches in (torch.utils.data.DataLoader(loops.Pictures(data), 64), Batches(*tensors(data), 64, shuffle=False)):
        given = task()
        seed_all(0)
        for _ in loops.by_the_book(given, DigitsCNN(4), batches, read_every=1):
            pass
        losses.append(given.losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3) and len(losses[0]) == EPOCHS * 5


def test_reading_at_the_end_reads_the_same(stand_ins):
    rungs = ("data on the device", "one read an epoch")
    each_tenth, all_of_them = (trained(rung, task(data=few(700)))[0] for rung in rungs)
    steps = 11
    assert len(all_of_them) == EPOCHS * steps
    assert each_tenth == [loss for number, loss in enumerate(all_of_them) if number % steps % 10 == 0]


def test_one_cycle_is_what_fit_does():
    found, network = trained("large batches, one cycle")
    seed_all(0)
    model = DigitsCNN(4)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    batches = Batches(*tensors(few().train), SIZE, drop_last=True)
    history = fit(model, batches, epochs=EPOCHS, optimizer=optimizer, schedule=one_cycle(), seed=None, progress=False)
    assert found == pytest.approx(history.losses, rel=1e-4)
    for ours, due in zip(network.state_dict().values(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, due, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("rung", "as_in", "tolerance"), [
    ("channels last", "large batches, one cycle", 0.01), ("bfloat16", "channels last", 0.1),
    ("compiled", "bfloat16", 0.05), ("one graph an epoch", "bfloat16", 0.05),
])  # fmt: skip
def test_a_rung_learns_as_the_one_before(rung, as_in, tolerance, stand_ins):
    found, due = trained(rung)[0], trained(as_in)[0]
    assert len(found) == EPOCHS * (N // SIZE)
    assert found == pytest.approx(due, rel=tolerance)
    assert found[0] == pytest.approx(due[0], rel=0.01)


# --- each rung does what its name says ---------------------------------------------------------------------


class Transfers(TorchDispatchMode):
    """Counts copies from the host to the device that has no memory, `meta`."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        target = (kwargs or {}).get("device")
        if func is torch.ops.aten._to_copy.default and target == torch.device("meta") and args[0].device.type == "cpu":
            self.count += 1
        return func(*args, **kwargs or {})


@pytest.mark.parametrize(("rung", "prepared", "an_epoch"), [
    ("textbook", 0, 2 * 5), ("data on the device", 2, 0), ("one read an epoch", 2, 0),
    ("large batches, one cycle", 2, 0), ("channels last", 2, 0), ("bfloat16", 2, 0), ("compiled", 2, 0),
])  # fmt: skip
def test_batches_go_to_the_device_in_each_step_only_by_the_book(rung, prepared, an_epoch, stand_ins, monkeypatch):
    for name, value in (("item", 1.0), ("tolist", [1.0])):                 # `meta` has no numbers to read
        real = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda x, r=real, v=value: v if x.device.type == "meta" else r(x))
    monkeypatch.setattr(loops, "loss_of", lambda network, x, y, **how: F.cross_entropy(network(x), y))   # no autocast
    monkeypatch.setattr(loops, "as_it_was", nullcontext)
    counts = []
    with Transfers() as transfers:
        epochs = loops.RUNGS[rung].loop(task(device=torch.device("meta")))
        network = next(epochs)
        weights = len([*network.parameters(), *network.buffers()])
        counts.append(transfers.count - weights)
        for _ in epochs:
            counts.append(transfers.count - weights - sum(counts))
    assert counts == [prepared, *[an_epoch] * EPOCHS]


@pytest.mark.parametrize(("rung", "items", "lists"), [
    ("textbook", 2, 0), ("data on the device", 2, 0), *((rung, 0, 1) for rung in list(loops.RUNGS)[2:])])
def test_losses_are_read_as_often_as_the_name_says(rung, items, lists, stand_ins, monkeypatch):
    counts = Counter()

    def counted(name):
        real = getattr(torch.Tensor, name)

        def read(self):
            counts[name] += sys._getframe(1).f_globals["__name__"] == loops.__name__   # Adam reads its own counter
            return real(self)

        return read

    for name in ("item", "tolist"):
        monkeypatch.setattr(torch.Tensor, name, counted(name))
    trained(rung, task(data=few(700)))
    assert (counts["item"], counts["tolist"]) == (EPOCHS * items, EPOCHS * lists)


@pytest.mark.parametrize("rung", loops.RUNGS)
def test_pictures_are_prepared_one_by_one_only_by_the_book(rung, stand_ins, monkeypatch):
    asked = Counter()
    real = loops.Pictures.__getitem__
    monkeypatch.setattr(loops.Pictures, "__getitem__", lambda self, i: asked.update(["one"]) or real(self, i))
    trained(rung)
    assert asked["one"] == (EPOCHS * N if rung == "textbook" else 0)


def watched(rung, given=None):
    """Of each call of the second convolution in the first epoch: its input's and weight's format, the output's type."""
    seen = []

    def note(module, inputs, output):
        layout = torch.channels_last
        seen.append((inputs[0].is_contiguous(memory_format=layout), module.weight.is_contiguous(memory_format=layout),
                     output.dtype, module.weight.dtype))

    seed_all(0)
    epochs = loops.RUNGS[rung].loop(given or task())
    network = next(epochs)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    with convolutions[1].register_forward_hook(note):
        next(epochs)
    epochs.close()
    return seen


@pytest.mark.parametrize("rung", loops.RUNGS)
def test_format_precision_and_steps_are_as_the_name_says(rung, stand_ins):
    seen = watched(rung)
    place = list(loops.RUNGS).index(rung)
    assert len(seen) == (N // SIZE if rung in ONE_CYCLE else -(-N // 64))
    (inputs_last, weights_last, dtype, weight_dtype), = set(seen)
    assert inputs_last == weights_last == (place >= list(loops.RUNGS).index("channels last"))
    assert dtype == (torch.bfloat16 if place >= list(loops.RUNGS).index("bfloat16") else torch.float32)
    assert weight_dtype == torch.float32


@pytest.mark.parametrize("rung", loops.RUNGS)
def test_the_images_of_an_epoch_are_those_that_it_sees(rung, stand_ins):
    seen = Counter()
    given = task()
    epochs = loops.RUNGS[rung].loop(given)
    network = next(epochs)
    with network.register_forward_hook(lambda module, inputs, output: seen.update(images=len(inputs[0]))):
        next(epochs)
    assert loops.RUNGS[rung].images(given) == seen["images"] == (256 if rung in ONE_CYCLE else 300)


def test_the_small_network_is_smaller():
    sizes = {rung: sum(p.numel() for p in next(loops.RUNGS[rung].loop(task(width=16))).parameters())
             for rung in ("one read an epoch", "small network")}
    assert sizes["one read an epoch"] == 1_199_882 and sizes["small network"] * 20 < sizes["one read an epoch"]


def test_a_graph_is_recorded_once_and_launched_once_an_epoch(stand_ins):
    trained("one graph an epoch", task(epochs=5))
    assert stand_ins == {"compiled": 1, "recorded": 1, "launched": 5}


def test_every_epoch_of_the_graph_has_an_order_of_its_own(stand_ins, monkeypatch):
    seen = []
    real = loops.loss_of
    monkeypatch.setattr(loops, "loss_of", lambda network, x, y, **how: seen.append(y) or real(network, x, y, **how))
    trained("one graph an epoch")
    steps = N // SIZE
    first, second = torch.cat(seen[-2 * steps : -steps]), torch.cat(seen[-steps:])
    assert len(first) == len(second) == steps * SIZE and not torch.equal(first, second)


def test_what_is_captured_was_called_before_on_a_stream_of_its_own(monkeypatch):
    log = []

    class Stream:
        def __init__(self, name="side"):
            self.name = name

        def wait_stream(self, other):
            log.append(f"{self.name} waits for {other.name}")

    @contextmanager
    def inside(name):
        log.append(f"enter {name}")
        yield
        log.append(f"leave {name}")

    monkeypatch.setattr(torch, "cuda", SimpleNamespace(
        Stream=Stream, current_stream=lambda: Stream("main"), stream=lambda stream: inside(stream.name),
        CUDAGraph=lambda: SimpleNamespace(replay=lambda: log.append("replay")), graph=lambda graph: inside("capture")))
    launch = loops.graph_of(lambda: log.append("work"))
    launch()
    assert log == ["side waits for main", "enter side", "work", "work", "leave side", "main waits for side",
                   "enter capture", "work", "leave capture", "replay"]


def test_trial_steps_leave_no_trace_and_keep_their_memory():
    network = DigitsCNN(2)
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    x, y = tensors(few().train)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    addresses = [value.data_ptr() for value in network.state_dict().values()]
    with loops.as_it_was(network, optimizer):
        for _ in range(3):
            F.cross_entropy(network(x), y).backward()
            optimizer.step()
        assert any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert addresses == [value.data_ptr() for value in network.state_dict().values()]
    assert not any(value.any() for memory in optimizer.state.values() for value in memory.values())
    assert all(p.grad is None for p in network.parameters())


# --- what is timed, and what is recorded -------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def scripted(clock, accuracies, monkeypatch, seconds=3.0):
    """A rung whose preparation takes 7 s and whose epochs take 3 s each; looking at its network takes 100 s."""
    due = iter(accuracies)

    def evaluate(network, batches, **options):
        clock.now += 100
        return scores.Scores(0.0, next(due), 100)

    def loop(task):
        clock.now += 7
        yield None
        for _ in accuracies:
            clock.now += seconds
            yield None

    monkeypatch.setattr(scores, "evaluate", evaluate)
    return loops.Rung(loop)


def test_only_the_training_is_timed_and_it_ends_at_the_goal(monkeypatch):
    clock = Clock()
    rung = scripted(clock, [0.9, 0.97, 0.985, 0.99], monkeypatch)
    found = training.train("scripted", rung, task(goal=0.98), 0, clock=clock)
    assert (found.preparation, found.epochs, found.accuracies) == (7, [3, 3, 3], [0.9, 0.97, 0.985])
    assert found.seconds == 9


def test_the_device_is_waited_for_before_the_clock_is_read(monkeypatch):
    clock, log = Clock(), []
    rung = scripted(clock, [0.5, 1.0], monkeypatch, seconds=0.0)

    def synchronize():                     # the device is done two seconds after the host
        log.append(clock.now)
        clock.now += 2

    found = training.train("scripted", rung, task(goal=0.98), 0, synchronize, clock)
    assert found.epochs == [2, 2] and found.preparation == 9


def test_a_goal_that_is_missed_is_an_error(monkeypatch):
    rung = scripted(Clock(), [0.9, 0.979, 0.97], monkeypatch)
    with pytest.raises(training.MissedGoal, match=r"slow: 97.90% at best in 3 epochs with seed 5; 98.00% is asked for"):
        training.train("slow", rung, task(goal=0.98), 5)


@pytest.fixture
def two_rungs(monkeypatch):
    """The ladder with a textbook and a fast rung; their seconds an epoch by seed."""
    seconds = {"textbook": [[4.0, 4.0], [5.0, 5.0, 5.0], [4.0, 6.0]], "fast": [[1.0], [0.5, 0.5], [2.0]]}
    asked = []

    def train(name, rung, task, seed, synchronize):
        asked.append((name, seed))
        epochs = seconds[name][seed]
        return training.Training(0.25, epochs, [0.5] * (len(epochs) - 1) + [0.98 + seed / 1000])

    monkeypatch.setattr(loops, "RUNGS", {"textbook": loops.Rung(lambda task: iter(())),
                                         "fast": loops.Rung(lambda task: iter(()), whole_batches=True)})
    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training, "task_for", lambda machine: task(goal=0.98))
    return seconds, asked


def recorded_entries(sizes=FULL):
    return list(measure("training", training.training_ladder, CPU, sizes))


def test_the_record_holds_both_rates_and_shares_of_the_textbooks(two_rungs):
    entries = recorded_entries()
    assert [(e["parameters"]["kernel"], e["parameters"]["what"]) for e in entries] == [
        ("textbook", "one epoch"), ("textbook", "to 98%"), ("fast", "one epoch"), ("fast", "to 98%")]
    epoch, to_goal, fast_epoch, fast_to_goal = entries
    assert (epoch["unit"], epoch["rate"]) == ("image/s", 300 / 5) and epoch["seconds"]["runs"] == 7
    assert (to_goal["unit"], to_goal["rate"]) == ("training/s", 1 / 10)
    assert (to_goal["seconds"]["median"], to_goal["details"]["smallest"], to_goal["details"]["largest"]) == (10, 8, 15)
    assert (fast_epoch["work"], fast_epoch["rate"]) == (256, 256 / 0.75)
    assert fast_epoch["share"] == pytest.approx(256 / 0.75 / 60, rel=1e-3)
    assert (fast_to_goal["share"], fast_to_goal["of"]) == (10.0, "textbook") and "share" not in epoch
    assert to_goal["details"]["epochs"] == [2, 3, 2] and to_goal["details"]["accuracies"] == [0.98, 0.981, 0.982]
    assert to_goal["details"]["preparation"] == [0.25] * 3 and to_goal["details"]["goal"] == 0.98


def test_each_rung_is_trained_once_with_each_seed(two_rungs):
    recorded_entries()
    assert two_rungs[1] == [(name, seed) for name in ("textbook", "fast") for seed in range(3)]
    two_rungs[1].clear()
    recorded_entries(QUICK)
    assert two_rungs[1] == [(name, seed) for name in ("textbook", "fast") for seed in range(2)]


def test_a_rung_that_misses_the_goal_is_an_error_and_not_a_time(two_rungs, monkeypatch):
    real = training.train

    def train(name, rung, task, seed, synchronize):
        found = real(name, rung, task, seed, synchronize)
        if (name, seed) == ("fast", 2):
            raise training.MissedGoal("fast: 97.00% at best in 1 epochs with seed 2; 98.00% is asked for")
        return found

    monkeypatch.setattr(training, "train", train)
    textbook, fast = recorded_entries()[:2], recorded_entries()[2:]
    assert all("rate" in entry for entry in textbook)
    for entry in fast:
        assert entry["error"].startswith("MissedGoal: fast: 97.00%") and not {"rate", "seconds", "share"} & set(entry)


def test_the_record_can_be_written_and_read_with_its_details(two_rungs, tmp_path):
    results = [entry | {"date": "2026-01-31"} for entry in recorded_entries()]
    path = tmp_path / "cpu.json"
    command.write(path, command.record(CPU, results))
    (device,) = recorded.recorded(tmp_path)
    (found,) = device.find("training", kernel="fast", what="to 98%")
    assert found.seconds == 1.0 and found.share == 10.0 and found.details["epochs"] == [1, 2, 1]
    results[0]["details"] = [1]
    with pytest.raises(recorded.RecordError, match="details"):
        command.write(path, command.record(CPU, results))


def test_without_a_gpu_the_graph_is_skipped_in_words(monkeypatch):
    monkeypatch.setattr(loops, "RUNGS", {"one graph an epoch": loops.RUNGS["one graph an epoch"]})
    monkeypatch.setattr(training, "task_for", lambda machine: task())
    assert [entry["skipped"] for entry in recorded_entries()] == ["this rung needs a GPU"] * 2
    assert issubclass(NotHere, Exception) and [name for name, rung in loops.RUNGS.items() if rung.needs_gpu] == [
        "one graph an epoch"]


def test_a_cpu_learns_the_embedded_digits_and_a_gpu_all_that_are_there(monkeypatch, tmp_path):
    given = training.task_for(CPU)
    assert (len(given.data.train), given.goal, given.device.type) == (10_000, 0.98, "cpu")
    gpu = replace(CPU, kind="gpu")
    monkeypatch.setattr(training, "FULL_DIGITS", tmp_path / "none")
    assert (training.task_for(gpu).goal, training.task_for(gpu).device.type) == (0.98, "cuda")
    (tmp_path / "none").write_bytes(b"")
    asked = []
    monkeypatch.setattr("gpucourse.data.images.digits", lambda full=False: asked.append(full) or few())
    full = training.task_for(gpu)
    assert (asked, full.goal, full.size) == ([True], 0.99, 1024)
    assert (given.falls_every * len(given.data.train), full.falls_every) == (60_000, 1)    # the example's, in pictures


def test_the_ladder_is_rehearsed_on_the_simulator(stand_ins, monkeypatch):
    monkeypatch.setattr("gpucourse.data.images.digits", few)
    (name, benchmark), = benchmarks.table("gpu", "training").items()
    entries = list(measure(name, benchmark, Machine("simulator", "the simulator", cupy_sim, lambda: None, 1), QUICK))
    assert [entry["parameters"]["kernel"] for entry in entries] == [rung for rung in loops.RUNGS for _ in range(2)]
    assert [entry.get("error") for entry in entries] == [None] * len(entries)
    assert ["skipped" in entry for entry in entries] == [False] * (len(entries) - 2) + [True] * 2
    assert all(entry["details"]["epochs"] == [1, 1] for entry in entries[:-2])
