"""Reads what is known of devices: recorded measurements, and vendors' published specifications.

Both are labeled: a measurement with its device and date, a specification with the vendor's document.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, overload

from gpucourse.errors import CourseError

SCHEMA = 1
_PACKAGE = Path(str(files("gpucourse")))
_IN_CHECKOUT = _PACKAGE.parent / "measurements"
_IN_PACKAGE = _PACKAGE / "data" / "measurements"  # where a wheel packs the same folder
SPECIFICATIONS = _PACKAGE / "data" / "gpu_specs.json"

# key -> type it must have
_FILE_KEYS: dict[str, type | tuple[type, ...]] = {
    "schema": int,
    "course": str,
    "device": str,
    "kind": str,
    "date": str,
    "quick": bool,
    "facts": dict,
    "versions": dict,
    "results": list,
}
_RATE_KEYS: dict[str, type | tuple[type, ...]] = {
    "unit": str,
    "work": (int, float),
    "rate": (int, float),
    "seconds": dict,
}
_SECONDS_KEYS: dict[str, type | tuple[type, ...]] = {
    "median": (int, float),
    "low": (int, float),
    "high": (int, float),
    "runs": int,
    "loops": int,
}
_KINDS = ("gpu", "cpu", "simulator")


class RecordError(CourseError):
    """A file of measurements or specifications does not hold what it should; the text names file and key."""


@dataclass(frozen=True)
class Result:
    """One measurement: `rate` in `unit` ("B/s", "FLOP/s", "pixel/s", "call/s"), `seconds` for one call."""

    name: str
    parameters: dict[str, Any]
    unit: str
    rate: float
    seconds: float  # median
    low: float  # quartiles, seconds
    high: float
    date: str
    share: float | None = None  # of the rate of `of` in the same run: 0.93 is 93 %
    of: str = ""
    details: dict[str, Any] = field(default_factory=dict)  # what else the measurement tells: a training's epochs


@dataclass(frozen=True)
class Recorded:
    """One recorded device: its name, kind ("gpu" or "cpu"), date, facts and results."""

    device: str
    kind: str
    date: str
    facts: dict[str, Any]
    versions: dict[str, str]
    results: tuple[Result, ...]
    values: dict[str, Any] = field(default_factory=dict)  # counts, by name: {"queue depth": 1023}

    @property
    def label(self) -> str:
        """What stands beside every number of this device: "NVIDIA H200, recorded 2026-01-31"."""
        return f"{self.device}, recorded {self.date}"

    @property
    def bandwidth(self) -> float | None:
        """The best copy bandwidth past the cache, bytes/s read and written; None if it was not measured."""
        copies = [*self.find("copy"), *self.find("copy, all cores")]
        return max((r.rate for r in copies if r.parameters.get("cache") != "warm"), default=None)

    @property
    def peak_float32(self) -> float | None:
        """The fastest plain float32 matrix product, FLOP/s; None if it was not measured."""
        products = [*self.find("matrix product"), *self.find("matrix product, torch")]
        return max((r.rate for r in products if r.parameters.get("type") == "float32"), default=None)

    def find(self, name: str, **parameters: Any) -> list[Result]:
        """Return the results of a name whose parameters include those given: find("photo", filter="blur")."""
        return [r for r in self.results if r.name == name and parameters.items() <= r.parameters.items()]


@dataclass(frozen=True)
class Published:
    """A vendor's published specification; what the vendor's document does not say is None.

    Rates are FLOP/s and bytes/s, sizes bytes, clocks Hz, power W, price US dollars at launch. Tensor rates
    are dense, never "with sparsity". `computed` names the values that follow from others of the document
    (peak = units × operations a clock × clock; bandwidth = bus width × data rate) and are not printed in it.
    """

    name: str
    kind: str  # "gpu" or "cpu"
    bandwidth: float
    peak_float32: float
    source: str
    url: str
    power: float
    memory: int | None = None  # bytes; None for a CPU
    peak_float64: float | None = None
    peak_float16_tensor: float | None = None
    price: float | None = None
    price_source: str | None = None
    multiprocessors: int | None = None
    threads_per_multiprocessor: int | None = None  # most that can be resident
    cores: int | None = None  # the vendor's word: "CUDA cores" of a GPU, cores of a CPU
    clock: float | None = None  # boost clock of a GPU, base clock of a CPU
    cache: int | None = None  # last level: L2 of a GPU, L3 of a CPU
    bus_bits: int | None = None
    data_rate: float | None = None  # transfers/s of one memory pin
    flop_per_cycle: int | None = None  # float32, one core of a CPU; a GPU's core does 2
    year: int | None = None
    computed: tuple[str, ...] = ()
    notes: str = ""

    @property
    def label(self) -> str:
        """What stands beside every number of this device: "NVIDIA T4, published"."""
        return f"{self.name}, published"


def recorded(folder: Path | None = None) -> list[Recorded]:
    """Return the recorded devices, sorted by name: from measurements/, which is also shipped in the package.

    Raises RecordError, naming file and key, for a file that is not a record, or is a trial or a rehearsal.
    """
    paths = (folder or _folder()).glob("*.json")
    return sorted((_recorded(path) for path in paths), key=lambda record: (record.device, record.date))


def _folder() -> Path:
    """Return measurements/ of a checkout, known by its pyproject.toml, or else the packed copy."""
    return _IN_CHECKOUT if (_IN_CHECKOUT.parent / "pyproject.toml").is_file() else _IN_PACKAGE


def _recorded(path: Path) -> Recorded:
    content = read(path)
    if content["kind"] == "simulator" or content["quick"]:
        what = "a rehearsal on the simulator" if content["kind"] == "simulator" else "a trial (--quick)"
        raise RecordError(f"{path}: this is {what}, not a record; remove it from measurements/")
    timed = tuple(_result(entry) for entry in content["results"] if "seconds" in entry)
    values = {entry["name"]: entry["value"] for entry in content["results"] if "value" in entry}
    keys = ("device", "kind", "date", "facts", "versions")
    return Recorded(**{key: content[key] for key in keys}, results=timed, values=values)


def _result(entry: dict[str, Any]) -> Result:
    times = entry["seconds"]
    plain = {key: entry[key] for key in ("name", "parameters", "unit", "rate", "date")}
    compared = {key: entry[key] for key in ("share", "of", "details") if key in entry}
    return Result(**plain, **compared, seconds=times["median"], low=times["low"], high=times["high"])


def read(path: Path) -> dict[str, Any]:
    """Return the content of one file of measurements, validated."""
    content: dict[str, Any] = _json(path)
    validate(content, path)
    return content


def validate(content: Any, path: Path) -> None:
    """Raise RecordError, naming the file and the key, unless `content` is a record of the schema in use."""
    _require(content, _FILE_KEYS, path, "")
    if content["schema"] != SCHEMA:
        raise RecordError(
            f"{path}: schema is {content['schema']}, and this version reads {SCHEMA}. Record the device again"
        )
    if content["kind"] not in _KINDS:
        raise RecordError(f"{path}: kind is {content['kind']!r}; it may be {', '.join(_KINDS)}")
    for number, entry in enumerate(content["results"]):
        _validate_entry(entry, path, f"results[{number}]")


def _validate_entry(entry: Any, path: Path, where: str) -> None:
    _require(entry, {"name": str, "parameters": dict, "date": str}, path, where)
    if "error" in entry or "skipped" in entry or "value" in entry:
        return
    _require(entry, _RATE_KEYS | ({"details": dict} if "details" in entry else {}), path, where)
    _require(entry["seconds"], _SECONDS_KEYS, path, f"{where}.seconds")
    times = entry["seconds"]
    if not 0 < times["low"] <= times["median"] <= times["high"]:
        raise RecordError(f"{path}: {where}.seconds: low, median and high are not in order: {times}")


def _require(content: Any, keys: dict[str, Any], path: Path, where: str) -> None:
    if not isinstance(content, dict):
        raise RecordError(
            f"{path}: {where or 'the file'} should hold an object, not {type(content).__name__}"
        )
    for key, kind in keys.items():
        place = f"{where}.{key}".lstrip(".")
        if key not in content:
            raise RecordError(f"{path}: {place} is missing")
        if not isinstance(content[key], kind) or (isinstance(content[key], bool) and kind is not bool):
            raise RecordError(f"{path}: {place} is {content[key]!r}, of type {type(content[key]).__name__}")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise RecordError(f"{path}: not JSON ({error})") from None


@cache
def _specifications() -> dict[str, Published]:
    return {row["name"]: _published(row, SPECIFICATIONS) for row in _json(SPECIFICATIONS)["devices"]}


def _published(row: dict[str, Any], path: Path) -> Published:
    try:
        return Published(**row | {"computed": tuple(row.get("computed", ()))})
    except TypeError as error:
        raise RecordError(f"{path}: device {row.get('name')!r}: {error}") from None


@overload
def published(name: str) -> Published: ...
@overload
def published(name: None = None) -> list[Published]: ...
def published(name: str | None = None) -> Published | list[Published]:
    """Return the published specification of one device; without a name all of them, GPUs first, by year.

    A name may be short if only one device fits: published("T4"). Raises CourseError for an unknown name.

    >>> published("T4").bandwidth
    320000000000
    """
    table = _specifications()
    if name is None:
        return sorted(
            table.values(), key=lambda device: (device.kind != "gpu", device.year or 0, device.name)
        )
    if name in table:
        return table[name]
    words = name.lower().split()
    fitting = [key for key in table if set(words) <= set(key.lower().split())]
    if len(fitting) != 1:
        known = ", ".join(fitting or table)
        raise CourseError(f"published({name!r}): {len(fitting)} devices fit; name one of: {known}")
    return table[fitting[0]]
