"""gpucourse/simt/README.md runs: every Python fence, in order, prints what the fence under it shows.

A `text` fence must match exactly. A `ptx` fence is a listing whose registers and order may change with the
compiler: only its opcodes must occur in what is printed. Fences without a language are drawings.
"""

from __future__ import annotations

import contextlib
import io
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucourse.cupy_sim import driver
from gpucourse.errors import CompileError, Deadlock, KernelFault, LaunchError, SimulatorLacks
from gpucourse.simt import compile as compiler
from gpucourse.simt import instructions, memory, occupancy, sanitize
from gpucourse.simt import run as machine
from gpucourse.simt.link import Program

README = Path(__file__).parents[2] / "gpucourse" / "simt" / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPCODE = re.compile(r"^\s*(?:@!?%\w+\s+)?([a-z]\w*)(?=[.;\s])", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, and the line of the file that it begins at."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Example:
    """Python code and the fence that shows what it prints (None: it prints nothing)."""

    code: Fence
    shown: Fence | None


def fences(document: str) -> list[Fence]:
    """All fenced blocks of a Markdown text."""
    return [Fence(m[1], m[2], document.count("\n", 0, m.start()) + 1) for m in _FENCE.finditer(document)]


def examples(document: str) -> Iterator[Example]:
    """Each Python fence with the `text` or `ptx` fence after it; raises ValueError for one that nothing checks."""
    waiting: Fence | None = None
    for fence in fences(document):
        if fence.language in ("text", "ptx"):
            if waiting is None:
                raise ValueError(f"line {fence.line}: no Python fence stands before this {fence.language} fence")
            yield Example(waiting, fence)
            waiting = None
            continue
        if fence.language not in ("python", "", "sh"):
            raise ValueError(f"line {fence.line}: a fence in {fence.language!r} is not checked by anything")
        if fence.language == "python":
            if waiting is not None:
                yield Example(waiting, None)
            waiting = fence
    if waiting is not None:
        yield Example(waiting, None)


def printed(code: Fence, names: dict[str, Any]) -> str:
    """What the code prints; its names are left in `names`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * code.line + code.text, str(README), "exec"), names)
    return out.getvalue()


def difference(shown: Fence | None, out: str) -> str:
    """What is wrong with what a fence shows; "" for nothing."""
    if shown is not None and shown.language == "ptx":
        missing = set(_OPCODE.findall(shown.text)) - set(_OPCODE.findall(out))
        return f"the PTX has no {', '.join(sorted(missing))}" if missing else ""
    expected = shown.text if shown is not None else ""
    return "" if out == expected else f"it prints\n{out}and the file shows\n{expected}"


def faults(document: str) -> list[str]:
    """Every example whose output is not what the document shows."""
    names: dict[str, Any] = {"__name__": "readme"}
    found = ((e.code.line, difference(e.shown, printed(e.code, names))) for e in examples(document))
    return [f"line {line}: {what}" for line, what in found if what]


@pytest.fixture
def own_opcodes() -> Iterator[None]:
    """The page adds an opcode to the tables: they are put back."""
    tables: tuple[dict[str, Any], ...] = (instructions.OPCODES, instructions._SIGNATURES)
    before = [dict(table) for table in tables]
    yield
    for table, held in zip(tables, before, strict=True):
        table.clear()
        table.update(held)


@pytest.mark.usefixtures("own_opcodes")
def test_every_example_prints_what_the_readme_shows() -> None:
    assert not faults(README.read_text("utf-8"))


def test_links_resolve() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text("utf-8")):
        if not target.startswith("https://"):
            assert (README.parent / target).exists(), f"the README links to {target}, which is not there"


def test_the_reading_order_names_every_file_once() -> None:
    rows = re.findall(r"^\| .*", README.read_text("utf-8").partition("## Reading order")[2], re.MULTILINE)
    named = re.findall(r"\[`(\w+\.py)`\]", "\n".join(rows))
    assert sorted(named) == sorted(p.name for p in README.parent.glob("*.py") if p.name != "__init__.py")


# --- the checker itself ------------------------------------------------------------------------------


def page(*blocks: str) -> str:
    return "\n\nprose\n\n".join(f"```{block}\n```" for block in blocks)


def test_a_right_page_passes_and_names_live_on() -> None:
    assert faults(page("python\nx = 2", "python\nprint(x)", "text\n2", "\na drawing")) == []


@pytest.mark.parametrize(("blocks", "what"), [
    (("python\nprint(1)", "text\n2"), "line 1: it prints\n1\n"),
    (("python\nprint(1)",), "line 1: it prints"),
    (("python\nx = 1", "text\n1"), "line 1: it prints"),
    (("python\nx = 1", "python\nprint(x)", "python\nprint(x)", "text\n1"), "line 7: it prints"),
    (("python\nprint('add.s32 %r1;')", "ptx\n@%p1 bra L;\nadd.f32 %f1;"), "line 1: the PTX has no bra"),
])  # fmt: skip
def test_a_wrong_page_is_found(blocks: tuple[str, ...], what: str) -> None:
    assert faults(page(*blocks))[0].startswith(what)


@pytest.mark.parametrize("blocks", [("text\n1",), ("python\nprint(1)", "text\n1", "text\n1"), ("cuda\nint x;",)])
def test_a_fence_that_nothing_checks_is_refused(blocks: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="fence"):
        faults(page(*blocks))


# --- what differs from hardware: each row as it is ---------------------------------------------------

STRAIGHT = "long long a = clock64(); o[5] = o[6]; o[0] = clock64() - a;"
REGISTERS = 'asm volatile("mov.u32 %0, %%smid; mov.u32 %1, %%nsmid;" : "=r"(o[0]), "=r"(o[1]));'
BLANK = """
__shared__ int s[32];
o[0] = s[o[2]];
int l[32];
if (o[1] != 7) for (int i = 0; i < 32; i++) l[i] = i;
o[1] = l[o[2]];
"""
SUMMED = """
atomicAdd((float*)&o[32], threadIdx.x == 1 ? 1e8f : threadIdx.x == 31 ? -1e8f : 1.0f);   // 1e8 + 1 is 1e8
o[0] = *(volatile int*)&o[32] == 0;
"""
MALLOC = """
if (threadIdx.x) return;
char* p = (char*)malloc(6 << 20); o[0] = p != nullptr; free(p);
p = (char*)malloc(1 << 20); o[1] = p != nullptr && malloc(6 << 20) != nullptr && malloc(1 << 20) == nullptr;
"""
RECURSION = "__device__ __noinline__ int g(int n) { return n == -5 ? 0 : 1 + g(n + 1) * g(n + 2); }"
FOUR, TWO = "{%0, %0, %0, %0}", "{%0, %0}"
PRODUCT = f'asm("mma.sync.aligned.m8n8k4.row.col.f16.f16.f16.f16 {FOUR}, {TWO}, {TWO}, {FOUR};" :: "r"(1));'
SHUFFLED = "o[0] = 9; if (threadIdx.x < 8) o[threadIdx.x] = __shfl_sync(0xff, threadIdx.x + 100, 20);"


@pytest.mark.parametrize(("row", "body", "first", "second"), [
    ("| 750 |", "o[0] = __CUDA_ARCH__;", 750, 7),
    ("no difference along a straight line", STRAIGHT, 0, 7),
    ("| 0 and 1 |", REGISTERS, 0, 1),
    ("| a shuffle from a lane that is not there | `0x7fffffff`", SHUFFLED, 0x7FFFFFFF, 0x7FFFFFFF),
    ("at the start | zeros |", BLANK, 0, 0),
    ("lanes in ascending order", SUMMED, 1, 7),
    ("| 8 MiB a program; freed memory is used again when no other is left |", MALLOC, 1, 1),
])  # fmt: skip
def test_a_row_of_the_differences_holds(row: str, body: str, first: int, second: int) -> None:
    assert row in README.read_text("utf-8")
    found = np.r_[np.full(32, 7, np.int32), np.zeros(1, np.int32)]
    run(body, found)
    assert found[:2].tolist() == [first, second]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the row speaks of x86")
def test_the_bits_of_a_nan() -> None:
    assert "`0xffc00000` on x86" in README.read_text("utf-8")
    found = np.zeros(32, np.int32)
    run("o[0] = __float_as_int((float)o[1] / (float)o[2]);", found)
    assert found.view(np.uint32)[0] == 0xFFC00000


def test_lanes_print_in_order() -> None:
    assert run('printf("%d ", threadIdx.x);', np.zeros(32, np.int32)) == "".join(f"{lane} " for lane in range(32))


@pytest.mark.parametrize(("row", "error", "message", "above", "body"), [
    ("lanes meet at the same place of the program", Deadlock, "that never come", "",
     "if (threadIdx.x < 16) o[0] = __shfl_sync(~0u, o[1], 0); else o[2] = __shfl_sync(~0u, o[3], 16);"),
    ("1,000 deep", KernelFault, "deeper than 1000",
     RECURSION, "o[0] = g(o[1]);"),
    ("49,152 bytes", LaunchError, "49152", "", "__shared__ int s[12289]; s[threadIdx.x] = 1; o[0] = s[o[1]];"),
    ("`mma.sync`", SimulatorLacks, "mma.sync", "", PRODUCT),
    ("textures and", SimulatorLacks, "tex.1d", "", "o[0] = tex1Dfetch<int>((cudaTextureObject_t)o, 3);"),
    ("surfaces", SimulatorLacks, "sust.b.1d", "", "surf1Dwrite(1, (cudaSurfaceObject_t)o, 4 * threadIdx.x);"),
    ("`cp.async`", SimulatorLacks, "cp.async", "", 'asm("cp.async.commit_group;");'),
    ("thread-block clusters", CompileError, "not supported", "__global__ void __cluster_dims__(2, 1, 1) c() {}", ""),
    ("launch kernels do not even compile", CompileError, "launch", "__global__ void c() {}", "c<<<1, 1>>>();"),
])  # fmt: skip
def test_what_is_refused_is_refused(row: str, error: type[Exception], message: str, above: str, body: str) -> None:
    assert row in README.read_text("utf-8")
    with pytest.raises(error, match=re.escape(message)):
        run(body, np.zeros(32, np.int32), above)


@pytest.mark.parametrize(("row", "body"), [
    ("an index outside a row, inside the array", "__shared__ int t[4][64]; t[0][threadIdx.x + o[1] + 64] = 1;"),
    ("two writes of the same value", "o[0] = 3;"),
    ("code that this launch's data did not reach", "if (o[1] == 9) o[0] = threadIdx.x;"),
    ("local arrays and registers", "int l[32]; if (o[1]) for (int i = 0; i < 32; i++) l[i] = i;"
     "o[32 + threadIdx.x] = l[o[2]];"),
])  # fmt: skip
def test_what_the_sanitizer_does_not_see(row: str, body: str) -> None:
    assert row in README.read_text("utf-8")
    program = Program(f'extern "C" __global__ void k(int* o) {{ {body} }}')
    assert sanitize.sanitize_launch(program, "k", (1,), (32,), (np.zeros(64, np.int32),)).ok


def test_the_page_gives_the_numbers_of_the_code() -> None:
    text = " ".join(README.read_text("utf-8").split())
    t4, a100, h100 = (occupancy.limits_of(name)[2].shared_per_block for name in ("T4", "A100", "H100"))
    for number, phrase in (
        (machine.LANES_PER_WAVE, "up to {} lanes"), (machine.STAY, "mostly ({})"),
        (machine.RESIDENT_THREADS, "until {} threads"), (machine.RESIDENT_THREADS, "{}, rounded up to whole waves"),
        (machine.MOST_SPIN_ROUNDS, "After {} rounds"), (machine.BUDGET, "issues {} instructions"),
        (machine.DEFAULT_SHARED, "{} bytes; up to"), (driver.MAX_SHARED, "up to {} if"), (t4, "{} on a T4"),
        (a100, "{} on an A100"), (h100, "{} on an H100"), (machine.MAX_SHARED, "{} on an H100"),
        (machine.CALL_DEPTH, "{} deep"), (memory.RED_ZONE >> 20, "{} MiB of addresses"),
        (sanitize.RED_ZONE, "{} bytes stay free"), (sanitize.MOST_THREADS, "more than {} threads"),
    ):  # fmt: skip
        assert phrase.format(f"{number:,}") in text
    assert f"`{compiler.PTX_ARCHITECTURE}`" in text and f"`{compiler.RESOURCE_ARCHITECTURE}`" in text
    assert machine.SAME_STATES == 3 and "same state three times" in text


def run(body: str, out: NDArray[np.int32], above: str = "") -> str:
    """Run one warp with `o` for `out`; what it prints."""
    program = Program(f'{above}\nextern "C" __global__ void k(int* o) {{ {body} }}')
    return machine.launch(program, "k", (1,), (32,), (out,)).printed
