"""Runs PTX on arrays of operands: the test bench of the opcode tests, and the list of what their tables cover."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from gpucourse.simt.instructions import DTYPES
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch

REGISTER = {1: "b16", 2: "b16", 4: "b32", 8: "b64"}
BLOCK = 128
#: Bits that a destination holds before the instruction; lanes that do not execute it must keep them.
POISON = {1: 0xA5, 2: 0xA5A5, 4: 0xA5A5A5A5, 8: 0xA5A5A5A5A5A5A5A5}
HEADER = ".version 8.5\n.target sm_75\n.address_size 64\n"
SCHEDULES = ("lockstep", "adversarial")

#: Opcodes and forms that some table names; test_opcode_coverage holds it against the simulator and the PTX manual.
COVERED: set[str] = set()


def table(rows: Iterable[Any], names: str = "row") -> Any:
    """Parametrize a test over `rows`, each an opcode or a tuple that begins with one, and register the opcodes."""
    rows = list(rows)
    opcodes = [row if isinstance(row, str) else row[0] for row in rows]
    COVERED.update(opcodes)
    seen: dict[str, int] = {}
    ids = []
    for opcode in opcodes:
        seen[opcode] = seen.get(opcode, 0) + 1
        ids.append(opcode if seen[opcode] == 1 else f"{opcode}-{seen[opcode]}")
    return pytest.mark.parametrize(names, rows, ids=ids)


# --- one arithmetic instruction ----------------------------------------------------------------------


def execute(
    opcode: str, operands: Sequence[str], result: str | tuple[str, ...], values: Sequence[Any], tail: str = ""
) -> Any:
    """Results of `opcode` on arrays `values` (one a kind in `operands`), as the dtype of `result`.

    The instruction runs three times: for all lanes, inside a branch that every third lane takes, and guarded by a
    predicate that the other lanes have. The lanes that execute it must agree, the others must keep their register.
    A tuple of kinds stands for the parts of a destination `d|p`; then the result is a tuple, too.
    """
    results = (result,) if isinstance(result, str) else result
    count = max(len(v) for v in values)
    padded = -(-count // BLOCK) * BLOCK
    arrays = [np.resize(np.asarray(v), padded) for v in values]
    out = [[np.zeros(padded, f"u{bytes_of(kind)}") for kind in results] for _ in range(3)]
    program = Program(ptx=kernel_ptx(opcode, operands, results, tail))
    launch(program, "k", (padded // BLOCK,), (BLOCK,), (*arrays, *(o for group in out for o in group)))
    third = np.arange(padded) % 3 == 1
    for place, kind in enumerate(results):
        _check_lanes(opcode, kind, *(group[place] for group in out), third)
    found = tuple(_typed(array[:count], kind) for array, kind in zip(out[0], results, strict=True))
    return found[0] if isinstance(result, str) else found


def _check_lanes(opcode: str, kind: str, everywhere: Any, branch: Any, guard: Any, third: Any) -> None:
    poison = np.arange(len(third)) & 1 if kind == "pred" else np.uint64(POISON[bytes_of(kind)])
    for what, got, active in (("a branch", branch, third), ("a guard", guard, ~third)):
        want = np.where(active, everywhere, np.asarray(poison).astype(everywhere.dtype))
        np.testing.assert_array_equal(got, want, f"{opcode} inside {what}: destination of active and inactive lanes")


def _typed(bits: Any, kind: str) -> Any:
    if kind == "f16x2":
        return bits
    return bits.astype(bool) if kind == "pred" else bits.view(DTYPES[kind])


def bytes_of(kind: str) -> int:
    """Bytes of a register of `kind` in memory."""
    return 4 if kind == "f16x2" else DTYPES[kind].itemsize


def register(kind: str) -> str:
    """Type of a register that holds `kind`."""
    return "pred" if kind == "pred" else REGISTER[bytes_of(kind)]


def memory_type(kind: str) -> str:
    """Type with which `kind` is loaded and stored."""
    return {"pred": "u8", "f16x2": "b32", "f16": "b16"}.get(kind, kind)


def kernel_ptx(opcode: str, operands: Sequence[str], results: Sequence[str], tail: str = "") -> str:
    """The kernel of `execute`: parameters are the operands' arrays, then three times those of the results."""
    total = len(operands) + 3 * len(results)
    body = ["mov.u32 %i, %tid.x;", "mov.u32 %c, %ctaid.x;", f"mad.lo.s32 %i, %c, {BLOCK}, %i;"]
    body += ["rem.u32 %c, %i, 3;", "setp.eq.u32 %third, %c, 1;", "and.b32 %c, %i, 1;", "setp.ne.u32 %odd, %c, 0;"]
    for number, kind in enumerate((*operands, *(kind for _ in range(3) for kind in results))):
        body += [f".reg .{register(kind)} %v{number};", f"ld.param.u64 %a{number}, [p{number}];",
                 f"mad.wide.u32 %a{number}, %i, {bytes_of(kind)}, %a{number};"]  # fmt: skip
        body += _load(number, kind) if number < len(operands) else _poison(number, kind)
    sources = ", ".join([f"%v{i}" for i in range(len(operands))])
    numbers = iter(range(len(operands), total))
    targets = ("|".join(f"%v{next(numbers)}" for _ in results) for _ in range(3))
    everywhere, branch, guard = (f"{opcode} {target}, {sources}{tail};" for target in targets)
    body += [everywhere, "@!%third bra OVER;", branch, "OVER:", f"@!%third {guard}"]
    for number, kind in enumerate((kind for _ in range(3) for kind in results), len(operands)):
        body += _store(number, kind)
    params = ",\n".join(f".param .u64 p{i}" for i in range(total))
    declared = f".reg .b32 %i, %c;\n.reg .pred %third, %odd;\n.reg .b64 %a<{total}>;\n"
    return f"{HEADER}.visible .entry k(\n{params}\n)\n{{\n{declared}" + "\n".join([*body, "ret;", "}"])


def _load(number: int, kind: str) -> list[str]:
    if kind == "pred":
        return [f"ld.global.u8 %c, [%a{number}];", f"setp.ne.u32 %v{number}, %c, 0;"]
    return [f"ld.global.{memory_type(kind)} %v{number}, [%a{number}];"]


def _poison(number: int, kind: str) -> list[str]:
    if kind == "pred":
        return [f"mov.pred %v{number}, %odd;"]
    width = register(kind)
    return [f"mov.{width} %v{number}, {POISON[bytes_of(kind)]:#x};"]


def _store(number: int, kind: str) -> list[str]:
    if kind == "pred":
        return [f"selp.b32 %c, 1, 0, %v{number};", f"st.global.u8 [%a{number}], %c;"]
    return [f"st.global.{memory_type(kind)} [%a{number}], %v{number};"]


# --- any code ----------------------------------------------------------------------------------------

REGISTERS = (".reg .pred %p<9>; .reg .b16 %h<17>; .reg .b32 %r<33>; .reg .f32 %f<17>; .reg .b64 %d<33>; "
             ".reg .f64 %g<17>; .reg .b32 %i;")  # fmt: skip


def body_ptx(body: str, arrays: int, module: str = "", extra_parameters: str = "") -> str:
    """A kernel whose `%a0`, `%a1`, ... are the addresses of its arguments and `%i` the thread's index in the grid."""
    params = ", ".join(filter(None, [*(f".param .u64 p{i}" for i in range(arrays)), extra_parameters]))
    loads = "".join(f"ld.param.u64 %a{i}, [p{i}]; " for i in range(arrays))
    index = "mov.u32 %i, %ctaid.x; mov.u32 %r32, %ntid.x; mov.u32 %r31, %tid.x; mad.lo.u32 %i, %i, %r32, %r31;"
    return (f"{HEADER}{module}\n.visible .entry k({params})\n{{\n{REGISTERS} .reg .b64 %a<{max(arrays, 1)}>;\n"
            f"{loads}\n{index}\n{body}\nret;\n}}\n")  # fmt: skip


def run_body(
    body: str, arrays: Sequence[Any], *, blocks: int = 1, threads: int = 32, module: str = "",
    extra_parameters: str = "", arguments: Sequence[Any] = (), **options: Any,
) -> Any:  # fmt: skip
    """Launch `body_ptx(...)`; `arrays` are written in place, `options` go to `launch`."""
    program = Program(ptx=body_ptx(body, len(arrays), module, extra_parameters))
    return launch(program, "k", (blocks,), (threads,), (*arrays, *arguments), **options)


def in_three_ways(instruction: str, before: str = "", after: str = "") -> str:
    """The instruction for all threads, inside a branch that every third takes (%i % 3 == 1), guarded for the others.

    `before` and `after` stand around each of the three.
    """
    ways = (f"{instruction};", f"@!%p1 bra OVER; {instruction}; OVER:", f"@!%p1 {instruction};")
    return "rem.u32 %r30, %i, 3; setp.eq.u32 %p1, %r30, 1; " + "".join(f"{before} {way} {after}" for way in ways)


def covers(*opcodes: str) -> Any:
    """Register opcodes that a test without a table is about; a decorator that leaves the test as it is."""
    COVERED.update(opcodes)
    return lambda test: test
