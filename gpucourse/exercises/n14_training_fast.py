"""The exercises of lesson 14: honest times, no waits, larger batches, half precision, memory, recomputing, pruning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpucourse.exercises import guard
from gpucourse.exercises.cases import Case, Trap, by_cases
from gpucourse.exercises.kinds import called
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.probes import Ask, by_probes
from gpucourse.exercises.problem import Problem

Model = Any
Tensor = Any
Parts = dict[str, Callable[[], None]]
Times = dict[str, float]

# -- 14.1 -------------------------------------------------------------------------------------------

STEP_PARTS = {"data": (3.0, 0.0), "forward": (0.5, 4.0), "backward": (0.25, 8.0), "optimizer": (0.125, 1.0)}   # ms


class Queue:
    """A device with a clock of its own, in ms: a part keeps the host busy for a while, and the device for longer."""

    def __init__(self, behind: float = 0.0) -> None:
        self.now, self.free = 0.0, behind     # the host's time; when the device has done what it was asked for
        self.waits, self.readings = 0, 0
        self.ran: list[str] = []

    def part(self, name: str) -> Callable[[], None]:
        """Return a function that takes what STEP_PARTS says."""
        def run() -> None:
            host, device = STEP_PARTS[name]
            self.ran.append(name)
            self.now += host
            if device:
                self.free = max(self.now, self.free) + device
        return run

    def wait(self) -> None:
        """Let the host stand still until the device is done."""
        self.waits += 1
        self.now = max(self.now, self.free)

    def clock(self) -> float:
        """Return the host's time, in seconds."""
        self.readings += 1
        return self.now / 1000


def time_parts(parts: Parts, wait: Callable[[], None], clock: Callable[[], float]) -> Times:
    """The seconds of each part, from an idle device to an idle device."""
    times = {}
    for name, part in parts.items():
        wait()
        start = clock()
        part()
        wait()
        times[name] = clock() - start
    return times


def _laps(parts: Parts, wait: Callable[[], None], clock: Callable[[], float], first: bool, last: bool) -> Times:
    """As `time_parts`, but waits only where it is told: before the start, before the end."""
    times = {}
    for name, part in parts.items():
        if first:
            wait()
        start = clock()
        part()
        if last:
            wait()
        times[name] = clock() - start
    return times


def _since_the_start(parts: Parts, wait: Callable[[], None], clock: Callable[[], float]) -> Times:
    wait()
    start, times = clock(), {}
    for name, part in parts.items():
        part()
        wait()
        times[name] = clock() - start
    return times


def _waits_at_the_end(parts: Parts, wait: Callable[[], None], clock: Callable[[], float]) -> Times:
    wait()
    times = _laps(parts, wait, clock, False, False)
    start = clock()
    wait()
    times[list(times)[-1]] += clock() - start
    return times


def _clock_first(parts: Parts, wait: Callable[[], None], clock: Callable[[], float]) -> Times:
    times = {}
    for name, part in parts.items():
        start = clock()
        wait()
        part()
        wait()
        times[name] = clock() - start
    return times


def _shares(parts: Parts, wait: Callable[[], None], clock: Callable[[], float]) -> Times:
    times = time_parts(parts, wait, clock)
    return {name: time / sum(times.values()) for name, time in times.items()}


def _milliseconds(parts: Parts, wait: Callable[[], None], clock: Callable[[], float]) -> Times:
    return {name: 1000 * time for name, time in time_parts(parts, wait, clock).items()}


def _backwards(parts: Parts, wait: Callable[[], None], clock: Callable[[], float]) -> Times:
    return {name: -time for name, time in time_parts(parts, wait, clock).items()}


WRONG_TIMES: tuple[tuple[Callable[..., Times], str], ...] = (
    (lambda p, w, c: _laps(p, w, c, False, False),
     "These are the times to ask for the work. The device is still busy with it when you stop the clock."),
    (lambda p, w, c: _laps(p, w, c, True, False),
     "You wait, but not between the work and the second look at the clock: what is read is the time to ask for it."),
    (lambda p, w, c: _laps(p, w, c, False, True),
     "The first part's time holds work that was queued before it. From when on should its clock run?"),
    (_since_the_start, "These are times since the first part began. Each part's own time begins when the part does."),
    (_waits_at_the_end, "The last part's time holds what the others left to do: the host waits only once, at the end."),
    (_clock_first, "The first part's time holds work that was queued before it: the clock is read before the wait. "
                   "First wait, then look at it."),
    (_shares, "They add up to 1, so these are shares. The seconds themselves are asked for."),
    (_milliseconds, "These are milliseconds; the clock gives seconds, and so should you."),
    (_backwards, "The times are negative: the end minus the start, not the other way round."),
)  # fmt: skip


def _timed(function: Callable[..., Times], behind: float) -> tuple[Queue, Any]:
    queue = Queue(behind)
    return queue, function({name: queue.part(name) for name in STEP_PARTS}, queue.wait, queue.clock)


def _same_times(got: Any, due: Any) -> bool:
    return isinstance(got, dict) and set(got) == set(due) and np.allclose(
        [got[name] for name in due], list(due.values()), rtol=1e-6)  # fmt: skip


def _times_each_part(ask: Ask, seed: int) -> str:
    for behind in (0.0, 5.0):       # ms of work that waits in the queue at the start
        queue, got = _timed(ask, behind)
        message = _about_times(queue, got, behind)
        if message:
            return message
    return ""


def _about_times(queue: Queue, got: Any, behind: float) -> str:
    if not isinstance(got, dict):
        return f"A dict is due, name -> seconds, and it returns {called(got)}."
    if set(got) != set(STEP_PARTS):
        return f"The parts are {', '.join(STEP_PARTS)}; your dict has the keys {', '.join(map(str, got)) or 'none'}."
    if queue.ran != list(STEP_PARTS):
        return ("Each part should run once, in the order of `parts`, since a backward pass cannot run twice; "
                f"yours ran {', '.join(queue.ran) or 'none of them'}.")  # fmt: skip
    if not queue.readings:
        return "`clock` has not been called; read the time from it."
    if any(not isinstance(value, float | int) for value in got.values()):
        return f"Each time is a number of seconds; the first one here is {called(next(iter(got.values())))}."
    due = {name: sum(costs) / 1000 for name, costs in STEP_PARTS.items()}
    if _same_times(got, due):
        return ""
    for wrong, message in WRONG_TIMES:
        other, times = _timed(wrong, behind)
        if _same_times(got, times) and bool(other.waits) == bool(queue.waits):
            return message
    name = next(name for name in due if not np.isclose(got[name], due[name]))
    return f"The part `{name}` takes {due[name]:.6g} s, host and device together, and you measure {got[name]:.6g} s."


TIME_STUB = '''def time_parts(parts, wait, clock):
    """The seconds that each part of a step takes: name -> seconds."""
    return ...
'''

TIME = Problem(
    id="14.1",
    title="Where does a step's time go?",
    task=(
        "`parts` maps the names of a step's parts to functions without arguments, such as `backward`. Run them one "
        "after the other, and find how long each takes, on a device that is still at work when a call returns."
    ),
    spec=(
        "Each part runs once, in the given order. `clock()` returns seconds; `wait()` returns when the device has done "
        "all it was asked for; other work may still be queued at the start. Returns a dict, name -> seconds."
    ),
    stub=TIME_STUB,
    answer="time_parts",
    lines=8,
    hints=(
        "A call returns when the work is queued. What must have happened before you may stop the clock?",
        "And before you start it? Work that others have queued must not be counted as yours. So the "
        "device must be idle at both ends of each part.",
        "For each part: `wait()`, `start = clock()`, `part()`, `___`, `times[name] = ___`",
    ),
    solution='''def time_parts(parts, wait, clock):
    """The seconds that each part of a step takes: name -> seconds."""
    times = {}
    for name, part in parts.items():
        wait()
        start = clock()
        part()
        wait()
        times[name] = clock() - start
    return times
''',
    why=(
        "The clock runs from an idle device to an idle device, so it counts this part's work, and all of it. The price "
        "is that host and device no longer overlap: the parts add up to more than a step that nobody watches."
    ),
    judge=by_probes(("parts", "wait", "clock"), _times_each_part),
)

# -- 14.2 -------------------------------------------------------------------------------------------

# what makes the host wait for a number of the device: the name of PyTorch's function -> what a learner writes
FETCHES = {"item": ".item()", "__float__": "float()", "__int__": "int()", "__bool__": "a condition on a tensor",
           "__index__": "a tensor as an index", "tolist": ".tolist()", "numpy": ".numpy()", "cpu": ".cpu()",
           "__array__": "NumPy", "__format__": "a tensor in a text", "__repr__": "print",
           "equal": "torch.equal", "allclose": "torch.allclose", "nonzero": ".nonzero()"}  # fmt: skip


@dataclass
class Watch:
    """Counts how often the host waits for the device, step by step. The last entry is after the last step.

    `fetched` are the tensors that lie on the host by then: to look at one of them is no further wait. (Here all are on
    the CPU; so a tensor counts as fetched by what the answer did, and it is kept, so that its id stays its own.)
    """

    given: set[int]                                              # ids of the batches' tensors
    fetches: list[list[str]] = field(default_factory=list)
    fetched: dict[int, Tensor] = field(default_factory=dict)

    def next_step(self) -> None:
        """What is fetched from now on belongs to the next step."""
        self.fetches.append([])

    def note(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Note what the call of a PyTorch function fetches; return whether it makes a tensor on the host."""
        import torch

        copied = _copied_to_host(name, args, kwargs) and id(args[0]) not in self.given
        if self.on_host(args):
            return True
        new = [FETCHES[name]] if name in FETCHES else [_words(kwargs)] if copied else []
        if name == "tensor" and isinstance(args[0], list | tuple):                  # fetches each tensor in the list
            new = ["torch.tensor()" for one in args[0] if isinstance(one, torch.Tensor) and id(one) not in self.fetched]
        if self.fetches:                                                            # none before the first step
            self.fetches[-1] += new
        return copied or name == "cpu"

    def on_host(self, args: tuple[Any, ...]) -> bool:
        """Return whether all tensors among the arguments have been fetched, and there is one."""
        import torch

        flat = [one for arg in args for one in (arg if isinstance(arg, list | tuple) else (arg,))]
        tensors = [one for one in flat if isinstance(one, torch.Tensor)]
        return bool(tensors) and all(id(one) in self.fetched for one in tensors)

    def keep(self, out: Any, args: tuple[Any, ...]) -> Any:
        """Remember that `out` lies on the host, be it one tensor or several; return it."""
        import torch

        if isinstance(out, torch.Tensor):
            out = out.view_as(out) if any(out is arg for arg in args) else out      # .cpu() of a CPU tensor is itself
            self.fetched[id(out)] = out
        elif isinstance(out, tuple | list):
            return type(out)(self.keep(one, args) for one in out)
        elif isinstance(out, Iterator):
            return iter([self.keep(one, args) for one in out])
        return out

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note each fetch while it lasts."""
        from torch.overrides import TorchFunctionMode

        class Spy(TorchFunctionMode):
            def __torch_function__(spy, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                kwargs = kwargs or {}
                there = self.note(getattr(func, "__name__", ""), args, kwargs)
                out = func(*args, **kwargs)
                return self.keep(out, args) if there else out

        with Spy():
            yield


def _copied_to_host(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether this is `.to` with the CPU for a target."""
    import torch

    targets = [one for one in (*args[1:], *kwargs.values()) if isinstance(one, str | torch.device)]
    return name == "to" and any(torch.device(one).type == "cpu" for one in targets)


def _words(kwargs: dict[str, Any]) -> str:
    return '.to("cpu", non_blocking=True)' if kwargs.get("non_blocking") else '.to("cpu")'


def train_reading_each(model: Model, batches: Any, optimizer: Any) -> list[float]:
    """A pass that fetches the loss at each step: right, but slow where the device works behind the host's back."""
    from torch.nn import functional as F

    losses = []
    for x, y in batches:
        loss: Tensor = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _a_pass(seed: int, steps: int = 6) -> tuple[Model, Any, list[tuple[Tensor, Tensor]]]:
    """A small model, its optimizer, and batches."""
    import torch

    torch.manual_seed(seed)
    model = torch.nn.Linear(4, 3)
    batches = [(torch.randn(5, 4), torch.randint(0, 3, (5,))) for _ in range(steps)]
    return model, torch.optim.SGD(model.parameters(), lr=0.5), batches


def _trains_without_waiting(ask: Ask, seed: int) -> str:
    model, optimizer, batches = _a_pass(seed)
    right, its_optimizer, _ = _a_pass(seed)
    before, made = deepcopy(model), list[int]()
    optimizer.register_step_post_hook(lambda *_: made.append(1))
    losses = train_reading_each(right, batches, its_optimizer)
    watch = Watch({id(tensor) for batch in batches for tensor in batch})

    def watched() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in batches:
            watch.next_step()
            yield batch
        watch.next_step()

    with watch.watching():
        got = ask(model, watched(), optimizer)
    if 0 < len(made) < len(batches):
        return (f"For {len(batches)} batches {len(made)} {'step is' if len(made) == 1 else 'steps are'} made. The loop "
                "should make one for each, and end by itself.")  # fmt: skip
    return _about_weights(model, right, before) or _about_fetches(watch.fetches) or _about_losses(got, losses)


def _weights(model: Model) -> Any:
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def _about_weights(model: Model, right: Model, before: Model) -> str:
    if np.allclose(_weights(model), _weights(right), atol=1e-6):
        return ""
    if np.array_equal(_weights(model), _weights(before)):
        return "The weights have not changed: is there a step of the optimizer?"
    return ("The model ends with other weights than the loop that reads each loss. Only the reading should change; "
            "forward, zero_grad, backward and step stay as they are.")  # fmt: skip


def _about_fetches(fetches: list[list[str]]) -> str:
    *steps, after = fetches
    early = [(number, names[0]) for number, names in enumerate(steps, 1) if names]
    if early:
        number, name = early[0]
        if "non_blocking" in name:
            return (f"In {len(early)} of {len(steps)} steps a copy to the host is queued ({name}). The host need not "
                    "wait for it, but nothing says when the number has come, and each copy has its fixed cost. Keep "
                    "every loss on the device, and fetch once.")  # fmt: skip
        return (f"In {len(early)} of {len(steps)} steps the host waits for the device, first in step {number} "
                f"({name}). Until the last step is queued, keep every loss on the device.")  # fmt: skip
    if len(after) > 1:
        asks = " `torch.tensor` of a list asks each of its tensors for the number." * ("torch.tensor()" in after)
        return (f"After the last step the host fetches {len(after)} times ({after[0]}), and each fetch has its fixed "
                f"cost.{asks} Make one tensor of all losses, on the device, and fetch that.")  # fmt: skip
    return ""


def _about_losses(got: Any, due: list[float]) -> str:
    if not isinstance(got, list):
        return f"A list of numbers is due, the loss of each step; it returns {called(got)}."
    if len(got) != len(due):
        return f"There were {len(due)} steps, and the list has {len(got)} {'loss' if len(got) == 1 else 'losses'}."
    if not all(isinstance(loss, float) for loss in got):
        return f"The list should hold Python's numbers; its first entry is {called(got[0])}."
    if np.allclose(got, due, rtol=1e-5):
        return ""
    if np.allclose(got, due[-1]):
        return "All entries are the last step's loss: were the losses written into the same tensor?"
    if np.allclose(got, np.cumsum(due), rtol=1e-4):
        return "Each entry is the sum of the losses so far. The loss of each step itself is due."
    return f"The loss of the first step is {due[0]:.6f}, and the list says {got[0]:.6f}."


WAIT_STUB = '''def train(model, batches, optimizer):
    """One pass over the batches; return the loss of every step, as a list of numbers."""
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(...)
    return ...
'''

WAIT = Problem(
    id="14.2",
    title="A loop that never waits",
    task=(
        "With `loss.item()` the host waits in every step until the device is done. Return the same losses with a "
        "single fetch after the last step."
    ),
    spec=(
        "`batches` yields (x, y), which lie on the model's device already. Returns a list of Python numbers. Nothing "
        "else changes: the model ends with the same weights."
    ),
    stub=WAIT_STUB,
    answer="train",
    lines=2,
    hints=(
        "The loss is a tensor with one number, and it lies on the device. It may stay there until you need it.",
        "Collect the tensors, without their record for the backward pass. After the loop make one tensor of them, and "
        "turn that one into a list.",
        "`losses.append(loss.detach())`, and after the loop `torch.stack(___).___()`",
    ),
    solution=WAIT_STUB.replace("append(...)", "append(loss.detach())").replace(
        "return ...", "return torch.stack(losses).tolist()"
    ),
    why=(
        "Nothing in the loop asks for a number, so the host can run ahead and the device always finds work in its "
        "queue. `detach` leaves the record for the backward pass behind, so that the list keeps numbers only."
    ),
    judge=by_probes(("model", "batches", "optimizer"), _trains_without_waiting),
)  # fmt: skip

# -- 14.3 -------------------------------------------------------------------------------------------


def larger_batch(
    n: int, epochs: int, batch: int, rate: float, larger: int, fixed: float, each: float
) -> tuple[int, float, float]:
    """Steps, learning rate and seconds of the same training with a larger batch."""
    steps = epochs * -(-n // larger)
    return steps, rate * larger / batch, steps * fixed + epochs * n * each


LARGER_STUB = '''def larger_batch(n, epochs, batch, rate, larger, fixed, each):
    """Steps in all, learning rate and seconds of the training with batches of `larger`."""
    return ..., ..., ...
'''

LARGER_PARTS: dict[str, tuple[Trap, ...]] = {
    "steps": (
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: -(-n // larger), "These are the steps of one epoch."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * (n // larger),
             "The last batch of an epoch, smaller than the others, is a step, too."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * n / larger, "There is no part of a step: "
             "the last batch of an epoch may be smaller, and counts as one."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: -(-n * epochs // larger),
             "A batch does not reach into the next epoch: round up in each epoch, not once at the end."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * -(-n // batch),
             "These are the steps with the old batch size."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * (n // larger + 1),
             "Where the batches divide the examples evenly, there is no smaller one at the end."),
    ),
    "rate": (
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: rate,
             "With the old rate, fewer steps lead less far: the linear rule makes up for it."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: rate * batch / larger,
             "The rate is turned round: fewer and larger batches allow a larger rate."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: rate * (larger / batch) ** 0.5,
             "The rate is that of the square-root rule. The linear one is asked for here."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: rate * larger,
             "What counts is how many times larger the batch has become."),
    ),
    "seconds": (
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: -(-n // larger) * fixed + n * each,
             "This is the time of one epoch."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * -(-n // larger) * fixed + n * each,
             "The examples are paid for in one epoch only. Each epoch computes with all of them again."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * n * each,
             "Each step has its fixed cost, besides that of its examples."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * -(-n // larger) * fixed,
             "Besides the fixed cost of each step there is that of each example."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * -(-n // larger) * (fixed + larger * each),
             "The last batch of an epoch is smaller, and costs less: each example is paid for once an epoch."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * -(-n // larger) * (fixed + each),
             "`each` is for one example, not for a batch."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * (-(-n // batch) * fixed + n * each),
             "The fixed cost is counted for the steps of the old batch size."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: epochs * (fixed + n * each),
             "The fixed cost is that of a step, not of an epoch."),
        Trap(lambda n, epochs, batch, rate, larger, fixed, each: fixed + epochs * n * each,
             "The fixed cost is that of each step; here it is paid once."),
    ),
}  # fmt: skip


def _trainings() -> list[Case]:
    return [Case(10000, 4, 64, 0.01, 256, 0.002, 0.0001), Case(60000, 3, 32, 0.1, 1000, 0.001, 0.00005),
            Case(1000, 2, 10, 0.05, 300, 0.004, 0.001), Case(100, 5, 4, 0.5, 100, 0.25, 0.125)]  # fmt: skip


LARGER = Problem(
    id="14.3",
    title="What does a larger batch save?",
    task=(
        "A training of `epochs` passes over `n` examples works with batches of `batch` and the learning rate `rate`. "
        "Plan it with batches of `larger`, for as many epochs: how many steps are there in all, which rate does the "
        "linear rule give, and how long will it take?"
    ),
    spec=(
        "A step costs `fixed` seconds, and `each` seconds for each of its examples. The last batch of an epoch may be "
        "smaller. Returns three numbers: steps, rate, seconds."
    ),
    stub=LARGER_STUB,
    answer="larger_batch",
    lines=2,
    hints=(
        "Begin with one epoch: how many batches are there, if the last one may be smaller? The rule for the rate: a "
        "batch four times as large, a rate four times as large.",
        "All examples of an epoch are paid for whatever the batch size. What depends on the number of steps?",
        "`steps = epochs * -(-n // larger)` rounds up; `seconds = steps * ___ + epochs * ___ * each`",
    ),
    solution='''def larger_batch(n, epochs, batch, rate, larger, fixed, each):
    """Steps in all, learning rate and seconds of the training with batches of `larger`."""
    steps = epochs * -(-n // larger)
    return steps, rate * larger / batch, steps * fixed + epochs * n * each
''',
    why=(
        "A larger batch saves fixed costs only, those of launches, of Python, of the optimizer; what the examples cost "
        "remains. So it helps as long as the fixed part is a large one, and no further."
    ),
    judge=by_parts(larger_batch, [_trainings], LARGER_PARTS),
)

# -- 14.4 -------------------------------------------------------------------------------------------

HALF_STUB = '''def half_step(model, optimizer, scaler, x, y, largest):
    """One step with the forward pass in float16; return the loss, a tensor without its record."""
    with torch.autocast(x.device.type, torch.float16):
        loss = F.cross_entropy(model(x), y)
    ...
    return ...
'''
HALF_LINES = """    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()
"""
HALF_SCALE, HALF_LEFT = 1024.0, 512.0     # the scale; what an earlier step has left in each gradient


@dataclass
class _Half:
    """What a step in half precision needs: a model with gradients left over, x and y, and a scaler."""

    model: Model
    optimizer: Any
    scaler: Any
    x: Tensor
    y: Tensor
    largest: float = 0.25

    @property
    def given(self) -> tuple[Any, ...]:
        return self.model, self.optimizer, self.scaler, self.x, self.y, self.largest


def _noting(scale: float) -> Any:
    """A scaler that notes in `log` which of its methods were called, though not what it calls itself."""
    import torch

    class Noting(torch.amp.GradScaler):
        def __init__(self) -> None:
            super().__init__("cpu", init_scale=scale)
            super().scale(torch.ones(()))               # there was a step before this one
            self.log: list[str] = []

        def scale(self, outputs: Any) -> Any:
            self.log.append("scale")
            return super().scale(outputs)

        def unscale_(self, optimizer: Any) -> None:
            if self.log[-1:] != ["step"]:               # `step` calls it, where nobody else has
                self.log.append("unscale_")
            super().unscale_(optimizer)

        def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self.log.append("step")
            return super().step(optimizer, *args, **kwargs)

        def update(self, new_scale: Any = None) -> None:
            self.log.append("update")
            super().update(new_scale)

    return Noting()


def _half(seed: int, overflows: bool = False) -> _Half:
    import torch

    torch.manual_seed(seed)
    model = torch.nn.Linear(5, 3)
    x, y = torch.randn(6, 5) * (2000 if overflows else 3), torch.tensor([0, 1, 2, 2, 1, 0])
    for p in model.parameters():
        p.grad = torch.full_like(p, HALF_LEFT)
    scaler = _noting(HALF_SCALE * (64 if overflows else 1))
    return _Half(model, torch.optim.SGD(model.parameters(), lr=1.0), scaler, x, y)


def _by_hand(half: _Half, clipped: str = "together", factor: float = 1.0, left: float = 0.0) -> Any:
    """The weights after the step, by float32 and NumPy; with `factor` of the gradient, and what was `left` of an older.

    `clipped`: "together", "each" number, "each tensor", "no", or "scaled": by the norm of the scaled gradient.
    """
    from torch.nn import functional as F

    copy = deepcopy(half.model)
    for p in copy.parameters():
        p.grad = None
    loss: Tensor = F.cross_entropy(copy(half.x), half.y)
    loss.backward()
    gradient = np.concatenate([p.grad.numpy().ravel() for p in copy.parameters()]) * factor + left
    norm = float(np.linalg.norm(gradient)) * (HALF_SCALE if clipped == "scaled" else 1.0)
    if clipped == "each":
        gradient = np.clip(gradient, -half.largest, half.largest)
    elif clipped == "each tensor":
        ends = np.cumsum([p.numel() for p in copy.parameters()])[:-1]
        own = np.split(gradient, ends)
        gradient = np.concatenate([g * min(1.0, half.largest / float(np.linalg.norm(g))) for g in own])
    elif clipped != "no":
        gradient = gradient * min(1.0, half.largest / norm)
    return _weights(half.model) - gradient


HALF_TRAPS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"clipped": "scaled"},
     "The weights hardly move. The gradients are clipped while they are still multiplied by the scale, so that what is "
     "left of them is far too short. What undoes the scale?"),
    ({"clipped": "no", "factor": 1 / HALF_SCALE},
     "The weights hardly move: the scaler divides the gradients by a scale by which the loss was never multiplied."),
    ({"clipped": "no", "factor": HALF_SCALE},
     "The step is as many times too long as the scale says: the gradients were multiplied by it, and nobody divided."),
    ({"clipped": "no"}, "The gradients are not clipped before the step: together they are longer than `largest`."),
    ({"clipped": "each"}, "Each number is cut off by itself, which turns the direction. All gradients together have a "
                          "length, and that should be at most `largest`."),
    ({"clipped": "each tensor"},
     "Each parameter's gradient is clipped by itself, so all together they are longer than `largest`, and the "
     "direction turns. Hand all parameters over at once."),
    ({"left": HALF_LEFT / HALF_SCALE}, "The gradients of the step before are still in it: where is `zero_grad`?"),
)  # fmt: skip


def _steps_in_half(ask: Ask, seed: int) -> str:
    half = _half(seed)
    before = _weights(half.model).copy()
    due = _by_hand(half)
    wrong = [(_by_hand(half, **how), message) for how, message in HALF_TRAPS]
    try:
        loss = ask(*half.given)
    except guard.Raised as raised:
        message = _about_order(half.scaler.log) if "No inf checks" in str(raised.error) else ""
        if not message:
            raise
        return message
    after = _weights(half.model)
    if np.array_equal(before, after):
        return ("The weights have not changed. Does the scaler make the optimizer's step, and are the gradients of "
                "this batch still there by then?")  # fmt: skip
    if not _moved_alike(after, due, before):
        if _moved_alike(after, wrong[0][0], before) and (message := _about_twice_divided(half.scaler.log)):
            return message
        found = (message for weights, message in wrong if _moved_alike(after, weights, before))
        return next(found, _about_length(after - before, due - before))
    return _about_half_loss(loss, half, before)


def _about_order(log: list[str]) -> str:
    """Where the scaler has found no gradients."""
    if "update" in log[: log.index("step") if "step" in log else len(log)]:
        return ("`update` ends the step for the scaler, and comes after its `step`. Here the scaler has not yet looked "
                "at any gradient.")  # fmt: skip
    if "unscale_" in log and "scale" in log[log.index("unscale_"):]:
        return "`unscale_` comes before the backward pass: there are no gradients yet that it could divide."
    return ("There are no gradients when the scaler looks for them. Is there a backward pass, and does `zero_grad` "
            "come before it?")  # fmt: skip


def _about_twice_divided(log: list[str]) -> str:
    """The step is as short as if scaled gradients had been clipped: is it for another reason?"""
    if "scale" not in log:
        return ("The weights hardly move. The loss was never multiplied by the scale, and the scaler's `step` divides "
                "the gradients by it.")  # fmt: skip
    if "step" in log and "update" in log[: log.index("step")]:
        return ("The weights hardly move: the gradients are divided by the scale twice. `update` ends the step for the "
                "scaler, which then forgets that it has divided them. It comes after `step`.")  # fmt: skip
    return ""


def _moved_alike(after: Any, due: Any, before: Any) -> bool:
    moved, should = after - before, due - before
    return bool(np.linalg.norm(moved - should) < 0.02 * np.linalg.norm(should))


def _about_length(moved: Any, due: Any) -> str:
    return (f"All weights together should move by {np.linalg.norm(due):.4f}, the largest length allowed, along the "
            f"gradient; they move by {np.linalg.norm(moved):.4f}, or in another direction.")  # fmt: skip


def _about_half_loss(loss: Tensor, half: _Half, before: Any) -> str:
    import torch

    if not isinstance(loss, torch.Tensor):
        return f"The loss should be returned as a tensor, which stays on the device; it returns {called(loss)}."
    if loss.requires_grad:
        return "The returned loss still has its record for the backward pass: `detach` it."
    if loss.ndim == 0 and abs(float(loss)) > 100:
        return "The returned loss is multiplied by the scale. Return the loss itself."
    return ""


def _skips_an_overflow(ask: Ask, seed: int) -> str:
    half = _half(seed, overflows=True)
    before, scale = _weights(half.model).copy(), half.scaler.get_scale()
    ask(*half.given)
    after = _weights(half.model)
    if not half.scaler.log and not np.array_equal(before, after):
        return ("`scaler` is not used. With float16 small gradients become 0 unless the loss is scaled, and a gradient "
                "that overflows reaches the weights, as it does here. Three of its methods should stand in the step, "
                "and a fourth before the clipping.")  # fmt: skip
    if not np.isfinite(after).all():
        return ("A gradient was too large for float16, and now weights are inf or nan: such a step must be left out. "
                "The scaler's own `step` does that.")  # fmt: skip
    if not np.array_equal(before, after):
        return "A gradient was too large for float16, and the weights were changed all the same."
    if half.scaler.get_scale() >= scale:
        return "After a step that had to be left out the scale should be smaller: the scaler must be told, by `update`."
    return ""


HALF = Problem(
    id="14.4",
    title="Seven lines in the right order",
    task=(
        "Complete a training step with the forward pass in float16, a gradient scaler, and all gradients together "
        "clipped to the length `largest`. Gradients of the step before may still be there."
    ),
    spec=(
        "`scaler` is a `torch.amp.GradScaler`. The length is that of the true gradients, not of the scaled ones. A "
        "step whose gradients overflow leaves the weights as they are and makes the scale smaller. Returns the loss."
    ),
    stub=HALF_STUB,
    answer="half_step",
    lines=7,
    hints=(
        "The scale is there for the backward pass only. Everything that looks at the gradients' size must come after "
        "it has been undone.",
        "The scaler has four methods: `scale` for the loss, `unscale_` for the gradients that the optimizer holds, "
        "`step` in the place of the optimizer's own, `update` at the end. Where does the clipping fit in?",
        "`optimizer.zero_grad()`, `scaler.scale(loss).backward()`, `scaler.___(optimizer)`, "
        "`torch.nn.utils.clip_grad_norm_(model.parameters(), largest)`, `scaler.___(optimizer)`, `scaler.___()`",
    ),
    solution=HALF_STUB.replace("    ...\n    return ...\n", HALF_LINES),
    why=(
        "The scale multiplies the gradients, so it must be undone before anything compares their length with a limit. "
        "`scaler.step` leaves a step out whose gradients are inf or nan, and `update` then halves the scale."
    ),
    judge=by_probes(("model", "optimizer", "scaler", "x", "y", "largest"), _steps_in_half, _skips_an_overflow),
)

# -- 14.5 -------------------------------------------------------------------------------------------


def largest_batch(memory: int, parameters: int, moments: int, saved: int, width: int) -> int:
    """The largest batch whose training fits into `memory` bytes."""
    return max(0, (memory - 4 * parameters * (2 + moments)) // (saved * width))


BATCH_STUB = '''def largest_batch(memory, parameters, moments, saved, width):
    """The largest batch whose training fits into `memory` bytes; 0 if none does."""
    return ...
'''

def _networks(rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Three for which some examples fit, and one for which none does."""
    found = []
    drawn = rng.integers((1_000, 0, 100, 2), (90_000, 3, 9_000, 300), (4, 4)).tolist()
    for parameters, moments, saved, examples in drawn:
        width = (2, 4)[saved % 2]
        memory = 4 * parameters * (2 + moments) + examples * saved * width + saved
        found.append((memory, parameters, moments, saved, width))
    memory, *rest = found[0]
    return [*found[1:], (memory // 1_000, *rest)]


BATCH = Problem(
    id="14.5",
    title="How large a batch fits?",
    task=(
        "A network has `parameters` weights; its optimizer keeps `moments` further numbers for each of them, and the "
        "forward pass saves `saved` numbers for each example. How many examples may a batch have at most?"
    ),
    spec=(
        "`memory` is in bytes. Weights, their gradients and the optimizer's numbers are float32; a saved number takes "
        "`width` bytes. Returns a whole number, and 0 where not even one example fits."
    ),
    stub=BATCH_STUB,
    answer="largest_batch",
    lines=1,
    hints=(
        "What does the batch size change, and what is there whatever its size?",
        "For each weight there are the weight itself, its gradient, and `moments` more. What they leave of the memory "
        "is for the examples.",
        "`max(0, (memory - 4 * parameters * (___)) // (saved * ___))`",
    ),
    solution=BATCH_STUB.replace("...", "max(0, (memory - 4 * parameters * (2 + moments)) // (saved * width))"),
    why=(
        "Weights, gradients and the optimizer's numbers are there once, however large the batch; the saved numbers are "
        "there for each example. In small networks for pictures nearly all memory is of the second kind."
    ),
    judge=by_cases(
        largest_batch,
        [(16 * 2**30, 25_557_032, 2, 11_000_000, 4), (10_000_000, 100_000, 2, 20_000, 4),
         (10_000_000, 100_000, 0, 20_000, 4), (10_000_000, 100_000, 1, 30_000, 2),
         (1_000_000, 20_000, 2, 7_000, 4), (8_000_000, 90_000, 1, 33_000, 2),
         Case(1_000_000, 62_500, 2, 100, 4, about="the weights and what belongs to them fill the memory exactly"),
         Case(1_000_000, 90_000, 2, 100, 4, about="not even the weights and what belongs to them fit"),
         Case(40 + 800, 1, 8, 100, 4, about="exactly two examples fit")],
        hidden=_networks,
        traps=(
            Trap(lambda m, p, k, s, w: (m - 4 * p * (2 + k)) // (s * w),
                 "Nothing fits, and the answer is negative: it should be 0."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * p * (1 + k)) // (s * w)),
                 "For each weight there are the weight, its gradient and `moments` numbers; you count one less."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * p * k) // (s * w)),
                 "The weights themselves and their gradients take memory, besides the optimizer's numbers."),
            Trap(lambda m, p, k, s, w: max(0, (m - 8 * p) // (s * w)),
                 "The optimizer's numbers are forgotten."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * p) // (s * w)),
                 "Only the weights are counted: what else is there for each weight while the network is trained?"),
            Trap(lambda m, p, k, s, w: max(0, m // (s * w)),
                 "The saved numbers do not have the memory for themselves: weights, gradients and moments are there."),
            Trap(lambda m, p, k, s, w: max(0, (m - p * (2 + k)) // (s * w)),
                 "A float32 number has four bytes: `parameters` counts numbers, `memory` bytes."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * p * (2 + k)) // s),
                 "`saved` counts numbers, and each takes `width` bytes."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * p * (2 + k)) // (s * 4)),
                 "A saved number takes `width` bytes, which need not be 4."),
            Trap(lambda m, p, k, s, w: max(0, (m - w * p * (2 + k)) // (s * w)),
                 "`width` is for the saved numbers only. Weights, gradients and moments stay in float32."),
            Trap(lambda m, p, k, s, w: max(0, -(-(m - 4 * p * (2 + k)) // (s * w))),
                 "You round up: the last example does not fit."),
            Trap(lambda m, p, k, s, w: max(0, round((m - 4 * p * (2 + k)) / (s * w))),
                 "You round to the nearest number: where that is the larger one, the last example does not fit. Round "
                 "down."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * (2 * p + k)) // (s * w)),
                 "`moments` numbers are there for each weight, not once."),
            Trap(lambda m, p, k, s, w: max(1, (m - 4 * p * (2 + k)) // (s * w)),
                 "Where not even one example fits it should be 0, not 1."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * p * (2 + k)) / (s * w)),
                 "There is no part of an example: round down."),
            Trap(lambda m, p, k, s, w: max(0, m // (4 * p * (2 + k) + s * w)),
                 "The weights are there once, not once for each example: take them off before you divide."),
            Trap(lambda m, p, k, s, w: max(0, (m - 4 * p * (3 + k)) // (s * w)),
                 "For each weight there are the weight, its gradient and `moments` numbers; you count one more."),
        ),
    ),
)  # fmt: skip

# -- 14.6 -------------------------------------------------------------------------------------------

TOWERS = ((7, 3), (7, 2), (6, 3), (4, 6))      # blocks, and of how many a group is


@dataclass
class _Tower:
    """Blocks that count their calls, an input, and what is known: the output and the gradients without recomputing."""

    every: int
    blocks: list[Model]
    calls: list[int]
    x: Tensor
    due: Tensor
    gradients: list[Tensor]


def _tower(seed: int, n: int, every: int) -> _Tower:
    import torch

    torch.manual_seed(seed)
    calls = [0] * n

    class Block(torch.nn.Module):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number, self.linear = number, torch.nn.Linear(5, 5)

        def forward(self, x: Tensor) -> Tensor:
            calls[self.number] += 1
            return torch.tanh(self.linear(x)) * 1.5

    blocks, x = [Block(number) for number in range(n)], torch.randn(4, 5)
    due: Tensor = x
    for block in blocks:
        due = block(due)
    size: Tensor = due.square().sum()
    size.backward()
    gradients = [block.linear.weight.grad for block in blocks]
    for block in blocks:
        block.zero_grad()
    calls[:] = [0] * n
    return _Tower(every, list(blocks), calls, x, due.detach(), gradients)


def _recomputes(ask: Ask, seed: int) -> str:
    return next(filter(None, (_about_tower(ask, _tower(seed, *size)) for size in TOWERS)), "")


def _about_tower(ask: Ask, tower: _Tower) -> str:
    import torch

    saved = []

    def note(tensor: Tensor) -> Tensor:
        if tensor.numel():      # PyTorch 2.11's `checkpoint` saves an empty one with each group
            saved.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        got = ask(tower.blocks, tower.x, tower.every)
    return _about_output(tower, got) or _about_saved(tower, len(saved), got, ask) or _about_backward(tower, got, ask)


def _about_output(tower: _Tower, got: Any) -> str:
    import torch

    if not isinstance(got, torch.Tensor):
        return f"The output of the last block is due, a tensor; it returns {called(got)}."
    twice = [number for number, calls in enumerate(tower.calls) if calls != 1]
    n = len(tower.blocks)
    if twice and twice == list(range(tower.every**2, n)):
        return (f"With {n} blocks and every={tower.every} only the first {tower.every**2} blocks run: {tower.every} "
                f"groups of {tower.every}. `every` says how many blocks a group has, not how many groups there "
                "are.")  # fmt: skip
    if twice:
        return (f"With every={tower.every} the forward pass should go through each of the {n} blocks once; block "
                f"{twice[0]} was called {tower.calls[twice[0]]} times.")  # fmt: skip
    if got.shape != tower.due.shape or not torch.allclose(got, tower.due, atol=1e-6):
        return "The output differs from that of the blocks one after the other."
    if not got.requires_grad:
        return ("No gradient can come back: the blocks ran without any record (`no_grad`, or `use_reentrant=True` with "
                "an input that needs no gradient).")  # fmt: skip
    return ""


def _about_saved(tower: _Tower, saved: int, got: Tensor, ask: Ask) -> str:
    n, every = len(tower.blocks), tower.every
    groups = -(-n // every)
    if saved == groups:
        return ""
    if saved == 0:
        return ("Not even the inputs of the groups are saved where autograd could see it: `use_reentrant=True` keeps "
                "them by itself and finds no gradient for an input that needs none. Take "
                "use_reentrant=False.")  # fmt: skip
    if saved == 1:
        return ("All blocks are one group: for the backward pass everything is computed again, and is there at the "
                f"same time. The groups should have {every} blocks here.")  # fmt: skip
    if saved == n:
        return f"Each block is a group of its own: {n} inputs are kept; with groups of {every} it would be {groups}."
    counted = f"{n} blocks in groups of {every} make {groups} groups, so {groups} tensors should be saved, their inputs"
    if saved < groups:
        asks = ("`every` says how many blocks a group has, not how many groups there are."
                if saved == every else "How many blocks has each of your groups?")  # fmt: skip
        return f"{counted}; only {saved} are. {asks}"
    return f"{counted}; {saved} are. {_not_again(tower, got, ask)}"


def _not_again(tower: _Tower, got: Tensor, ask: Ask) -> str:
    """Which blocks the backward pass does not compute again."""
    ask.inside(lambda: got.square().sum().backward(), f"the backward pass through {ask.name}")
    n, once = len(tower.blocks), [number for number, calls in enumerate(tower.calls) if calls == 1]
    if len(once) == n:
        return "In the backward pass no block is computed again. What makes PyTorch forget and compute again?"
    if once and once == list(range(once[0], n)):
        return (f"The backward pass does not compute {_blocks(once)} again: the last group should be recomputed, too. "
                "(`checkpoint_sequential` leaves it out.)")  # fmt: skip
    if once:
        return f"The backward pass does not compute {_blocks(once)} again."
    return "What else is kept? The backward pass computes each block again."


def _blocks(numbers: list[int]) -> str:
    return f"block{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _about_backward(tower: _Tower, got: Tensor, ask: Ask) -> str:
    import torch

    try:
        ask.inside(lambda: got.square().sum().backward(), f"the backward pass through {ask.name}")
    except guard.Raised:
        if max(tower.calls) <= 2:
            raise
    if tower.calls != [2] * len(tower.blocks):
        return ("In the backward pass each block should be computed once more. They were called "
                f"{', '.join(map(str, tower.calls))} times in all: does each group recompute its own blocks? A "
                "function that is called later sees the loop's variables as they are then.")  # fmt: skip
    found = [block.linear.weight.grad for block in tower.blocks]
    for number, (grad, due) in enumerate(zip(found, tower.gradients, strict=True)):
        if grad is None or not torch.allclose(grad, due, atol=1e-5):
            return f"The gradient of block {number} differs from that without recomputing."
    return ""


RECOMPUTE_STUB = '''def recompute(blocks, x, every):
    """The output of all blocks, one after the other; only the inputs of groups of `every` blocks are kept."""
    return ...
'''

RECOMPUTE = Problem(
    id="14.6",
    title="Keep little, compute again",
    task=(
        "Apply the blocks one after the other, so that the forward pass keeps only the input of each group of `every` "
        "blocks, and the backward pass computes the rest again."
    ),
    spec=(
        "`blocks` is a list of modules; the last group may be smaller. Output and gradients are those of the blocks "
        "without recomputing; `x` itself needs no gradient."
    ),
    stub=RECOMPUTE_STUB,
    answer="recompute",
    lines=4,
    hints=(
        "`torch.utils.checkpoint.checkpoint(f, x, use_reentrant=False)` is f(x), and keeps x only. What is f for a "
        "group of blocks?",
        "`torch.nn.Sequential(*some)` makes one module of some blocks. Go through the list in steps of `every`; the "
        "output of a group is the input of the next.",
        "`for i in range(0, len(blocks), every):` and in it "
        "`x = torch.utils.checkpoint.checkpoint(torch.nn.Sequential(*blocks[___ : ___]), x, use_reentrant=False)`",
    ),
    solution='''def recompute(blocks, x, every):
    """The output of all blocks, one after the other; only the inputs of groups of `every` blocks are kept."""
    for i in range(0, len(blocks), every):
        group = torch.nn.Sequential(*blocks[i : i + every])
        x = torch.utils.checkpoint.checkpoint(group, x, use_reentrant=False)
    return x
''',
    why=(
        "A group's input is enough to compute everything within it again when its backward pass comes. Then one "
        "group's activations are there at a time, for the price of a second forward pass."
    ),
    judge=by_probes(("blocks", "x", "every"), _recomputes),
)

# -- 14.7 -------------------------------------------------------------------------------------------


def _network(seed: int) -> Model:
    """Layers of very different scale, so that a threshold for each layer is not one for all."""
    import torch

    torch.manual_seed(seed)
    model: Model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(16, 10), torch.nn.ReLU(), torch.nn.Linear(10, 4),
    )
    with torch.no_grad():
        for layer, scale in ((0, 3.0), (4, 0.5), (6, 1.0)):
            model[layer].weight.normal_(0, scale)
            model[layer].bias.normal_(0, 0.05)
        model[1].weight.fill_(0.01)
    return model


def _matrices(model: Model) -> dict[str, Any]:
    return {name: p.detach().numpy() for name, p in model.named_parameters() if p.ndim > 1}


def _kept(sizes: dict[str, Any], share: float, largest: bool = False) -> dict[str, Any]:
    """Which weights stay when the share of the smallest `sizes` goes, of all arrays together."""
    flat = np.sort(np.concatenate([a.ravel() for a in sizes.values()]))
    gone = int(share * len(flat))
    if largest:
        return {name: a < flat[len(flat) - gone] for name, a in sizes.items()}
    return {name: a >= flat[gone] for name, a in sizes.items()}


def _kept_by_layer(sizes: dict[str, Any], share: float) -> dict[str, Any]:
    return {name: _kept({name: a}, share)[name] for name, a in sizes.items()}


def _sizes(matrices: dict[str, Any]) -> dict[str, Any]:
    return {name: abs(a) for name, a in matrices.items()}


PRUNE_TRAPS: tuple[tuple[Callable[[Model, float], dict[str, Any]], str], ...] = (
    (lambda model, share: _kept_by_layer(_sizes(_matrices(model)), share),
     "Each layer loses the same share of its weights. The threshold should be one for all layers together, so that a "
     "layer of small weights loses more of them."),
    (lambda model, share: _kept(_matrices(model), share),
     "The most negative weights are gone, whatever their size: magnitude is the absolute value."),
    (lambda model, share: _kept(_sizes(_matrices(model)), share, largest=True),
     "The largest weights are gone. The smallest ones should go."),
    (lambda model, share: _kept(_sizes(_matrices(model)), 1 - share),
     "As large a share has been kept as should have gone: `share` is the share that becomes 0."),
    (lambda model, share: _kept(_sizes({n: p.detach().numpy() for n, p in model.named_parameters()}), share),
     "The threshold was found with the biases or the batch normalization among the numbers. They are not in the game: "
     "weights here are parameters with two axes or more."),
    (lambda model, share: {name: abs(a) >= share * max(abs(b).max() for b in _matrices(model).values())
                           for name, a in _matrices(model).items()},
     "The threshold is a share of the largest weight. It should be such that a share of the *number* of weights lies "
     "below it."),
    (lambda model, share: {name: abs(a) >= share for name, a in _matrices(model).items()},
     "`share` itself was taken as the threshold. A share of the *number* of weights should lie below it."),
    (lambda model, share: {name: np.ones(a.shape, bool) for name, a in _matrices(model).items()}
                          | _kept({name: abs(a) for name, a in _matrices(model).items() if a.ndim == 2}, share),
     "Only the linear layers have been pruned. A convolution's weight has four axes, and is one of the weights, too."),
)  # fmt: skip


def _prunes(ask: Ask, seed: int) -> str:
    for share in (0.25, 0.5, 0.75, 0.3):       # the last one of 236 weights is 70.8
        model = _network(seed)
        before = deepcopy(model)
        got = ask(model, share)
        message = _about_pruned(model, before, share) or _about_masks(got, before, share)
        if message:
            return message
    return ""


def _about_pruned(model: Model, before: Model, share: float) -> str:
    others = [name for (name, p), q in zip(model.named_parameters(), before.parameters(), strict=True)
              if p.ndim == 1 and not bool((p == q).all())]  # fmt: skip
    if others:
        return f"`{others[0]}` has changed. It has one axis: a bias, or a weight of a batch normalization. Those stay."
    if all(p.requires_grad for p in before.parameters()) and not all(p.requires_grad for p in model.parameters()):
        return "Some parameters no longer ask for a gradient: the network could not be trained further."
    new, old = _matrices(model), _matrices(before)
    due = _kept(_sizes(old), share)
    if all(np.array_equal(new[name], old[name] * due[name]) for name in old):
        return ""
    if all(np.array_equal(new[name], old[name]) for name in old):
        return ("The model's weights are unchanged. Set them to 0 in the model itself, in place: `p = p * mask` only "
                "gives another tensor the name p.")  # fmt: skip
    return _about_wrong_weights(new, before, due, share)


def _about_wrong_weights(new: dict[str, Any], before: Model, due: dict[str, Any], share: float) -> str:
    old = _matrices(before)
    for trap, message in PRUNE_TRAPS:
        kept = trap(before, share)
        if all(np.array_equal(new[name], old[name] * kept[name]) for name in old):
            return message
    if all(np.array_equal(new[name], old[name] * ~due[name]) for name in old):
        return "The masks are applied the wrong way round: the small weights are kept, and the large ones are 0."
    total, zeros = sum(a.size for a in new.values()), sum(int((a == 0).sum()) for a in new.values())
    if zeros == sum(int((~mask).sum()) for mask in due.values()):
        return f"{zeros} of {total} weights are 0, as many as should be, but not the smallest, or others changed."
    due_zeros = int(share * total)
    why = {due_zeros + 1: f" {share} · {total} is {share * total:.4g}, of which `int` keeps the whole part.",
           due_zeros - 1: " Should the weight at the threshold stay, or go?"}  # fmt: skip
    return f"With share {share}, {due_zeros} of {total} weights should be 0, and {zeros} are.{why.get(zeros, '')}"


def _about_masks(got: Any, before: Model, share: float) -> str:
    import torch

    if not isinstance(got, dict):
        return f"The weights are right. A dict of masks is due, name -> tensor; it returns {called(got)}."
    due = _kept(_sizes(_matrices(before)), share)
    if set(got) != set(due):
        return f"The dict of masks should have the keys {', '.join(due)}; it has {', '.join(map(str, got)) or 'none'}."
    for name, mask in got.items():
        if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
            return f"The mask of `{name}` should be a tensor of True and False; it is {_described(mask)}."
        if np.array_equal(mask.numpy(), ~due[name]):
            return "The weights are right, but the masks say True where a weight has gone. True means: it stays."
        if not np.array_equal(mask.numpy(), due[name]):
            return f"The weights are right, but the mask of `{name}` does not say where they stay."
    return ""


def _described(value: Any) -> str:
    return f"a tensor of {value.dtype}" if hasattr(value, "dtype") else called(value)


PRUNE_STUB = '''def prune(model, share):
    """Set the smallest weights of all layers to 0, in place; return the masks of those that stay."""
    return ...
'''

PRUNE = Problem(
    id="14.7",
    title="The smallest weights go",
    task=(
        "Set the `share` of the weights whose magnitude is smallest to 0, with one threshold for all layers together. "
        "Return for each layer's weight a mask that says which of its numbers stay."
    ),
    spec=(
        "Weights are the parameters with two axes or more; biases and normalizations stay. `int(share * n)` of all n "
        "weights go, at least one and not all; no two have the same magnitude. Returns a dict: name -> tensor of bool."
    ),
    stub=PRUNE_STUB,
    answer="prune",
    lines=8,
    hints=(
        "First one long tensor of all magnitudes. Which of them, in order of size, is the largest that goes?",
        "`model.named_parameters()` gives names and parameters; `kthvalue(k)` of a flat tensor gives its k-th smallest "
        "number. Change a parameter within `torch.no_grad()`, in place.",
        "`threshold = torch.cat([p.abs().flatten() for p in weights.values()]).kthvalue(___).values`, then "
        "`masks = {name: p.abs() > ___ ...}` and `p *= masks[name]`",
    ),
    solution='''def prune(model, share):
    """Set the smallest weights of all layers to 0, in place; return the masks of those that stay."""
    weights = {name: p for name, p in model.named_parameters() if p.ndim > 1}
    with torch.no_grad():
        sizes = torch.cat([p.abs().flatten() for p in weights.values()])
        threshold = sizes.kthvalue(int(share * len(sizes))).values
        masks = {name: p.abs() > threshold for name, p in weights.items()}
        for name, p in weights.items():
            p *= masks[name]
    return masks
''',
    why=(
        "One threshold lets the layers compete: where weights are small or plenty, more of them go. The masks are "
        "needed if the network is trained further, since the optimizer would move the zeros again."
    ),
    judge=by_probes(("model", "share"), _prunes),
)

PROBLEMS = (TIME, WAIT, LARGER, HALF, BATCH, RECOMPUTE, PRUNE)
