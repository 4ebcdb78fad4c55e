"""Run a conformance kernel as C++ on the CPU: g++, one shared library per chapter, ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.simt.conformance.kernel import Arguments, Kernel

HEADER = Path(__file__).with_name("cuda_shim.h")
FLAGS = ("-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-fno-strict-aliasing", "-ffp-contract=off")

_DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?([\w ]+?)\s+(\w+)\[\];")
_INCLUDE = re.compile(r"^\s*#include.*$", re.MULTILINE)
_DEFINE = re.compile(r"^\s*#define\s+(\w+)", re.MULTILINE)

_ENTRY = """
extern "C" const char* run_{name}(void** a, const unsigned* g, const unsigned* b, size_t s, int f) {{
    return shim::launch<&{entry}>(a, g, b, s, f);
}}
"""
_SYMBOL = 'extern "C" void* symbol_{name}_{symbol}() {{ return (void*)&{symbol}; }}\n'


def available() -> bool:
    """Whether there is a g++."""
    return shutil.which("g++") is not None


class Library:
    """Several kernels as one shared library, each in a namespace of its own."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._library = ctypes.CDLL(str(_build('#include "cuda_shim.h"\n' + "".join(map(_unit, kernels)))))

    def run(self, kernel: Kernel, arguments: Arguments, falling: bool = False) -> str:
        """Launch; arrays in `arguments` are written in place. Returns what the kernel printed.

        `falling` starts blocks and threads from the last one. Raises RuntimeError on a failed assert and
        on a wait that cannot end.
        """
        for symbol, value in kernel.constants.items():
            address = self._call(f"symbol_{kernel.name}_{symbol}", ctypes.c_void_p)
            ctypes.memmove(address, value.tobytes(), value.nbytes)
        cells = [_cell(value) for value in arguments]
        pointers = (ctypes.c_void_p * max(len(cells), 1))(*(cell.ctypes.data for cell in cells))
        shape = _triple(kernel.grid), _triple(kernel.block), ctypes.c_size_t(kernel.shared_bytes)
        error = self._call(f"run_{kernel.name}", ctypes.c_char_p, pointers, *shape, int(falling))
        if error:
            raise RuntimeError(error.decode())
        return str(self._call("shim_printed", ctypes.c_char_p).decode())

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        function = getattr(self._library, name)
        function.restype = result
        return function(*arguments)


def _cell(value: Any) -> Any:
    """An array whose memory holds the argument: a pointer for an array, the bytes of a scalar or struct."""
    if isinstance(value, np.ndarray):
        return np.array([value.ctypes.data], np.uint64)
    return np.frombuffer(value.tobytes(), np.uint8)


def _triple(shape: tuple[int, ...]) -> Any:
    return (ctypes.c_uint * 3)(*shape, *(1,) * (3 - len(shape)))


def _unit(kernel: Kernel) -> str:
    source = _INCLUDE.sub("", kernel.source).replace('extern "C"', "")
    source = _DYNAMIC.sub(r"\1* \2 = (\1*)shim::dynamic;", source)
    defines = [option[2:].replace("=", " ", 1) for option in kernel.options if option.startswith("-D")]
    names = [*(define.split()[0] for define in defines), *_DEFINE.findall(source)]
    return "".join([
        *(f"#define {define}\n" for define in defines),
        f"namespace k_{kernel.name} {{\n{source}\n",
        *(_SYMBOL.format(name=kernel.name, symbol=symbol) for symbol in kernel.constants),
        _ENTRY.format(name=kernel.name, entry=kernel.entry),
        "}\n",
        *(f"#undef {name}\n" for name in names),
    ])  # fmt: skip


def _build(text: str) -> Path:
    """Compile, or take the library that an earlier run compiled from the same text."""
    key = hashlib.sha256((text + HEADER.read_text() + " ".join(FLAGS)).encode()).hexdigest()[:32]
    folder = Path(tempfile.gettempdir(), f"gpucourse-cpu-shim-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{key}.so"
    if not library.exists():
        source = folder / f"{key}.{os.getpid()}.cpp"
        source.write_text(text)
        partial = source.with_suffix(".so")
        command = ["g++", *FLAGS, f"-I{HEADER.parent}", str(source), "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"g++ failed on {source}:\n{done.stderr[:4000]}")
        partial.replace(library)
        source.unlink()
    return library
