"""CUDA C to PTX through NVRTC, which needs neither a GPU nor a driver.

The compiler sits behind one small interface, `Compiler`: `version`, `ptx` and `resources`. NVRTC is reached through
ctypes, from whichever CUDA 12 or 13 wheel or toolkit is there; where there is none, `front_end.py` has others.
"""

from __future__ import annotations

import ctypes
import functools
import glob
import hashlib
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from gpucourse.errors import CompileError, MissingPackage
from gpucourse.simt.on_colab import bring_compiler

#: Architecture that the simulator executes (NVRTC 12 and 13 both accept it).
PTX_ARCHITECTURE = "compute_75"
#: Architecture whose assembler reports registers, spills and shared memory.
RESOURCE_ARCHITECTURE = "sm_80"
#: Name that the compiler's messages carry; CuPy's is the path of a temporary file.
SOURCE_NAME = "kernel.cu"
#: What a front end lacks that has no assembler.
NO_ASSEMBLER = "the registers of this kernel: NVRTC's assembler counts them, and it is not on this machine"


@dataclass(frozen=True)
class Compiled:
    """PTX text of one translation unit; `names` maps each name expression to its mangled kernel name."""

    ptx: str
    names: dict[str, str]
    log: str


@dataclass(frozen=True)
class Resources:
    """What the assembler (sm_80) gives one kernel: registers a thread, and bytes of memory."""

    registers: int
    spill_store_bytes: int
    spill_load_bytes: int
    stack_bytes: int
    shared_bytes: int
    constant_bytes: int


class Compiler(Protocol):
    """A front end: CUDA C text to PTX text, and to the resources its assembler reports."""

    def version(self) -> str:
        """Name and version, part of the cache's key."""
        ...

    def ptx(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> Compiled:
        """PTX of `source`, with the mangled name of each of `names`."""
        ...

    def resources(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Resources]:
        """What the assembler reports of each kernel, by mangled name; raises `SimulatorLacks` without an assembler."""
        ...


def compile_ptx(
    source: str, options: tuple[str, ...] = (), names: tuple[str, ...] = (), cached: bool = True
) -> Compiled:
    """Compile CUDA C to PTX with CuPy's options, target compute_75 and line information.

    `options` are the learner's own (`-DN=4`); `names` are name expressions such as `"add<float>"`.
    Raises `CompileError` with the compiler's log and the learner's own line numbers, and
    `MissingPackage` where there is no compiler. Results are kept on disk unless `cached` is False.
    """
    from gpucourse.simt.front_end import front_end

    compiler = front_end()
    key = _key("ptx", compiler.version(), source, options, names)
    stored = _load(key) if cached else None
    if stored is None:
        stored = asdict(compiler.ptx(source, options, names))
        if cached:
            _store(key, stored | {"asked": [source, options, names]})
    return Compiled(**{name: stored[name] for name in ("ptx", "names", "log")})


def kernel_resources(
    source: str, options: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> dict[str, Resources]:
    """Registers, spills and memory per (mangled) kernel name, from NVRTC's own assembler for sm_80."""
    from gpucourse.simt.front_end import front_end

    compiler = front_end()
    key = _key("resources", compiler.version(), source, options, names)
    stored = _load(key)
    if stored is None:
        found = compiler.resources(source, options, names)
        stored = {"kernels": {name: asdict(used) for name, used in found.items()}, "asked": [source, options, names]}
        _store(key, stored)
    return {name: Resources(**used) for name, used in stored["kernels"].items()}


_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_RESOURCE_FIELDS = {
    "registers": re.compile(r"Used (\d+) registers"),
    "spill_store_bytes": re.compile(r"(\d+) bytes spill stores"),
    "spill_load_bytes": re.compile(r"(\d+) bytes spill loads"),
    "stack_bytes": re.compile(r"(\d+) bytes stack frame"),
    "shared_bytes": re.compile(r"(\d+) bytes smem"),
}
_CONSTANT = re.compile(r"(\d+) bytes cmem\[\d+\]")


def parse_resources(log: str) -> dict[str, Resources]:
    """Read the assembler's `-v` log: one `Resources` per entry function."""
    parts = _ENTRY.split(log)[1:]
    return {name: _resources_of(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _resources_of(text: str) -> Resources:
    found = {field: pattern.search(text) for field, pattern in _RESOURCE_FIELDS.items()}
    values = {field: int(match[1]) if match else 0 for field, match in found.items()}
    return Resources(**values, constant_bytes=sum(int(n) for n in _CONSTANT.findall(text)))


# --- options and include folders, as CuPy gives them -------------------------------------------------


def cupy_options(options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The options that CuPy 14 hands to NVRTC for `options`, without the architecture."""
    standard = () if any("-std=c++" in option for option in options) else ("--std=c++17",)
    before, after = _include_folders()
    flags = ("-ftz=true", "--device-as-default-execution-space")
    return (
        *(f"-I{folder}" for folder in before), *options, *standard,
        *(f"-I{folder}" for folder in after), *flags,
    )  # fmt: skip


@functools.cache
def _include_folders() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Folders before and after the learner's options: CuPy's own CCCL first, then CUDA's headers."""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    cupy = importlib.util.find_spec("cupy")
    if cupy and cupy.submodule_search_locations:
        root = Path(cupy.submodule_search_locations[0], "_core", "include")
        before = tuple(str(root / "cupy" / "_cccl" / part) for part in ("cub", "thrust", "libcudacxx"))
        after = (str(root),)
    cuda = next(_cuda_include_folders(), None)
    if cuda and not before:
        before = (str(cuda / "cccl"),)
    return before, (*after, *(_with_crt(cuda) if cuda else ()))


def _with_crt(folder: Path) -> tuple[str, ...]:
    """A folder of CUDA's headers, and the one of crt/: in CUDA 12's wheels the latter belongs to the compiler."""
    crt = folder.parent.parent / "cuda_nvcc" / "include"
    return (str(folder), str(crt)) if (crt / "crt").exists() and not (folder / "crt").exists() else (str(folder),)


def _cuda_include_folders() -> Iterator[Path]:
    for root in _cuda_roots():
        for folder in (root / "include", root / "cuda_runtime" / "include"):
            if (folder / "cuda_runtime.h").exists():
                yield folder


def _cuda_roots() -> Iterator[Path]:
    """Places that may hold `lib` and `include` of CUDA: the wheels first, then an installed toolkit."""
    nvidia = importlib.util.find_spec("nvidia")
    for folder in (nvidia.submodule_search_locations or ()) if nvidia else ():
        yield from (Path(folder, "cu13"), Path(folder, "cuda_nvrtc"), Path(folder))
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if variable in os.environ:
            yield Path(os.environ[variable])
    yield Path("/usr/local/cuda")


def _library_candidates() -> Iterator[str]:
    patterns = ("bin/**/nvrtc64_*_0.dll",) if sys.platform == "win32" else (
        "lib/libnvrtc.so.*", "lib64/libnvrtc.so.*", "lib/*/libnvrtc.so.*")  # fmt: skip
    for root in _cuda_roots():
        for pattern in patterns:
            found = glob.glob(str(root / pattern), recursive=True)
            yield from sorted((name for name in found if "builtins" not in name), reverse=True)
    yield from ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so")


def _builtins_beside(path: str) -> list[str]:
    """The libraries of built-in functions in the folder of an NVRTC, none for a bare name."""
    folder = os.path.dirname(path)
    return sorted(glob.glob(f"{glob.escape(folder)}/libnvrtc-builtins.so.*")) if folder else []


# --- NVRTC -------------------------------------------------------------------------------------------


class Nvrtc(Compiler):
    """NVRTC's C interface; `path` is its shared library."""

    def __init__(self, path: str) -> None:
        self.path = path
        # 13.0 looks for its built-in functions on the system's paths only, never beside itself
        self._builtins = [ctypes.CDLL(name) for name in _builtins_beside(path)]
        self._library = ctypes.CDLL(path)

    @functools.lru_cache(maxsize=1)  # noqa: B019 - one instance lives as long as the process
    def version(self) -> str:
        """Version of the compiler, for instance `"nvrtc 13.2"`."""
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return f"nvrtc {major.value}.{minor.value}"

    def ptx(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> Compiled:
        extra = ("-lineinfo", f"-arch={PTX_ARCHITECTURE}")
        with _Program(self._library, source, names) as program:
            log = program.compile((*cupy_options(options), *extra))
            return Compiled(program.text("PTX"), {name: program.lowered(name) for name in names}, log)

    def resources(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Resources]:
        extra = (f"-arch={RESOURCE_ARCHITECTURE}", "--ptxas-options=-v")
        with _Program(self._library, source, names) as program:
            return parse_resources(program.compile((*cupy_options(options), *extra)))


class _Program:
    """One nvrtcProgram, destroyed on leaving the `with` block."""

    def __init__(self, library: ctypes.CDLL, source: str, names: tuple[str, ...]) -> None:
        self._library, self._source, self._names = library, source, names
        self._handle = ctypes.c_void_p()

    def __enter__(self) -> _Program:
        self._call("nvrtcCreateProgram", ctypes.byref(self._handle), self._source.encode(),
                   SOURCE_NAME.encode(), 0, None, None, handle=False)  # fmt: skip
        for name in self._names:
            self._call("nvrtcAddNameExpression", name.encode())
        return self

    def __exit__(self, *_: object) -> None:
        self._library.nvrtcDestroyProgram(ctypes.byref(self._handle))

    def compile(self, options: tuple[str, ...]) -> str:
        """Compile; the log (warnings) on success, `CompileError` with the log otherwise."""
        array = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        status = self._library.nvrtcCompileProgram(self._handle, len(options), array)
        log = self.text("ProgramLog")
        if status:
            raise CompileError(with_mending_lines(log), self._source, SOURCE_NAME, options)
        return log

    def text(self, what: str) -> str:
        """`what` is "PTX" or "ProgramLog"."""
        size = ctypes.c_size_t()
        self._call(f"nvrtcGet{what}Size", ctypes.byref(size))
        buffer = ctypes.create_string_buffer(max(size.value, 1))
        self._call(f"nvrtcGet{what}", buffer)
        return buffer.value.decode(errors="replace")

    def lowered(self, name: str) -> str:
        result = ctypes.c_char_p()
        self._call("nvrtcGetLoweredName", name.encode(), ctypes.byref(result))
        return (result.value or b"").decode()

    def _call(self, function: str, *arguments: Any, handle: bool = True) -> None:
        status = getattr(self._library, function)(*((self._handle,) if handle else ()), *arguments)
        if status:
            self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
            text = self._library.nvrtcGetErrorString(status).decode()
            raise CompileError(f"{function}: {text}", self._source, SOURCE_NAME, ())


@functools.cache
def nvrtc() -> Nvrtc:
    """The NVRTC of this environment; raises `MissingPackage` with the command that brings one."""
    found = _load_nvrtc() or (_load_nvrtc() if bring_compiler() else None)
    if found:
        return found
    raise MissingPackage(
        "no NVRTC library was found, and kernels cannot be compiled without it; "
        "install one with: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-crt"
    )


def _load_nvrtc() -> Nvrtc | None:
    for path in _library_candidates():
        try:
            return Nvrtc(path)
        except OSError:
            continue
    return None


# --- messages ----------------------------------------------------------------------------------------

# what bare NVRTC lacks -> the line that mends it
_MENDING_LINES = {
    "INFINITY": "#define INFINITY __int_as_float(0x7f800000)",
    "NAN": "#define NAN __int_as_float(0x7fffffff)",
    "FLT_MAX": "#define FLT_MAX 3.402823466e+38f",
    "FLT_MIN": "#define FLT_MIN 1.175494351e-38f",
    "FLT_EPSILON": "#define FLT_EPSILON 1.192092896e-07f",
    "DBL_MAX": "#define DBL_MAX 1.7976931348623158e+308",
    "DBL_EPSILON": "#define DBL_EPSILON 2.2204460492503131e-16",
    "INT_MAX": "#define INT_MAX 2147483647",
    "INT_MIN": "#define INT_MIN (-2147483647 - 1)",
    "UINT_MAX": "#define UINT_MAX 4294967295u",
    "M_PI": "#define M_PI 3.14159265358979323846",
    "M_E": "#define M_E 2.71828182845904523536",
    "M_SQRT2": "#define M_SQRT2 1.41421356237309504880",
    "int8_t": "typedef signed char int8_t;",
    "uint8_t": "typedef unsigned char uint8_t;",
    "int16_t": "typedef short int16_t;",
    "uint16_t": "typedef unsigned short uint16_t;",
    "int32_t": "typedef int int32_t;",
    "uint32_t": "typedef unsigned int uint32_t;",
    "int64_t": "typedef long long int64_t;",
    "uint64_t": "typedef unsigned long long uint64_t;",
    "half": "#include <cuda_fp16.h>",
    "__half": "#include <cuda_fp16.h>",
    "cooperative_groups": "#include <cooperative_groups.h>",
    "nvcuda": "#include <mma.h>",
}
_UNDEFINED = re.compile(r'identifier "(\w+)" is undefined|name must be a namespace name')
_NO_FILE = re.compile(r'could(?: not|n\'t) open source file "([^"]+)"|cannot open source file "([^"]+)"')


def with_mending_lines(log: str) -> str:
    """`log` with one line more for each usual gap: what NVRTC lacks, and the line that mends it."""
    notes = []
    for name in dict.fromkeys(match[1] for match in _UNDEFINED.finditer(log) if match[1]):
        if name in _MENDING_LINES:
            notes.append(f"NVRTC has no {name}; add this line above the kernel:  {_MENDING_LINES[name]}")
    for match in _NO_FILE.finditer(log):
        name = match[1] or match[2]
        notes.append(f"NVRTC has no <{name}>, a header for the CPU's compiler; math functions, printf and "
                     "assert are there without it, so delete that #include")  # fmt: skip
    return "\n".join([log.rstrip("\n\0"), *notes])


# --- cache -------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Folder of compiled kernels; the environment variable GPUCOURSE_CACHE_DIR moves it."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpucourse"
    return Path(os.environ.get("GPUCOURSE_CACHE_DIR") or default) / "kernels"


def _key(kind: str, version: str, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> str:
    everything = json.dumps([3, kind, version, source, cupy_options(options), names])
    return hashlib.sha256(everything.encode()).hexdigest()


def _load(key: str) -> dict[str, Any] | None:
    """The stored entry; None when it is absent or damaged."""
    try:
        entry = json.loads((cache_folder() / f"{key}.json").read_text())
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) else None


def _store(key: str, entry: dict[str, Any]) -> None:
    """Write through a temporary file, so that two processes never see half an entry."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache_folder(), delete=False) as file:
            json.dump(entry, file)
        os.replace(file.name, cache_folder() / f"{key}.json")
    except OSError:
        pass  # a folder that cannot be written costs time, not correctness
