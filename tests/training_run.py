"""A small training for the tests: python training_run.py CHECKPOINT OUT [kill-at-step]; it resumes where it can.

With dropout, random shifts drawn in the data's own loop, momentum, a schedule and a validation set: everything that
a resumed run could get wrong.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from gpucourse.data.batches import Batches
from gpucourse.schedules import one_cycle
from gpucourse.train import fit

EPOCHS, EXAMPLES, SIZE = 3, 50, 8   # 7 batches an epoch, the last of 2


def shifted(x: torch.Tensor) -> torch.Tensor:
    return x.roll(int(torch.randint(-2, 3, ())), dims=1) + 0.1 * torch.randn_like(x)


def train(path, on_step=None, resume=True):
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(EXAMPLES, 6, generator=generator)
    y = torch.randint(0, 3, (EXAMPLES,), generator=generator)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    history = fit(model, Batches(x, y, SIZE, augment=shifted), epochs=EPOCHS, optimizer=optimizer, seed=3,
                  schedule=one_cycle(), validation=Batches(x, y, 25), evaluate_every=5, checkpoint=path, save_every=2,
                  resume=resume, on_step=on_step, progress=False, clip=1.0)  # fmt: skip
    return model, history


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_at = int(sys.argv[3]) if len(sys.argv) > 3 else 0

    def kill(step):
        if step.number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    trained, told = train(Path(sys.argv[1]), kill)
    torch.save({"model": trained.state_dict(), "losses": told.losses}, sys.argv[2])
