"""Functions that the machine itself provides: printf, assert, malloc, free (libdevice.py: mathematics)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from gpucourse.errors import AssertFailed, KernelFault, OutOfBounds, Trapped
from gpucourse.simt import libdevice
from gpucourse.simt.heap import Heap
from gpucourse.simt.instructions import load
from gpucourse.simt.memory import AccessFault
from gpucourse.simt.ptx import Instruction
from gpucourse.simt.registers import Fragment, Values, spread

_LONGEST_TEXT = 4096
_CONVERSION = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|z|j|t)?([diouxXeEfFgGaAcsp%])")


def call(name: str, f: Fragment, instruction: Instruction, results: list[str], arguments: list[Values]) -> None:
    """Execute a built-in function; arguments are rows of bytes, one row a lane or one for all."""
    if name in libdevice.FUNCTIONS:
        f.registers[results[0]] = libdevice.call(name, arguments)
    elif name == "vprintf":
        texts = [_printed(f, lane, arguments) for lane in range(f.lanes.count)]
        f.machine.machine.printed.extend(texts)
        f.registers[results[0]] = np.frombuffer(b"\1\0\0\0", np.uint8).reshape(1, 4)
    elif name == "__assertfail":
        text, _, line, function = (_of(a, 0) for a in arguments[:4])
        what = f"assertion `{_text(f, text)}` failed in {_text(f, function)}"
        raise AssertFailed(what, line=line or instruction.line, **_who(f, 0))
    elif name == "malloc":
        f.registers[results[0]] = _malloc(f, instruction, arguments[0])
    else:
        _free(f, instruction, arguments[0])


def _malloc(f: Fragment, instruction: Instruction, sizes: Values) -> Values:
    """Addresses of new blocks (bytes, shape (lanes, 8)), lane after lane; null where the heap has no room."""
    heap, wanted = _heap(f), _numbers(sizes, f.lanes.count)
    found = [heap.malloc(size, instruction.line) for size in wanted]
    if f.machine.trace is not None:
        f.machine.trace.allocate(f.machine, [(a - heap.base, n) for a, n in zip(found, wanted, strict=True) if a])
    return np.array(found, np.uint64).view(np.uint8).reshape(-1, 8)


def _free(f: Fragment, instruction: Instruction, addresses: Values) -> None:
    heap = _heap(f)
    for lane, address in enumerate(_numbers(addresses, f.lanes.count)):
        complaint = heap.free(address, instruction.line)
        if complaint is not None:
            there = f.machine.machine.memory.find(address)
            inside = f" (it is in {there.name})" if there is not None and there is not heap else ""
            raise fault(f, instruction, complaint + inside, lane)


def _heap(f: Fragment) -> Heap:
    heap: Heap = f.machine.machine.kernel.program.heap
    return heap


def _numbers(argument: Values, count: int) -> list[int]:
    """One 64-bit argument of each lane."""
    numbers: list[int] = spread(np.ascontiguousarray(argument).view(np.uint64)[:, 0], count).tolist()
    return numbers


def trapped(f: Fragment, instruction: Instruction) -> Trapped:
    """The fault of the first lane that executes `trap`."""
    return Trapped("the kernel executed `trap`", line=instruction.line or None, **_who(f, 0))


def fault(f: Fragment, instruction: Instruction, message: str, lane: int = 0) -> KernelFault:
    """A fault with `message`, at the instruction's line and in a lane of `f`, by its position."""
    return KernelFault(message, line=instruction.line or None, **_who(f, lane))


def _who(f: Fragment, lane: int) -> dict[str, Any]:
    slot = int(f.lanes.slot[lane])
    return {"block": f.machine.shape.block_of(slot), "thread": f.machine.shape.thread_of(slot)}


def _of(argument: Values, lane: int) -> int:
    return int.from_bytes(argument[lane if len(argument) > 1 else 0].tobytes(), "little")


def _text(f: Fragment, address: int) -> str:
    """The zero-ended string at a generic address."""
    out = bytearray()
    while len(out) < _LONGEST_TEXT:
        byte = int(_read(f, 0, address + len(out), np.dtype(np.uint8)))
        if not byte:
            break
        out.append(byte)
    return out.decode(errors="replace")


def _read(f: Fragment, lane: int, address: int, dtype: np.dtype[Any]) -> Any:
    from gpucourse.simt.registers import Lanes

    one = Lanes(f.lanes.slot[lane : lane + 1], f.lanes.shape)
    part = Fragment(one, f.registers, f.code, f.block, f.machine)
    try:
        return load(part, "generic", np.array([address], np.uint64), dtype)[0]
    except AccessFault as bad:
        end = f.code.blocks[f.block].block.end
        text = f"printf or assert, looking for its text or arguments, {bad}"
        raise OutOfBounds(text, line=(end and end.line) or None, **_who(f, lane)) from None


def _printed(f: Fragment, lane: int, arguments: list[Values]) -> str:
    """C's printf: arguments lie one after another at `arguments[1]`, each aligned to its size."""
    form, at = _text(f, _of(arguments[0], lane)), _of(arguments[1], lane)

    def take(dtype: np.dtype[Any]) -> Any:
        nonlocal at
        at = -(-at // dtype.itemsize) * dtype.itemsize
        value = _read(f, lane, at, dtype)
        at += dtype.itemsize
        return value

    def one(match: re.Match[str]) -> str:
        flags, width, precision, size, kind = match.groups()
        if kind == "%":
            return "%"
        width = str(int(take(np.dtype(np.int32)))) if width == "*" else width or ""
        precision = str(int(take(np.dtype(np.int32)))) if precision == "*" else precision
        spec = f"%{flags}{width}{'' if precision is None else '.' + precision}"
        return _formatted(f, spec, kind, take(_argument_type(kind, size)))

    return _CONVERSION.sub(one, form)


def _argument_type(kind: str, size: str | None) -> np.dtype[Any]:
    if kind in "eEfFgGaA":
        return np.dtype(np.float64)
    wide = kind in "sp" or size in ("l", "ll", "z", "j", "t")
    return np.dtype(f"{'i' if kind in 'di' else 'u'}{8 if wide else 4}")


def _formatted(f: Fragment, spec: str, kind: str, value: Any) -> str:
    if kind == "s":
        return (spec + "s") % _text(f, int(value))
    if kind == "p":
        return f"{int(value):#x}"
    if kind == "c":
        return (spec + "s") % chr(int(value) & 255)
    if kind in "eEfFgG":
        return (spec + kind) % float(value)
    if kind in "aA":
        return float(value).hex()
    return (spec + {"i": "d", "u": "d"}.get(kind, kind)) % int(value)
