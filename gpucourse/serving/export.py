"""A network as a file that other programs run: torch.export, ONNX, int8; and what loading a file can do.

All take DigitsCNN or another network of images (n, 1, 28, 28); n stays free. The network itself is left as it is: what
is exported is a copy in evaluation mode on the CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from gpucourse.errors import CourseError
from gpucourse.serving.packages import require


def frozen(model: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode on the CPU: an exported batch normalization must not go on learning."""
    return copy.deepcopy(model).cpu().eval()


def example() -> tuple[tuple[Tensor], tuple[dict[int, Any]]]:
    """Return what an export follows through the network, and which of its axes are free: here the number of images."""
    return (torch.zeros(2, 1, 28, 28),), ({0: torch.export.Dim("n")},)     # of 1 image, the 1 would become fixed


def exported(model: nn.Module) -> torch.export.ExportedProgram:
    """Return the network as a graph of operators, without Python: `.module()` runs it, torch.export.save keeps it."""
    inputs, free = example()
    return torch.export.export(frozen(model), inputs, dynamic_shapes=free)


def to_onnx(model: nn.Module, path: Path | str) -> Path:
    """Write the network as an ONNX file with input `images` and output `scores`. Raises MissingPackage without onnx."""
    require("onnx", "onnxscript")
    inputs, free = example()
    program: Any = torch.onnx.export(frozen(model), inputs, dynamic_shapes=free, dynamo=True, verbose=False,
                                input_names=["images"], output_names=["scores"])  # fmt: skip
    program.save(str(path))
    return Path(path)


class OnnxModel:
    """An ONNX file in ONNX Runtime, on the CPU with as many threads as PyTorch: called as a network is."""

    def __init__(self, path: Path | str) -> None:
        require("onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:     # its own exceptions have no common base but this
            why = str(error).splitlines()[0][:120]
            raise CourseError(f"{path} cannot be run as an ONNX file ({why}). Write it with `to_onnx`") from None

    def __call__(self, images: Tensor) -> Tensor:
        """Return the scores (n, classes) of images (n, 1, 28, 28)."""
        (scores,) = self._session.run(None, {"images": images.cpu().numpy()})
        return torch.from_numpy(scores)


# -- int8 --------------------------------------------------------------------------------------------------


def quantized(source: Path | str, path: Path | str, images: Tensor) -> Path:
    """Write an ONNX file with weights and activations of 8 bits.

    `images` (n, 1, 28, 28), some of the training set's, show how large the activations of each layer get: a float is
    scale * integer, and the scales are fixed here. A few hundred images are enough.
    """
    require("onnx", "onnxruntime")
    from onnxruntime.quantization import quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))     # operators fused, shapes known
        quantize_static(str(prepared), str(path), _Samples(images), per_channel=True)
    return Path(path)


class _Samples:
    """What ONNX Runtime asks for while it measures: one batch after the other, then None."""

    def __init__(self, images: Tensor) -> None:
        self._batches: Iterator[Tensor] = iter(torch.split(images.cpu(), 64))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch.numpy()}


# -- what loading a file can do ----------------------------------------------------------------------------

CALLS: list[str] = []


def called(words: str) -> str:
    """Note that this was called. It stands for anything that the author of a file may want to be run."""
    CALLS.append(words)
    return words


class Surprise:
    """An object whose pickle says: to read me, call `called`. An attacker writes `os.system` there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return called, ("code of the file's author ran while it was loaded",)


def calls_while_loading(path: Path | str, weights_only: bool = True) -> tuple[list[str], str]:
    """Load a file with torch.load; return what `called` noted meanwhile, and why the file was refused, or ""."""
    before, why = len(CALLS), ""
    try:
        torch.load(path, map_location="cpu", weights_only=weights_only)
    except Exception as error:
        lines = str(error).splitlines()     # PyTorch's advice stands before its reason, and after it
        reason = next((line for line in lines if "Unsupported" in line), lines[0]).partition(" Please ")[0]
        why = f"{type(error).__name__}: {reason.strip()}"
    return CALLS[before:], why
