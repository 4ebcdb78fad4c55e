"""Warp matrix products: `wmma.load`, `wmma.mma` and `wmma.store` for f16, s8 and u8.

A fragment is opaque in PTX, so its layout is the machine's to choose. Here lane `l` of a fragment with `p` elements
a lane holds the elements l*p, l*p + 1, ... of the matrix in row-major order; a matrix with fewer than 32*p elements
(`a` and `b` of some shapes) is held several times over. Products are summed in order of k: the accumulator first,
then k = 0, 1, ... 15, each sum rounded to float32 (products of f16 are exact in float32), and once to f16 at the end
where the accumulator is f16. Hardware sums in another order and cuts bits off: compare to a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gpucourse.errors import SimulatorLacks
from gpucourse.simt.instructions import (
    DTYPES,
    Decoder,
    Getter,
    Step,
    lacks,
    load,
    space_of,
    store,
)
from gpucourse.simt.memory import AccessFault
from gpucourse.simt.ptx import Group, Instruction, Operand
from gpucourse.simt.registers import WARP, Fragment, Ints, Values, spread
from gpucourse.simt.trace import record

#: Rows, columns and depth of the product by shape.
SHAPES = {"m16n16k16": (16, 16, 16), "m32n8k16": (32, 8, 16), "m8n32k16": (8, 32, 16)}
#: Element type of `a` and `b` -> types that accumulators may have.
ACCUMULATORS = {"f16": ("f16", "f32"), "s8": ("s32",), "u8": ("s32",)}
#: The most bytes that a lane moves in one request.
_MOST_BYTES = 16
#: The address and the pitch of a matrix must be multiples of these (or of its rows' bytes, where they are shorter):
#: CUDA C++ programming guide, "Warp matrix functions".
_ALIGNMENT, _PITCH_ALIGNMENT = 32, 16


@dataclass(frozen=True)
class Tile:
    """A matrix of `rows` x `columns` elements of type `kind`, in memory row after row, or column after column."""

    rows: int
    columns: int
    kind: str
    by_rows: bool = True

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element in memory."""
        return DTYPES[self.kind]

    @property
    def count(self) -> int:
        """Elements of the matrix."""
        return self.rows * self.columns

    @property
    def length(self) -> int:
        """Elements that lie next to each other in memory."""
        return self.columns if self.by_rows else self.rows

    @property
    def chunk(self) -> int:
        """Elements that a lane moves in one request."""
        return min(_MOST_BYTES // self.dtype.itemsize, self.count // WARP)

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """(row or column, element in it) where each chunk starts; shape (requests, 32)."""
        first = (np.arange(self.count // self.chunk) * self.chunk).reshape(-1, WARP)
        return first // self.length, first % self.length

    def matrix(self, chunks: Values) -> Values:
        """Chunks in order of memory, shape (warps, ...), as matrices, shape (warps, rows, columns)."""
        if self.by_rows:
            return chunks.reshape(-1, self.rows, self.columns)
        return chunks.reshape(-1, self.columns, self.rows).swapaxes(1, 2)

    def chunks(self, matrix: Values) -> Values:
        """Matrices (warps, rows, columns) as chunks: shape (requests, elements of a chunk, lanes)."""
        flat = matrix if self.by_rows else matrix.swapaxes(1, 2)
        parts = flat.reshape(len(matrix), -1, WARP, self.chunk)
        return np.ascontiguousarray(parts.transpose(1, 3, 0, 2)).reshape(parts.shape[1], self.chunk, -1)


def step(decoder: Decoder, instruction: Instruction) -> Step:
    """The step of a wmma instruction; raises `SimulatorLacks` for shapes and types that are not here."""
    try:
        return {"load": _load, "store": _store, "mma": _mma}[instruction.parts[1]](decoder, instruction)
    except (KeyError, ValueError, IndexError) as error:
        raise lacks(instruction) from error


def tile_of(instruction: Instruction, which: str, kind: str, layout: str = "row") -> Tile:
    """The matrix `which` ("a", "b", "c" or "d") of an instruction's shape."""
    shape = next((SHAPES[p] for p in instruction.parts if p in SHAPES), None)
    if shape is None or kind not in (*ACCUMULATORS, "f32", "s32"):
        raise _unknown(instruction)
    m, n, k = shape
    rows, columns = {"a": (m, k), "b": (k, n)}.get(which, (m, n))
    return Tile(rows, columns, kind, layout == "row")


def _unknown(instruction: Instruction) -> SimulatorLacks:
    shapes, kinds = ", ".join(SHAPES), ", ".join(ACCUMULATORS)
    what = f"the instruction {instruction.opcode}: wmma is there for {kinds} and the shapes {shapes}"
    return SimulatorLacks(what, str(instruction), instruction.line or None)


# --- fragments ---------------------------------------------------------------------------------------


class _Registers:
    """The registers of a fragment, and how they hold a matrix."""

    def __init__(self, decoder: Decoder, operand: Operand, tile: Tile) -> None:
        if not isinstance(operand, Group):
            raise ValueError(operand)
        self.tile, self.items = tile, operand.items
        self.held = len(operand.items) * 4 // tile.dtype.itemsize * WARP
        if self.held % tile.count or not self.held:
            raise ValueError(operand)
        self._decoder = decoder

    def getter(self) -> Callable[[Fragment], Values]:
        """A function that gives the matrices, shape (warps, rows, columns)."""
        getters = [self._decoder.get(item, "b32") for item in self.items]
        rows, columns, count = self.tile.rows, self.tile.columns, self.tile.count

        def get(f: Fragment) -> Values:
            words = np.stack([spread(g(f), f.lanes.count) for g in getters], axis=1)
            elements = words.view(self.tile.dtype).reshape(-1, self.held)[:, :count]
            return elements.reshape(-1, rows, columns)

        return get

    def putter(self) -> Callable[[Fragment, Values], None]:
        """A function that takes the matrices, shape (warps, rows, columns)."""
        puts = [self._decoder.put(item, "b32") for item in self.items]
        copies = self.held // self.tile.count

        def put(f: Fragment, matrix: Values) -> None:
            elements = np.tile(matrix.reshape(len(matrix), -1), (1, copies)).reshape(f.lanes.count, -1)
            words = elements.astype(self.tile.dtype, copy=False).view(np.uint32)
            for place, one in enumerate(puts):
                one(f, np.ascontiguousarray(words[:, place]))

        return put


# --- memory ------------------------------------------------------------------------------------------


def _addresses(decoder: Decoder, instruction: Instruction, place: int, tile: Tile) -> Callable[..., Values]:
    """A function of the fragment: where each lane's chunks start; shape (requests, lanes), bytes."""
    address = decoder.address(instruction.operands[place], space_of(instruction))
    pitch: Getter = lambda f: np.array([tile.length], np.uint32)  # noqa: E731
    if len(instruction.operands) > 2:
        pitch = decoder.get(instruction.operands[2], "u32")
    size, (outer, inner) = np.uint64(tile.dtype.itemsize), tile.places
    line = tile.length * tile.dtype.itemsize   # bytes

    def addresses(f: Fragment) -> Values:
        whole_warps(f, instruction)
        base = _uniform(f, address(f), "an address", instruction)
        step = _uniform(f, pitch(f), "a leading dimension", instruction).astype(np.uint64) * size
        _check(base, min(_ALIGNMENT, line), "starts a matrix at address {:#x}")
        _check(step, min(_PITCH_ALIGNMENT, line), "has a leading dimension (stride) of {} bytes")
        offset = outer[:, None, :].astype(np.uint64) * step[:, None] + inner[:, None, :].astype(np.uint64) * size
        where: Values = (base[:, None] + offset).reshape(len(outer), -1)
        return where

    return addresses


def whole_warps(f: Fragment, instruction: Instruction) -> None:
    """Raise a fault where lanes of a warp are missing: the instruction needs all 32."""
    if not f.lanes.packed:
        warps, counts = np.unique(f.lanes.warp, return_counts=True)
        short = int(np.flatnonzero(counts < WARP)[0])
        lane = int(np.flatnonzero(f.lanes.warp == warps[short])[0])
        raise AccessFault("kernel", lane, f"executes {'.'.join(instruction.parts[:2])} with {int(counts[short])} "
                          f"lanes of a warp; it needs all {WARP}")  # fmt: skip


def _uniform(f: Fragment, value: Values, what: str, instruction: Instruction) -> Values:
    """One value per warp; raises a fault where the lanes of a warp differ."""
    table = spread(value, f.lanes.count).reshape(-1, WARP)
    other = np.flatnonzero((table != table[:, :1]).ravel())
    if len(other):
        name = ".".join(instruction.parts[:2])
        text = f"gives {name} {what} other than lane 0 of its warp does; all lanes must agree"
        raise AccessFault("kernel", int(other[0]), text)
    first: Values = table[:, 0]
    return first


def _check(value: Values, alignment: int, text: str) -> None:
    bad = np.flatnonzero(value % np.uint64(alignment))
    if len(bad):
        found = text.format(int(value[bad[0]]))
        raise AccessFault("aligned", int(bad[0]) * WARP, f"{found}, which is no multiple of {alignment}")


def _teller(instruction: Instruction, kind: str, tile: Tile) -> Callable[..., None]:
    """A function that tells the trace of one request: a chunk of each lane."""

    def tell(f: Fragment, space: str, where: Values, *values: Values) -> None:
        if f.machine.trace is not None:
            record(f.machine.trace, f, instruction, kind, space, where, tile.dtype.itemsize, values, tile.chunk)

    return tell


def _load(decoder: Decoder, instruction: Instruction) -> Step:
    _, _, which, *rest = instruction.parts
    tile = tile_of(instruction, which, rest[-1], "row" if "row" in rest else "col")
    put = _Registers(decoder, instruction.operands[0], tile).putter()
    addresses, space = _addresses(decoder, instruction, 1, tile), space_of(instruction)
    tell, size = _teller(instruction, "load", tile), tile.dtype.itemsize

    def run(f: Fragment) -> None:
        chunks = []
        for where in addresses(f):
            tell(f, space, where)
            chunks += [load(f, space, where + np.uint64(n * size), tile.dtype) for n in range(tile.chunk)]
        table = np.stack(chunks).reshape(-1, tile.chunk, f.lanes.count // WARP, WARP)
        put(f, tile.matrix(np.ascontiguousarray(table.transpose(2, 0, 3, 1))))

    return run


def _store(decoder: Decoder, instruction: Instruction) -> Step:
    parts = instruction.parts
    tile = tile_of(instruction, "d", parts[-1], "row" if "row" in parts else "col")
    get = _Registers(decoder, instruction.operands[1], tile).getter()
    addresses, space = _addresses(decoder, instruction, 0, tile), space_of(instruction)
    tell, size = _teller(instruction, "store", tile), tile.dtype.itemsize

    def run(f: Fragment) -> None:
        for where, values in zip(addresses(f), tile.chunks(get(f)), strict=True):
            tell(f, space, where, *values)
            for number, value in enumerate(values):
                store(f, space, where + np.uint64(number * size), value)

    return run


# --- the product -------------------------------------------------------------------------------------


def _mma(decoder: Decoder, instruction: Instruction) -> Step:
    kinds = _kinds(instruction)
    put = _Registers(decoder, instruction.operands[0], tile_of(instruction, "d", kinds[0])).putter()
    a, b, c = (
        _Registers(decoder, operand, tile_of(instruction, which, kind)).getter()
        for operand, which, kind in zip(instruction.operands[1:], "abc", kinds[1:], strict=True)
    )
    product = _float_product if kinds[1] == "f16" else _integer_product(DTYPES[kinds[0]], instruction)
    dtype = DTYPES[kinds[0]]

    def run(f: Fragment) -> None:
        whole_warps(f, instruction)
        put(f, product(a(f), b(f), c(f)).astype(dtype))

    return run


def _kinds(instruction: Instruction) -> tuple[str, str, str, str]:
    """Types of d, a, b and c; the form for f16 names those of d and c only."""
    parts = [p for p in instruction.parts[3:] if p in (*DTYPES, "bf16", "tf32", "b1", "s4", "u4")]
    d, a, b, c = (parts[0], "f16", "f16", parts[1]) if len(parts) == 2 else parts
    allowed = ACCUMULATORS.get(a, ())
    if b != a or d not in allowed or c not in allowed or "popc" in instruction.parts or (
        "satfinite" in instruction.parts and a == "f16"
    ):
        raise _unknown(instruction)
    return d, a, b, c


def _float_product(a: Values, b: Values, c: Values) -> Values:
    """c + a @ b in float32, summed in order of k; shapes (warps, m, k), (warps, k, n), (warps, m, n)."""
    left, right, total = a.astype(np.float32), b.astype(np.float32), c.astype(np.float32)
    for k in range(left.shape[2]):
        total = total + left[:, :, k, None] * right[:, k, None, :]
    return total


def _integer_product(dtype: np.dtype[Any], instruction: Instruction) -> Callable[[Values, Values, Values], Values]:
    """c + a @ b exactly, then wrapped to int32, or cut to its limits for `.satfinite`."""
    limits, saturates = np.iinfo(dtype), "satfinite" in instruction.parts

    def product(a: Values, b: Values, c: Values) -> Values:
        total: Values = np.matmul(a.astype(np.int64), b.astype(np.int64)) + c
        return np.clip(total, limits.min, limits.max) if saturates else total

    return product
