"""Runs one PTX instruction on arrays of operands: the test bench of the opcode tests."""

from __future__ import annotations

import numpy as np

from gpucourse.simt.instructions import DTYPES
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch

REGISTER = {1: "b16", 2: "b16", 4: "b32", 8: "b64"}


def _register(kind):
    return "pred" if kind == "pred" else REGISTER[_bytes(kind)]


def _bytes(kind):
    return 4 if kind == "f16x2" else DTYPES[kind].itemsize


def _memory_type(kind):
    return {"pred": "u8", "f16x2": "b32"}.get(kind, {"f16": "b16"}.get(kind, kind))


def kernel_ptx(opcode, operands, result, tail=""):
    """A kernel that loads one operand of each kind per thread, executes, and stores the result."""
    params = ",\n".join(f".param .u64 p{i}" for i in range(len(operands) + 1))
    lines = ["mov.u32 %i, %tid.x;", "mov.u32 %c, %ctaid.x;", "mad.lo.s32 %i, %c, 128, %i;"]
    declared = []
    for number, kind in enumerate((*operands, result)):
        declared.append(f".reg .{_register(kind)} %v{number};")
        lines += [
            f"ld.param.u64 %a{number}, [p{number}];", f"mul.wide.u32 %o{number}, %i, {_bytes(kind)};",
            f"add.s64 %a{number}, %a{number}, %o{number};",
        ]
        if number < len(operands):
            lines += _load(number, kind)
    sources = ", ".join(f"%v{i}" for i in range(len(operands)))
    out = len(operands)
    lines.append(f"{opcode} %v{out}, {sources}{tail};")
    if result == "pred":
        lines += [f"selp.b32 %c, 1, 0, %v{out};", f"st.global.u8 [%a{out}], %c;"]
    else:
        lines.append(f"st.global.{_memory_type(result)} [%a{out}], %v{out};")
    return (
        ".version 7.0\n.target sm_75\n.address_size 64\n"
        f".visible .entry k(\n{params}\n)\n{{\n.reg .b32 %i, %c;\n.reg .b64 %a<9>, %o<9>;\n"
        + "\n".join([*declared, *lines, "ret;", "}"])
    )


def _load(number, kind):
    if kind == "pred":
        return [f"ld.global.u8 %c, [%a{number}];", f"setp.ne.u32 %v{number}, %c, 0;"]
    return [f"ld.global.{_memory_type(kind)} %v{number}, [%a{number}];"]


def execute(opcode, operands, result, values, tail=""):
    """Results of `opcode` on arrays `values` (one a kind in `operands`), as the dtype of `result`."""
    count = max(len(v) for v in values)
    padded = -(-count // 128) * 128
    arrays = [np.resize(np.asarray(v), padded) for v in values]
    size = _bytes(result)
    out = np.zeros(padded, f"u{size}")
    program = Program(ptx=kernel_ptx(opcode, operands, result, tail))
    launch(program, "k", (padded // 128,), (128,), (*arrays, out))
    if result == "f16x2":
        return out[:count]
    return out[:count].astype(bool) if result == "pred" else out[:count].view(DTYPES[result])
