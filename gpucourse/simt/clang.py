"""CUDA C to PTX through clang, for where there is no NVRTC: macOS.

The wheel `ziglang` carries a clang that can write PTX, for every platform. It knows the language but not NVIDIA's
headers; ours stand in `clang_headers`. Its messages are turned into the form that NVRTC's have, which the course reads.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gpucourse.errors import CompileError, SimulatorLacks
from gpucourse.simt.compile import (
    NO_ASSEMBLER,
    PTX_ARCHITECTURE,
    SOURCE_NAME,
    Compiled,
    Compiler,
    Resources,
    with_mending_lines,
)

HEADERS = Path(__file__).with_name("clang_headers")
_SECONDS = 120.0
_NAMES_FILE = "name_expressions"
_TARGET = (
    "-cc1", "-triple", "nvptx64-nvidia-cuda", "-target-cpu", PTX_ARCHITECTURE.replace("compute", "sm"),
    "-target-feature", "+ptx75", "-x", "cuda", "-fcuda-is-device", "-S", "-fno-builtin", "-fdeclspec",
    "-nostdsysteminc", "-nobuiltininc",
    # an int wraps around and an endless loop is endless, as in what NVRTC makes: a learner must meet both
    "-fwrapv", "-fno-finite-loops",
    # a value that was never set may be handed to a function (of a shuffle, all lanes but one often do that)
    "-no-enable-noundef-analysis", "-fno-caret-diagnostics", "-ferror-limit", "100",
    "-Wuninitialized", "-Wsometimes-uninitialized", "-Wconditional-uninitialized", "-Wno-self-assign",
)  # fmt: skip


class Clang(Compiler):
    """The clang of the wheel `ziglang`; `program` is its executable."""

    def __init__(self, program: Path, release: str) -> None:
        self.program, self._release = program, release

    def version(self) -> str:
        """For instance `"clang of ziglang 0.17.1, headers 0a1b2c3d"`."""
        return f"clang of ziglang {self._release}, headers {_fingerprint()}"

    def ptx(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> Compiled:
        chosen = chosen_options(options, source)
        with tempfile.TemporaryDirectory(prefix="gpucourse-") as folder:
            Path(folder, SOURCE_NAME).write_text(source + _named(names), encoding="utf-8")
            command = [str(self.program), "clang", *_TARGET, *chosen, "-I", str(HEADERS),
                       "-include", str(HEADERS / "gpucourse_device.h"), "-o", "kernel.ptx", SOURCE_NAME]  # fmt: skip
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace",
                                  timeout=_SECONDS, stdin=subprocess.DEVNULL)  # fmt: skip
            log = messages(done.stderr, source)
            if done.returncode:
                raise CompileError(with_mending_lines(log or done.stderr), source, SOURCE_NAME, options)
            text = Path(folder, "kernel.ptx").read_text(encoding="utf-8")
        return Compiled(*_without_names(own_file_first(text), names), log)

    def resources(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Resources]:
        raise SimulatorLacks(NO_ASSEMBLER)


@functools.cache
def _fingerprint() -> str:
    """Eight digits that change with our headers and with how clang is called: what the cache must know."""
    texts = [path.read_bytes() for path in sorted(HEADERS.rglob("*.h"))] + [Path(__file__).read_bytes()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:8]


@functools.cache
def clang() -> Clang | None:
    """The clang of the wheel `ziglang`, or None where the wheel is not installed."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder, "zig.exe" if sys.platform == "win32" else "zig")
        if program.exists():
            return Clang(program, importlib.metadata.version("ziglang"))
    return None


# --- options -----------------------------------------------------------------------------------------


@dataclass
class _Chosen:
    """What NVRTC's options ask for."""

    standard: str = "c++17"
    flush: bool = True
    contract: bool = True
    debug: bool = False
    fast: bool = False

    def words(self) -> Iterator[str]:
        yield f"-std={self.standard}"
        yield f"-ffp-contract={'fast' if self.contract else 'off'}"
        if self.flush:
            yield "-fdenormal-fp-math-f32=preserve-sign,preserve-sign"
        yield from ("-O0", "-debug-info-kind=limited") if self.debug else ("-O2", "-debug-info-kind=line-tables-only")
        if self.fast:
            yield from ("-D__GC_FAST__", "-mllvm", "-nvptx-prec-divf32=0", "-mllvm", "-nvptx-prec-sqrtf32=0")


def _said(value: str) -> bool:
    return value in ("", "true")


def _fast(chosen: _Chosen, value: str) -> None:
    chosen.fast = _said(value)


def _standard(chosen: _Chosen, value: str) -> None:
    chosen.standard = value


def _flush(chosen: _Chosen, value: str) -> None:
    chosen.flush = _said(value)


def _contract(chosen: _Chosen, value: str) -> None:
    chosen.contract = _said(value)


def _debug(chosen: _Chosen, value: str) -> None:
    chosen.debug = True


def _nothing(chosen: _Chosen, value: str) -> None:
    pass


_MEANINGS: dict[str, Callable[[_Chosen, str], None]] = {
    "use_fast_math": _fast, "std": _standard, "ftz": _flush, "fmad": _contract, "G": _debug, "device-debug": _debug,
    **dict.fromkeys(("lineinfo", "generate-line-info", "default-device", "device-as-default-execution-space",
                     "maxrregcount", "w", "disable-warnings", "extra-device-vectorization", "arch", "prec-div",
                     "prec-sqrt", "restrict", "dopt", "Ofast-compile", "device-int128"), _nothing),
}  # fmt: skip


def chosen_options(options: tuple[str, ...], source: str = "") -> list[str]:
    """clang's words for NVRTC's options; raises `CompileError`, as NVRTC does, for one that it does not know."""
    chosen, kept, words = _Chosen(), list[str](), iter(options)
    for word in words:
        if re.match(r"-[DIU]", word):
            kept += [word, next(words, "")] if len(word) == 2 else [word]
            continue
        name, _, value = word.lstrip("-").partition("=")
        if name not in _MEANINGS or not word.startswith("-"):
            raise CompileError(f"nvrtc: error: unrecognized option {word} found", source, SOURCE_NAME, options)
        _MEANINGS[name](chosen, value)
    return [*chosen.words(), *kept]


# --- name expressions --------------------------------------------------------------------------------
# A constant of the kernel's address makes clang instantiate the template and tell the mangled name.


def _named(names: tuple[str, ...]) -> str:
    lines = [f'\n#line 1 "{_NAMES_FILE}"\n'] if names else []
    for number, name in enumerate(names):
        pointer = name if name.lstrip().startswith("&") else f"&{name}"
        lines.append(f"__attribute__((device, used)) decltype({pointer}) const __gc_name_{number} = {pointer};\n")
    return "".join(lines)


_NAME = re.compile(r"^\.[^\n]*\b_ZL\d+__gc_name_(\d+) = (?:generic\()?([\w$]+)\)?;\n", re.MULTILINE)


def _without_names(ptx: str, names: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The text without those constants, and what they tell."""
    found = {names[int(number)]: mangled for number, mangled in _NAME.findall(ptx)}
    return _NAME.sub("", ptx), {name: found[name] for name in names if name in found}


_FILE = re.compile(r'^\s*\.file\s+(\d+)\s+(?:"[^"\n]*"\s+)?"([^"\n]*)"', re.MULTILINE)


def own_file_first(ptx: str) -> str:
    """The text with the learner's source as file 1 of `.loc`: clang numbers files as it meets them."""
    own = next((number for number, name in _FILE.findall(ptx) if Path(name).name == SOURCE_NAME), "1")
    if own == "1":
        return ptx
    other = {"1": own, own: "1"}
    return re.sub(r"^(\s*\.(?:loc|file)\s+)(\d+)", lambda m: m[1] + other.get(m[2], m[2]), ptx, flags=re.MULTILINE)


# --- messages ----------------------------------------------------------------------------------------

_MESSAGE = re.compile(
    r"^(?:\S*/)?(?P<file>[^\s:]+):(?P<line>\d+)(?::(?P<column>\d+))?: "
    r"(?P<kind>fatal error|error|warning|note): (?P<text>.*?)(?: \[-W[\w,=-]+\])?$"
)
#: clang's words -> NVRTC's, where the course or a learner's search knows the latter
_WORDS = (
    (re.compile(r"(?:use of undeclared identifier|unknown type name) '(\w+)'(?:; did you mean.*)?"),
     r'identifier "\1" is undefined'),
    (re.compile(r"variable '(\w+)' (?:(?:is|may be) uninitialized when used|is used uninitialized).*"),
     r'variable "\1" is used before its value is set'),
    (re.compile(r"'([^']+)' file not found.*"), r'could not open source file "\1"'),
    (re.compile(r"expected '(\W)'.*"), r'expected a "\1"'),
    (re.compile(r"expected expression"), "expected an expression"),
    (re.compile(r"cannot cast from type .*"), "invalid type conversion"),
)  # fmt: skip
_UNSET = "is used before its value is set"


_SPACE = re.compile(rb"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)


def messages(log: str, source: str) -> str:
    """clang's log in NVRTC's form: `kernel.cu(5): error: identifier "x" is undefined`, and how many there are."""
    lines, errors = [], 0
    for line in log.splitlines():
        found = _MESSAGE.match(line)
        if found is None or (found["kind"] == "note" and found["file"] != SOURCE_NAME):
            continue
        kind = {"fatal error": "catastrophic error"}.get(found["kind"], found["kind"])
        text = _reworded(found["text"])
        if kind == "warning":
            kind = "warning #549-D" if text.endswith(_UNSET) else "warning"
        errors += "error" in kind
        number = int(found["line"])
        if found["column"] and found["file"] == SOURCE_NAME and text.startswith("expected a "):
            number = _line_of_next_word(source, number, int(found["column"]))
        lines.append(f"{found['file']}({number}): {kind}: {text}")
    if errors:
        lines.append(f'{errors} error{"s" * (errors > 1)} detected in the compilation of "{SOURCE_NAME}".')
    return "\n".join(lines) + "\n" if lines else ""


def _line_of_next_word(source: str, line: int, column: int) -> int:
    """Where NVRTC misses something: at what stands there instead. clang says where the word before it ended."""
    text = source.encode()
    start = sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column - 1
    space = _SPACE.match(text, start)
    return line + (space[0].count(b"\n") if space else 0)


def _reworded(text: str) -> str:
    for pattern, words in _WORDS:
        if pattern.fullmatch(text):
            return pattern.sub(words, text)
    return text
