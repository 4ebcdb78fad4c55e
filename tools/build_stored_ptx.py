"""Writes gpucourse/simt/stored_ptx.json.xz: PTX, made by NVRTC, of every kernel that the course itself prints.

It runs the solved edition of each lesson that has kernels, compiles the stubs of its exercises and the package's own
tables of kernels, and keeps what went through the compiler, with the registers that NVIDIA's assembler counts.

    python tools/build_stored_ptx.py            # some minutes; needs NVRTC
    python tools/build_stored_ptx.py --stale    # prints which files have changed since, and builds nothing
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import json
import linecache
import lzma
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("benchmarks", "cupy_sim", "exercises", "nn", "viz")
_FENCE = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MAGIC = re.compile(r"^( *)[%!].*", re.MULTILINE)
_KERNEL = re.compile(r"__global__|__device__|Kernel\(|RawModule\(|\bfuse\(")
_MAKERS = ("RawKernel", "RawModule", "ElementwiseKernel", "ReductionKernel", "fuse")


# --- has a kernel changed? ---------------------------------------------------------------------------


def digests() -> dict[str, str]:
    """File -> a digest of the kernels in it: of all texts with CUDA C, and of the calls that make a kernel."""
    lessons = sorted((ROOT / "notebooks" / "src").glob("*.md"))
    modules = [path for name in PACKAGES for path in sorted((ROOT / "gpucourse" / name).rglob("*.py"))]
    found = {path.relative_to(ROOT).as_posix(): _digest(path) for path in (*lessons, *modules)}
    return {name: digest for name, digest in found.items() if digest}


def _digest(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    parts = _FENCE.findall(text) if path.suffix == ".md" else [text]
    kernels = [kernel for part in parts if _KERNEL.search(part) for kernel in _kernels(_MAGIC.sub(r"\1pass", part))]
    marks = re.findall(r"^<!-- kernel [\w.]+ -->$", text, re.MULTILINE)
    return hashlib.sha256(json.dumps([kernels, marks]).encode()).hexdigest()[:12] if kernels or marks else ""


def _kernels(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KERNEL.search(node.value):
            yield node.value
        elif isinstance(node, ast.Call) and _called(node) in _MAKERS:
            yield ast.unparse(node)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def stale(stored: dict[str, str]) -> list[str]:
    """Files whose kernels are not those that `stored` has digests of."""
    now = digests()
    return sorted(name for name in now.keys() | stored.keys() if now.get(name) != stored.get(name))


# --- what goes through the compiler ------------------------------------------------------------------


def run_lesson(path: Path) -> None:
    """Execute the code cells of a lesson's solved edition, as a notebook would."""
    from lesson_source import assemble

    cells = [cell.source for cell in assemble(path, solved=True).cells if cell.cell_type == "code"]
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, source in enumerate(cells):
        if not source.startswith("%%"):    # `%%needs`: other roads than CUDA C
            code, file = _MAGIC.sub(r"\1pass", source), f"<{path.stem} cell {number}>"
            linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
            exec(compile(code, file, "exec"), names)


def compile_tables() -> None:
    """Compile the kernels of the package's tables, and those in the stubs of the exercises."""
    import numpy as np

    from gpucourse import cupy_sim
    from gpucourse.exercises import registry
    from gpucourse.nn import kernels

    for name in ("matmuls", "reductions", "scans", "softmaxes"):
        for rung in import_module(f"gpucourse.benchmarks.{name}").RUNGS.values():
            rung.kernel(cupy_sim).kernel  # noqa: B018 - the property compiles
    for module in ("recurrent_kernels", "sound_kernels"):
        for rung in import_module(f"gpucourse.nn.{module}").RUNGS.values():
            rung.kernel(cupy_sim).kernel  # noqa: B018
    for name in kernels.RUNGS:
        for dtype in ("float32", "float64"):
            kernels.made(name, dtype, cupy_sim).kernel  # noqa: B018
    for problem in registry.all_problems():
        for text in (problem.stub, problem.solution):
            if "Kernel(" in text:
                names: dict[str, Any] = {"cp": cupy_sim, "np": np}
                exec(compile(text, "<exercise>", "exec"), names)
                _compile_all(names, cupy_sim.RawKernel)


def _compile_all(names: dict[str, Any], kind: type) -> None:
    from gpucourse.errors import CourseError

    for value in list(names.values()):
        if isinstance(value, kind):
            with contextlib.suppress(CourseError):    # a stub may be wrong on purpose
                value.kernel  # noqa: B018 - the property compiles


def collected(folder: Path) -> list[dict[str, Any]]:
    """The entries of a cache folder that hold PTX, in the order of their sources."""
    entries = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "kernels").glob("*.json")]
    return sorted((entry for entry in entries if "ptx" in entry), key=lambda entry: json.dumps(entry["asked"]))


# --- the file ----------------------------------------------------------------------------------------


def build() -> Path:
    """Run everything in child processes that share an empty cache, and write what it holds."""
    from lesson_source import page_paths

    with tempfile.TemporaryDirectory(prefix="gpucourse-ptx-") as folder:
        env = os.environ | {"GPUCOURSE_CACHE_DIR": folder, "GPUCOURSE_FRONT_END": "nvrtc", "MPLBACKEND": "Agg",
                            "GPUCOURSE_BACKEND": "simulator",
                            "GPUCOURSE_PROGRESS": str(Path(folder, "progress.json"))}  # fmt: skip
        jobs = ["tables", *(str(path) for path in page_paths() if _has_kernels(path))]
        for job in jobs:
            print(f"{Path(job).stem} ...", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, __file__, "--run", job], env=env, check=True, stdout=subprocess.DEVNULL)
        return write(collected(Path(folder)))


def _has_kernels(path: Path) -> bool:
    return bool(re.search(r"Kernel\(|RawModule\(|fuse\(|<!-- kernel ", path.read_text(encoding="utf-8")))


def write(entries: list[dict[str, Any]]) -> Path:
    """Write the stored file of these entries of the cache."""
    from gpucourse.simt import stored
    from gpucourse.simt.compile import nvrtc

    kernels = {stored.key(entry["asked"][0], tuple(entry["asked"][1]), tuple(entry["asked"][2])): _kept(entry)
               for entry in entries}  # fmt: skip
    held = {"compiler": nvrtc().version(), "texts": digests(), "kernels": kernels}
    data = lzma.compress(json.dumps(held, separators=(",", ":")).encode(), preset=9 | lzma.PRESET_EXTREME)
    stored.FILE.write_bytes(data)
    print(f"{len(kernels)} kernels, {len(data):,} bytes: {stored.FILE}", file=sys.stderr)
    return stored.FILE


def _kept(entry: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from gpucourse.errors import CourseError
    from gpucourse.simt.compile import kernel_resources

    source, options, names = entry["asked"]
    try:
        found = kernel_resources(source, tuple(options), tuple(names))
    except CourseError:
        found = None
    used = None if found is None else {name: asdict(resources) for name, resources in found.items()}
    return {"ptx": without_folders(entry["ptx"]), "names": entry["names"], "log": entry["log"], "resources": used}


def without_folders(ptx: str) -> str:
    """PTX whose `.file` lines name files alone: the folders are those of the machine that made it."""
    return re.sub(r'^(\s*\.file\s+\d+\s+)"[^"]*/([^"/]+)"', r'\1"\2"', ptx, flags=re.MULTILINE)


def main() -> int:
    """Build, or run one of the build's own parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stale", action="store_true", help="print the files whose kernels changed; status 1 if any")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run == "tables":
        compile_tables()
    elif chosen.run:
        run_lesson(Path(chosen.run))
    elif chosen.stale:
        from gpucourse.simt.stored import contents

        changed = stale(contents()["texts"])
        print("\n".join(changed))
        return int(bool(changed))
    else:
        build()
    return 0


if __name__ == "__main__":
    sys.exit(main())
