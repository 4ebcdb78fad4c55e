"""Nothing is simulated without a test: every opcode has one, and what the simulator lacks is refused by its name.

The tables of the opcode tests register what they are about (`ptx_harness.COVERED`). It is held against the opcodes that
the simulator knows, and against what NVIDIA's compiler writes for the conformance kernels.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from importlib import import_module

import numpy as np
import pytest

from gpucourse.errors import CompileError, SimulatorLacks
from gpucourse.simt.compile import compile_ptx
from gpucourse.simt.instructions import OPCODES
from gpucourse.simt.link import Program
from gpucourse.simt.ptx import Instruction, parse
from gpucourse.simt.run import launch
from tests.simt.conformance.catalogue import KERNELS
from tests.simt.ptx_harness import COVERED, HEADER, covers

for _chapter in ("integer", "float", "simd", "warp", "memory", "atomic", "control"):
    import_module(f"tests.simt.test_{_chapter}_opcodes")
covers("wmma")(import_module("tests.simt.test_wmma"))   # its tables are of shapes and types

#: What ends a basic block, so that run.py and not the opcode table has it.
CONTROL = {"bra", "brx", "ret", "exit", "call", "trap", "bar", "barrier"}
#: Words that change neither result nor address; their own tables go through them.
HINTS = {"ca", "cg", "cs", "cv", "lu", "nc", "volatile", "weak", "relaxed", "acquire", "release", "acq_rel", "cta",
         "gpu", "sys"}  # fmt: skip
#: Opcodes of conformance kernels whose types and shapes test_wmma takes from CUDA C.
ELSEWHERE = {"wmma"}


def form(opcode: str) -> tuple[str, frozenset[str]]:
    """An opcode's root and the words that matter, in any order."""
    root, *words = opcode.partition(" ")[0].split(".")
    return root, frozenset(words) - (HINTS if root in ("ld", "ldu", "st", "atom", "red") else frozenset())


@functools.cache
def compiled() -> dict[str, list[str]]:
    """Opcode in the PTX of the conformance kernels -> the names of the kernels that have it."""
    found = defaultdict(list)
    for kernel in KERNELS:
        module = parse(compile_ptx(kernel.source, kernel.options, kernel.name_expressions).ptx)
        bodies = (item for function in module.functions.values() for item in function.body)
        for opcode in {item.opcode for item in bodies if isinstance(item, Instruction)}:
            found[opcode].append(kernel.name)
    return dict(found)


def test_every_opcode_of_the_simulator_has_a_test() -> None:
    tested = {opcode.partition(" ")[0].partition(".")[0] for opcode in COVERED}
    assert sorted((set(OPCODES) | CONTROL) - tested) == [], "opcodes that no test registers (see ptx_harness.table)"


def test_every_opcode_of_the_conformance_kernels_is_known() -> None:
    unknown = {o: names for o, names in compiled().items() if o.partition(".")[0] not in set(OPCODES) | CONTROL}
    assert unknown == {}, "neither simulated nor refused on purpose"


def test_every_form_in_the_conformance_kernels_has_a_test() -> None:
    tested = {form(opcode) for opcode in COVERED}
    missing = {o: names for o, names in compiled().items()
               if form(o) not in tested and o.partition(".")[0] not in ELSEWHERE}  # fmt: skip
    assert missing == {}, "forms that the compiler writes and no opcode test registers, with their kernels"


def test_forms_leave_out_hints_of_memory_instructions_only() -> None:
    assert form("ld.volatile.global.u32") == form("ld.global.nc.u32") == form("ld.global.u32")
    assert form("membar.cta") != form("membar.gl")
    assert form("ld.global.u32") != form("ld.shared.u32")


# --- what is outside is refused by name --------------------------------------------------------------

#: What a learner may write in inline assembly; `%0` is a 32-bit register, `%1` an address.
OUTSIDE = [
    "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %0, %0, %0}, {%0, %0}, {%0}, {%0, %0, %0, %0}",
    "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0}, {%0}, {%0}, {%0}",
    "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%0]", "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%0}",
    "movmatrix.sync.aligned.m8n8.trans.b16 %0, %0", "wgmma.fence.sync.aligned",
    "tex.2d.v4.f32.f32 {%0, %0, %0, %0}, [%1, {%0, %0}]", "tld4.r.2d.v4.f32.f32 {%0, %0, %0, %0}, [%1, {%0, %0}]",
    "txq.width.b32 %0, [%1]", "suld.b.2d.b32.trap %0, [%1, {%0, %0}]", "sust.b.2d.b32.trap [%1, {%0, %0}], %0",
    "cp.async.ca.shared.global [%0], [%1], 4", "cp.async.commit_group", "cp.async.wait_all", "cp.async.wait_group 0",
    "cp.async.bulk.commit_group", "mbarrier.init.shared.b64 [%0], 5", "mbarrier.arrive.shared.b64 _, [%0]",
    "barrier.cluster.arrive", "redux.sync.add.s32 %0, %0, -1", "elect.sync %0|_, -1", "vadd.u32.u32.u32 %0, %0, %0",
    "createpolicy.fractional.L2::evict_last.b64 %1", "multimem.ld_reduce.global.add.u32 %0, [%1]",
    "atom.global.add.noftz.bf16 %0, [%1], %0", "fma.rn.bf16x2 %0, %0, %0, %0", "add.bf16x2 %0, %0, %0",
    "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%1], [%0], 128",
    "griddepcontrol.wait", "setmaxnreg.inc.sync.aligned.u32 32", "brkpt",
]  # fmt: skip
SOURCE = """extern "C" __global__ void k(unsigned* x) {{
    unsigned value = x[threadIdx.x];
    asm volatile("{text};" : "+r"(value) : "l"(x));
    x[threadIdx.x] = value;
}}"""


@pytest.mark.parametrize("text", OUTSIDE, ids=lambda text: text.partition(" ")[0])
def test_inline_assembly_outside_is_refused_with_its_ptx_and_line(text: str) -> None:
    opcode = text.partition(" ")[0]
    with pytest.raises(SimulatorLacks) as raised:
        launch(Program(SOURCE.format(text=text)), "k", (1,), (32,), (np.zeros(32, np.uint32),))
    assert raised.value.what == f"the instruction {opcode}"
    assert raised.value.ptx.startswith(opcode)
    assert raised.value.line == 3
    assert "PTX: " + raised.value.ptx in str(raised.value)


@pytest.mark.parametrize("name", ["cudaLaunchDeviceV2", "cudaGetParameterBufferV2", "cudaDeviceSynchronize", "nanf"])
def test_functions_of_the_device_runtime_are_refused_by_name(name: str) -> None:
    text = f"""{HEADER}.extern .func (.param .b32 out) {name}(.param .b64 x);
        .visible .entry k(.param .u64 p) {{ .reg .b64 %a; ld.param.u64 %a, [p]; .loc 1 7 0
        {{ .param .b64 x; .param .b32 y; st.param.b64 [x], %a; call (y), {name}, (x); }} ret; }}"""
    with pytest.raises(SimulatorLacks) as raised:
        launch(Program(ptx=text), "k", (1,), (32,), (np.zeros(1),))
    assert (raised.value.what, raised.value.line) == (f"the function {name}", 7)
    assert f"call (y@1), {name}, (x@1)" in raised.value.ptx


@pytest.mark.parametrize("body", ["k<<<1, 1>>>(x);", "int y = __cluster_map_shared_rank(x, 0); *x = y;"])
def test_dynamic_parallelism_and_clusters_do_not_compile(body: str) -> None:
    with pytest.raises(CompileError):
        Program('extern "C" __global__ void k(int* x) {\n' + body + "\n}")
