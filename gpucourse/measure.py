"""`python -m gpucourse measure`: records this device's speeds in one JSON file."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import gpucourse
from gpucourse.benchmarks import table
from gpucourse.benchmarks.case import FULL, QUICK, Machine, Sizes, measure
from gpucourse.errors import CourseError, NotBuiltYet
from gpucourse.measured_machine import NoGpu, machine, versions
from gpucourse.recorded import SCHEMA, read, validate
from gpucourse.timing import seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--out", type=Path, default=Path("measurements"), metavar="DIR", help="folder for the file"
    )
    parser.add_argument("--cpu", action="store_true", help="record the CPU with NumPy instead of the GPU")
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, fewer runs: a trial, not for keeping"
    )
    parser.add_argument("--ladder", metavar="NAME", help="record one lesson's ladder into the device's file")


def run(args: argparse.Namespace) -> int:
    """Record and write; 0 done, 1 all measurements failed, 2 no device to measure or no such ladder."""
    try:
        measured = machine(cpu=args.cpu)
        benchmarks = table(measured.kind, args.ladder)
    except (NoGpu, NotBuiltYet) as error:
        print(error, file=sys.stderr)
        return 2
    path = args.out / f"{slug(measured)}.json"
    sizes = QUICK if args.quick else FULL
    rehearsal = measured.kind == "simulator"
    results = run_benchmarks(benchmarks, measured, sizes, partial(report, rehearsal=rehearsal))
    write(path, merged(path, record(measured, results, quick=args.quick), args.ladder))
    failed = sum("error" in result for result in results)
    print(f"{path}: {len(results)} measurements, {failed} of them failed")
    if rehearsal:
        print("This was a rehearsal on the simulator: its times say nothing about a GPU. Do not commit it.")
    return 1 if failed == len(results) else 0


def run_benchmarks(
    benchmarks: dict[str, Any], measured: Machine, sizes: Sizes, report: Callable[[dict[str, Any]], object]
) -> list[dict[str, Any]]:
    """Run every benchmark of a table, tell `report` each entry, and return the entries, dated."""
    results = []
    for name, benchmark in benchmarks.items():
        for entry in measure(name, benchmark, measured, sizes):
            report(entry)
            results.append(entry | {"date": _today()})
    return results


def record(measured: Machine, results: list[dict[str, Any]], quick: bool = False) -> dict[str, Any]:
    """Return the whole file as a dictionary: the device, its facts, versions, date and results."""
    return {
        "schema": SCHEMA,
        "course": gpucourse.__version__,
        "device": measured.device,
        "kind": measured.kind,
        "date": _today(),
        "quick": quick,
        "facts": measured.facts,
        "versions": versions(),
        "results": results,
    }


def merged(path: Path, new: dict[str, Any], ladder: str | None) -> dict[str, Any]:
    """Return `new`, and for a ladder also the other results that the file at `path` already holds."""
    if ladder is None or not path.exists():
        return new
    names = {result["name"] for result in new["results"]}
    kept = [result for result in read(path)["results"] if result["name"] not in names]
    return new | {"results": kept + new["results"]}


def write(path: Path, content: dict[str, Any]) -> None:
    """Validate and write. Raises CourseError when the folder cannot be written to."""
    validate(content, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise CourseError(
            f"measure cannot write {path}: {error.strerror}. Give a folder of yours: --out DIR"
        ) from None


def report(entry: dict[str, Any], rehearsal: bool = False) -> None:
    """Print one line for an entry: its name, parameters, and rate or error; a rehearsal shows no times."""
    parameters = ", ".join(f"{key} {value}" for key, value in entry["parameters"].items() if key != "cache")
    result = "ran" if rehearsal and "seconds" in entry else outcome(entry)
    print(f"{entry['name']:24} {parameters:58} {result}", flush=True)


def outcome(entry: dict[str, Any]) -> str:
    """Return in a few words what came of an entry: a rate and a time, a number, or why there is none."""
    for reason in ("error", "skipped"):
        if reason in entry:
            return f"{reason}: {entry[reason]}"
    if "value" in entry:
        return str(entry["value"])
    share = f", {100 * entry['share']:.1f} % of {entry['of']}" if "share" in entry else ""
    return f"{entry['rate']:.4g} {entry['unit']} ({seconds(entry['seconds']['median'])}{share})"


def slug(measured: Machine) -> str:
    """Return the file's name: "NVIDIA H200" gives nvidia-h200; a CPU's also tells the cores in use."""
    name = re.sub(r"\((?:R|TM)\)|\bCPU\b|@.*", " ", measured.device, flags=re.IGNORECASE)
    name = "-".join(re.findall(r"[a-z0-9]+", name.lower()))
    return f"{name}-{measured.cores}-cores" if measured.kind == "cpu" else name


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
