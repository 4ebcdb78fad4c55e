"""The rungs of lesson 14: one training, from the textbook's loop to a graph of a whole epoch, one change a rung.

A rung is a generator of a `Task`. It prepares and yields its network; then it trains an epoch and yields it again, and
so on. Who drives it (`benchmarks.training.train`) times what lies between two yields, and tests the network meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gpucourse.data.batches import MEAN, SPREAD, Batches, tensors
from gpucourse.data.images import ImageSet, Labeled
from gpucourse.models.cnn import DigitsCNN, Textbook
from gpucourse.schedules import one_cycle

Objective = Callable[[Tensor, Tensor], Tensor]   # a batch's inputs and targets -> its loss


@dataclass(frozen=True)
class Task:
    """What is to be learned, up to which test accuracy, where, and the numbers that the rungs leave as they are."""

    data: ImageSet
    goal: float
    device: torch.device
    size: int = 256              # of a large batch
    epochs: int = 4              # of one cycle
    rate: float = 0.01           # its largest
    width: int = 16              # channels of the small network's first block
    textbook_epochs: int = 30    # at most
    falls_every: int = 6         # epochs: the example's rate falls every 60,000 pictures, MNIST's epoch
    losses: list[float] = field(default_factory=list)   # that the host has read

    def short(self, batches: int = 2) -> Task:
        """Return the same task with few pictures and one epoch: it warms up, compiles, and is forgotten."""
        few = Labeled(*(x[: batches * self.size] for x in (self.data.train.images, self.data.train.labels)))
        return replace(self, data=replace(self.data, train=few), epochs=1, textbook_epochs=1, losses=[])


class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Pictures on the host, each made a normalized tensor when it is asked for, as in torchvision's MNIST."""

    def __init__(self, labeled: Labeled) -> None:
        from torchvision import transforms

        self.labeled = labeled
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (SPREAD,))])

    def __len__(self) -> int:
        return len(self.labeled)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(self.labeled.images[i]), int(self.labeled.labels[i])


# --- by the book: small batches, Adadelta, a rate that falls step by step ---------------------------------


def textbook(task: Task) -> Iterator[nn.Module]:
    """PyTorch's MNIST example: each picture is prepared anew in each epoch, and every tenth loss is read."""
    on_gpu = {"num_workers": 1, "persistent_workers": True, "pin_memory": True} if task.device.type == "cuda" else {}
    loader = torch.utils.data.DataLoader(Pictures(task.data.train), batch_size=64, shuffle=True, **on_gpu)
    return by_the_book(task, Textbook(), loader)


def data_on_the_device(task: Task) -> Iterator[nn.Module]:
    """All pictures are normalized once and stay on the device, where batches are gathered."""
    return by_the_book(task, Textbook(), Batches(*tensors(task.data.train, task.device), 64))


def one_read_an_epoch(task: Task) -> Iterator[nn.Module]:
    """The losses stay on the device until the epoch is over: the host does not wait, and queues what comes next."""
    return by_the_book(task, Textbook(), Batches(*tensors(task.data.train, task.device), 64), read_every=None)


def small_network(task: Task) -> Iterator[nn.Module]:
    """Pools early, normalizes batches, has few parameters: less work for a picture, and fewer epochs."""
    batches = Batches(*tensors(task.data.train, task.device), 64)
    return by_the_book(task, DigitsCNN(task.width), batches, read_every=None)


def by_the_book(
    task: Task, network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], read_every: int | None = 10
) -> Iterator[nn.Module]:
    """The loop of PyTorch's MNIST example. `read_every=None`: the losses are read once, after the epoch."""
    network = network.to(task.device)
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=task.falls_every, gamma=0.7)
    yield network
    for _ in range(task.textbook_epochs):
        losses = []
        network.train()
        for number, (inputs, targets) in enumerate(batches):
            inputs, targets = inputs.to(task.device), targets.to(task.device)   # does nothing where they are there
            optimizer.zero_grad()
            loss = F.cross_entropy(network(inputs), targets)
            loss.backward()
            optimizer.step()
            if read_every is None:
                losses.append(loss.detach())
            elif number % read_every == 0:
                task.losses.append(loss.item())
        task.losses.extend(torch.stack(losses).tolist() if losses else [])
        schedule.step()
        yield network


# --- in one cycle: large batches, Adam, a rate that rises and falls to 0 ---------------------------------


def large_batches(task: Task) -> Iterator[nn.Module]:
    """Fewer, larger steps keep the device busy; one cycle of the learning rate needs fewer epochs."""
    network = DigitsCNN(task.width).to(task.device)
    batches = Batches(*tensors(task.data.train, task.device), task.size, drop_last=True)
    return in_one_cycle(task, network, partial(loss_of, network), batches)


def channels_last(task: Task) -> Iterator[nn.Module]:
    """A pixel's channels lie side by side in memory, as the fast convolutions read them."""
    network = _fast_network(task)
    return in_one_cycle(task, network, partial(loss_of, network), _fast_batches(task))


def bfloat16(task: Task) -> Iterator[nn.Module]:
    """Convolutions and products compute in 16 bits; weights, normalization and loss stay float32."""
    network = _fast_network(task)
    return in_one_cycle(task, network, partial(loss_of, network, precision=torch.bfloat16), _fast_batches(task))


def compiled(task: Task) -> Iterator[nn.Module]:
    """`torch.compile` makes few kernels of many: what follows a convolution is read and written once."""
    network, batches = _fast_network(task), _fast_batches(task)
    objective = torch.compile(partial(loss_of, network, precision=torch.bfloat16))
    with as_it_was(network):
        objective(batches.inputs[: task.size], batches.targets[: task.size]).backward()   # compiles here
    return in_one_cycle(task, network, objective, batches)


def loss_of(
    network: nn.Module, inputs: Tensor, targets: Tensor, precision: torch.dtype = torch.float32
) -> Tensor:
    """Return the loss of a batch, by autocast in another precision than float32."""
    with torch.autocast(inputs.device.type, precision, enabled=precision is not torch.float32):
        return F.cross_entropy(network(inputs), targets)


def in_one_cycle(task: Task, network: nn.Module, objective: Objective, batches: Batches) -> Iterator[nn.Module]:
    """A loop with Adam whose rate rises and falls once; the losses are read once an epoch."""
    optimizer = torch.optim.Adam(network.parameters())
    yield network
    for rates in _rates(task, len(batches)):
        losses = []
        network.train()
        for rate, (inputs, targets) in zip(rates, batches, strict=True):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            loss = objective(inputs, targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        task.losses.extend(torch.stack(losses).tolist())
        yield network


def _rates(task: Task, steps: int) -> list[list[float]]:
    """The learning rate of each step of each epoch."""
    factor, total = one_cycle(), task.epochs * steps
    rates = [task.rate * factor(step / total) for step in range(total)]
    return [rates[epoch * steps :][:steps] for epoch in range(task.epochs)]


def _fast_network(task: Task) -> nn.Module:
    return DigitsCNN(task.width).to(task.device, memory_format=torch.channels_last)


def _fast_batches(task: Task) -> Batches:
    inputs, targets = tensors(task.data.train, task.device)
    return Batches(inputs.to(memory_format=torch.channels_last), targets, task.size, drop_last=True)


# --- one graph an epoch ------------------------------------------------------------------------------------


def one_graph_an_epoch(task: Task) -> Iterator[nn.Module]:
    """All steps of an epoch are recorded once as a CUDA graph; then the host launches it once an epoch."""
    network, batches = _fast_network(task), _fast_batches(task)
    objective = torch.compile(partial(loss_of, network, precision=torch.bfloat16))
    steps, device = len(batches), task.device
    order, rate = torch.arange(steps * task.size, device=device), torch.zeros((), device=device)
    rates, losses = torch.zeros(steps, device=device), torch.zeros(steps, device=device)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, fused=True, capturable=device.type == "cuda")

    def epoch() -> None:
        for step, chosen in enumerate(order.split(task.size)):
            rate.copy_(rates[step])
            optimizer.zero_grad()
            loss = objective(batches.inputs[chosen], batches.targets[chosen])
            loss.backward()
            optimizer.step()
            losses[step] = loss.detach()

    with as_it_was(network, optimizer):
        launch = graph_of(epoch)
    yield network
    for now in _rates(task, steps):                         # a graph reads and writes fixed addresses: fill, launch
        rates.copy_(torch.tensor(now))
        order.copy_(torch.randperm(len(batches.inputs), device=device)[: len(order)])
        launch()
        task.losses.extend(losses.tolist())
        yield network


def graph_of(work: Callable[[], object]) -> Callable[[], object]:
    """Return the launch of a CUDA graph of `work`, which is called before: there it compiles and allocates."""
    side = torch.cuda.Stream()                              # capturing refuses the default stream
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


@contextmanager
def as_it_was(network: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Iterator[None]:
    """Put back, in place, what trial steps change: weights, running means, gradients, the optimizer's memory."""
    before = [value.clone() for value in network.state_dict().values()]
    yield
    network.zero_grad()
    for value, kept in zip(network.state_dict().values(), before, strict=True):
        value.copy_(kept)
    for memory in optimizer.state.values() if optimizer else ():
        for value in memory.values():
            value.zero_()


@dataclass(frozen=True)
class Rung:
    """A loop; whether it leaves out an epoch's last, smaller batch; whether it needs a GPU."""

    loop: Callable[[Task], Iterator[nn.Module]]
    whole_batches: bool = False
    needs_gpu: bool = False

    def images(self, task: Task) -> int:
        """The number of images in an epoch."""
        n = len(task.data.train)
        return n // task.size * task.size if self.whole_batches else n


#: Each differs from the one before in what its name says.
RUNGS: dict[str, Rung] = {
    "textbook": Rung(textbook),
    "data on the device": Rung(data_on_the_device),
    "one read an epoch": Rung(one_read_an_epoch),
    "small network": Rung(small_network),
    "large batches, one cycle": Rung(large_batches, whole_batches=True),
    "channels last": Rung(channels_last, whole_batches=True),
    "bfloat16": Rung(bfloat16, whole_batches=True),
    "compiled": Rung(compiled, whole_batches=True),
    "one graph an epoch": Rung(one_graph_an_epoch, whole_batches=True, needs_gpu=True),
}
