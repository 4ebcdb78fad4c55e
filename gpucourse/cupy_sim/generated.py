"""What ElementwiseKernel and ReductionKernel share: from arguments to the source of a kernel, and its launch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import compiler
from .carray import type_name
from .function import Call, launch
from .layout import Layout, key, packed
from .parameters import Parameter, TypeMap

Argument = Layout | np.generic


class Generated:
    """A kernel whose source depends on the types and shapes of its arguments: written once for each of them."""

    _later = "the first function call"

    def __init__(self) -> None:
        self._sources: dict[Any, str] = {}
        self._cached_codes: dict[tuple[np.dtype, ...], str] = {}

    def _written(self, args: list[Argument], loops: tuple[str, ...], types: TypeMap) -> str:
        """Return the CUDA C for arguments of these types and shapes; `loops` are the types of the indexers."""
        raise NotImplementedError

    def _source(self, args: list[Argument], loops: tuple[str, ...], types: TypeMap) -> str:
        known = (tuple(map(key, args)), loops, types)
        if known not in self._sources:
            source = self._sources[known] = self._written(args, loops, types)
            arrays = tuple(each.host.dtype for each in args if isinstance(each, Layout))
            self._cached_codes.setdefault(arrays, source)
        return self._sources[known]

    @property
    def cached_codes(self) -> dict[tuple[np.dtype, ...], str]:
        """The generated sources, by the types of the arrays."""
        if not self._cached_codes:
            text = f"No codes are cached because compilation is deferred until {self._later}."
            warnings.warn(text, stacklevel=2)
        return dict(self._cached_codes)

    @property
    def cached_code(self) -> str:
        """The first generated source."""
        if len(self._cached_codes) > 1:
            text = "The input types of the kernel could not be inferred. Please use `.cached_codes` instead."
            warnings.warn(text, stacklevel=2)
        return next(iter(self._cached_codes.values()))


def typedefs(types: TypeMap) -> str:
    """Return the C that gives each placeholder its type."""
    return "".join(f"typedef {type_name(dtype)} {name};\n" for name, dtype in types)


def types_of(args: Iterable[Argument]) -> list[np.dtype]:
    """Return the NumPy types of arguments."""
    return [each.host.dtype if isinstance(each, Layout) else each.dtype for each in args]


def as_type(value: Any, dtype: np.dtype) -> np.generic:
    """Return a scalar argument as the parameter's type; raises OverflowError or ValueError where it does not fit."""
    made: np.generic = np.array([value], dtype)[0]
    return made


def c_name(parameter: Parameter, arg: Argument) -> str:
    """Return the name of an argument in the loop: an array that is not `raw` leaves its name to its element."""
    return f"_raw_{parameter.name}" if isinstance(arg, Layout) and not parameter.raw else parameter.name


def indexer(shape: tuple[int, ...]) -> str:
    """Return the type of the indexer of a loop over `shape`."""
    return f"CIndexer<{len(shape)}, {int(math.prod(shape) < 1 << 31)}>"


def body_parameters(params: Sequence[Parameter], args: Sequence[Argument]) -> list[str]:
    """Return the parameters of the function that holds the loop."""
    return [
        f"{'const ' if p.is_const else ''}{a.c_type if isinstance(a, Layout) else type_name(a.dtype)} {c_name(p, a)}"
        for p, a in zip(params, args, strict=True)
    ]


def entry(name: str, params: Sequence[Parameter], args: Sequence[Argument], indexers: dict[str, str], last: str) -> str:
    """Return the kernel itself, which hands pointers, shapes and strides to `_body` as arrays.

    The pointers bear the learner's names, so that a fault names the array. `indexers` are names and types,
    `last` is a parameter more.
    """
    given, made = [], []
    shapes = "".join(f"typedef {c_type}::meta_t _meta{index}; " for index, c_type in indexers.items())
    for number, (parameter, arg) in enumerate(zip(params, args, strict=True)):
        if isinstance(arg, Layout):
            given += [f"{type_name(arg.host.dtype)}* {parameter.name}", f"_CShape<{len(arg.shape)}> _meta{number}"]
            made.append(f"{arg.c_type}({parameter.name}, _meta{number})")
        else:
            given.append(f"{type_name(arg.dtype)} {parameter.name}")
            made.append(parameter.name)
    for index, c_type in indexers.items():
        given.append(f"_meta{index} {index}")
        made.append(f"{c_type}({index})")
    if last:
        given.append(f"int {last}")
        made.append(last)
    return f'{shapes}extern "C" __global__ void {name}({", ".join(given)}) {{ _body({", ".join(made)}); }}'


def run(
    source: str, options: tuple[str, ...], name: str, args: Sequence[Argument], shapes: Sequence[tuple[int, ...]],
    last: Sequence[np.generic], blocks: int, threads: int,
) -> None:  # fmt: skip
    """Compile `source` once and launch its kernel; `shapes` are those of the indexers."""
    handed: list[Any] = []
    for arg in args:
        handed += [arg.host, arg.meta()] if isinstance(arg, Layout) else [arg]
    handed += [packed(shape, (0,) * len(shape)) for shape in shapes]
    program = compiler.program(source, options)
    launch(Call(program, name, (blocks, 1, 1), (threads, 1, 1), (*handed, *last), 0))
