"""All that a training needs to go on exactly where it was: saved at once or not at all, checked when it is loaded.

What is saved are tensors, numbers and text only, so that a file is read with `weights_only=True`: no code in it runs.
"""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpucourse.backend import torch_device
from gpucourse.errors import CourseError
from gpucourse.whole_file import replacing

FORMAT = 1


class BadCheckpoint(CourseError):
    """A file is no checkpoint, or one of another training."""


def random_state() -> dict[str, Any]:
    """Return the state of Python's, NumPy's and PyTorch's random numbers, of all devices."""
    algorithm, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (algorithm, torch.from_numpy(np.asarray(keys, np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch_device().type == "cuda" else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Put all random numbers back to what `random_state` returned."""
    random.setstate(state["python"])
    algorithm, keys, *rest = state["numpy"]
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if torch_device().type == "cuda" and len(state["cuda"]) == len(torch.cuda.get_rng_state_all()):
        torch.cuda.set_rng_state_all(state["cuda"])


def seed_all(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's random numbers, on all devices."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint: a killed process leaves the old file or the new one, never half of one.

    Raises CourseError where the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside, beside.open("wb") as file:
            torch.save(content | {"format": FORMAT}, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CourseError(f"cannot save the checkpoint {path}: {error.strerror}. Free some space, or give another path"
                          ) from None  # fmt: skip


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint. Raises BadCheckpoint where the file is none."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise BadCheckpoint(f"there is no checkpoint {path}") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise BadCheckpoint(f"{path} cannot be read as a checkpoint ({str(error).splitlines()[0][:100]}). "
                            "Delete it, or give another path") from None  # fmt: skip
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadCheckpoint(f"{path} holds no checkpoint of `fit`. Give another path") from None
    return content


def require_same_shapes(path: Path, stored: dict[str, Any], model: torch.nn.Module) -> None:
    """Raise BadCheckpoint unless the stored weights have the names and shapes of the model's."""
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in stored.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise BadCheckpoint(
                f"{path} belongs to another network: its `{name}` {_shape(found.get(name))}, the model's "
                f"{_shape(wanted.get(name))}. Build the same network, or give another path"
            )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "does not exist" if shape is None else f"has shape {shape}"


def keep_previous(path: Path) -> None:
    """Rename an existing file to NAME.previous, so that a new training does not write over it."""
    if path.exists():
        os.replace(path, path.with_name(path.name + ".previous"))
