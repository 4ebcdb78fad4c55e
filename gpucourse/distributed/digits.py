"""What each process of a distributed training runs: DigitsCNN on the digits, each process its share of every batch.

    torchrun --nproc-per-node 2 -m gpucourse.distributed.digits --steps 100 --out run

and on two machines with eight GPUs each, on both of them:

    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint FIRST_MACHINE:29500 \\
        -m gpucourse.distributed.digits --steps 100 --out run

Nothing in here changes with the number of machines: `torchrun` tells each process its place by environment variables.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from gpucourse import checkpoint
from gpucourse.backend import torch_gpus
from gpucourse.data.batches import tensors
from gpucourse.data.images import digits
from gpucourse.distributed.launching import end_with_launcher
from gpucourse.errors import CourseError
from gpucourse.models.cnn import DigitsCNN

WARM = 3                       # steps before the clock starts
NORMS = ("none", "own", "all")   # batch normalization: without it, by each process's share, by the whole batch


@dataclass(frozen=True)
class Place:
    """Which process this is: `rank` of `world`, `local` on this machine, and the device that it computes on."""

    rank: int
    local: int
    world: int
    device: torch.device


def place() -> Place:
    """Read the place from the environment that `torchrun` set. Raises CourseError without one.

    The device is the GPU with the local number if this machine has one for each of its processes, and else the CPU.
    """
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    if missing := [name for name in names if name not in os.environ]:
        raise CourseError(f"{', '.join(missing)} not in the environment: start this by torchrun --nproc-per-node 2 -m "
                          "gpucourse.distributed.digits, or by launch(2, ...)")  # fmt: skip
    rank, local, world, here = (int(os.environ[name]) for name in names)
    has_gpus = torch_gpus() >= here
    return Place(rank, local, world, torch.device("cuda", local) if has_gpus else torch.device("cpu"))


@contextmanager
def joined() -> Iterator[Place]:
    """Join the other processes: NCCL between GPUs, gloo between CPUs. Leave them at the end."""
    mine = place()
    if mine.device.type == "cuda":
        torch.cuda.set_device(mine.device)
        dist.init_process_group("nccl", device_id=mine.device)
    else:
        dist.init_process_group("gloo")
    try:
        yield mine
    finally:
        dist.destroy_process_group()


def whole_batches(count: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Yield the rows of each batch, without end: the same in every process, for all draw with the same seed."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(count, generator=generator)[: count - count % batch].split(batch)


def share(rows: Tensor, rank: int, world: int) -> Tensor:
    """Return this process's rows of a batch. Raises CourseError for shares of unequal size.

    DDP takes the plain mean of the processes' gradients: with unequal shares it is not the gradient of the batch.
    """
    if len(rows) % world:
        raise CourseError(f"a batch of {len(rows)} cannot be shared equally by {world} processes; "
                          f"take {len(rows) // world * world or world}")  # fmt: skip
    return rows[rank::world]


def average_gradients(model: nn.Module, world: int) -> None:
    """Give every process the mean of all processes' gradients. DDP does this, too, but beside the backward pass."""
    for weight in model.parameters():
        dist.all_reduce(weight.grad)   # afterwards each process has the sum
        weight.grad /= world


def network(width: int, norm: str, mine: Place) -> nn.Module:
    """Return DigitsCNN on this process's device. Raises CourseError for what there is no such normalization on."""
    model: nn.Module = DigitsCNN(width, norm=norm != "none")
    if norm == "all":
        if mine.device.type == "cpu":
            raise CourseError("--norm all: PyTorch's SyncBatchNorm needs GPUs; take --norm own or none")
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model.to(mine.device)


def train(model: nn.Module, images: Tensor, labels: Tensor, mine: Place, *, batch: int = 128, steps: int = 50,
          rate: float = 0.1, seed: int = 0, by_hand: bool = False) -> dict[str, Any]:  # fmt: skip
    """Train in place with SGD; return the losses of the whole batches, gradient norms, and images/s of all together.

    `by_hand`: average the gradients by `average_gradients` in place of DistributedDataParallel.
    """
    gpu = [mine.local] if mine.device.type == "cuda" else None
    parallel = model if by_hand else DistributedDataParallel(model, device_ids=gpu)
    optimizer = torch.optim.SGD(model.parameters(), rate)
    losses, norms, began = [], [], time.perf_counter()
    for step, rows in zip(range(steps), whole_batches(len(images), batch, seed), strict=False):
        if step == WARM:
            began = _together(mine)
        own = share(rows, mine.rank, mine.world)
        loss = F.cross_entropy(parallel(images[own]), labels[own])
        optimizer.zero_grad()
        loss.backward()                # DDP: afterwards every process has the mean of all gradients
        if by_hand:
            average_gradients(model, mine.world)
        optimizer.step()
        losses.append(loss.detach())
        norms.append(nn.utils.get_total_norm([weight.grad for weight in model.parameters()]))
    seconds = _together(mine) - began
    every = torch.stack(losses)
    dist.all_reduce(every)             # the sum over the processes
    return {"losses": (every / mine.world).tolist(), "gradient_norms": torch.stack(norms).tolist(),
            "images_per_second": batch * max(steps - WARM, 0) / seconds}  # fmt: skip


def _together(mine: Place) -> float:
    """The time when all processes and their devices have come this far."""
    dist.barrier(device_ids=[mine.local] if mine.device.type == "cuda" else None)
    if mine.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def main(arguments: list[str] | None = None) -> None:
    """Train as the command line says; rank 0 writes OUT/checkpoint.pt and OUT/report.json."""
    asked = _asked(arguments)
    end_with_launcher()
    with joined() as mine:
        checkpoint.seed_all(asked.seed)               # the same weights everywhere; DDP sends rank 0's to all besides
        dtype = getattr(torch, asked.dtype)
        model = network(asked.width, asked.norm, mine).to(dtype)
        checkpoint.seed_all(asked.seed + mine.rank)   # from here on, dropout and augmentation differ
        images, labels = tensors(digits().train, mine.device)
        report = train(model, images.to(dtype), labels, mine, batch=asked.batch, steps=asked.steps, rate=asked.rate,
                       seed=asked.seed, by_hand=asked.by_hand)  # fmt: skip
        if mine.rank == 0:
            _write(Path(asked.out), model, report, mine, asked)


def _write(out: Path, model: nn.Module, report: dict[str, Any], mine: Place, asked: argparse.Namespace) -> None:
    """Write the weights and the last gradients, and the report with how it came about."""
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    checkpoint.save(out / "checkpoint.pt",
                    {"model": model.state_dict(), "gradients": gradients, "step": asked.steps})  # fmt: skip
    told = {"processes": mine.world, "device": mine.device.type, "backend": dist.get_backend(),
            "seed_of_weights_and_batches": asked.seed,
            "seed_by_rank": [asked.seed + rank for rank in range(mine.world)]}  # fmt: skip
    chosen = {name: value for name, value in vars(asked).items() if name not in ("out", "seed")}
    (out / "report.json").write_text(json.dumps(told | chosen | report, indent=1))


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpucourse.distributed.digits", description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="run", help="folder for checkpoint.pt and report.json")
    for name, default in (("steps", 50), ("batch", 128), ("width", 16), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--norm", choices=NORMS, default="none", help="batch normalization: whose statistics")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--by-hand", action="store_true", help="average the gradients without DDP")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
