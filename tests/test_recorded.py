"""Tests of recorded.py: what a record must hold, and whether the published figures agree with each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpucourse import recorded
from gpucourse.errors import CourseError
from gpucourse.recorded import Published, RecordError, published

TIMES = {"median": 2.0, "low": 1.0, "high": 4.0, "runs": 7, "loops": 1}
RATE = {"name": "copy", "date": "2026-01-31", "unit": "B/s", "work": 8, "rate": 4.0, "seconds": TIMES}
CONTENT: dict[str, Any] = {
    "schema": recorded.SCHEMA,
    "course": "0.1.0",
    "device": "NVIDIA Test 9000",
    "kind": "gpu",
    "date": "2026-01-31",
    "quick": False,
    "facts": {"multiprocessors": 132},
    "versions": {"numpy": "2.1.0"},
    "results": [
        RATE | {"parameters": {"bytes": 4, "cache": "warm"}, "rate": 9.0},
        RATE | {"parameters": {"bytes": 8, "cache": "cold: 3 times"}},
        RATE | {"name": "matrix product", "parameters": {"type": "float32", "n": 8}, "rate": 5.0},
        RATE | {"name": "matrix product, torch", "parameters": {"type": "float32", "n": 8}, "rate": 6.0},
        RATE | {"name": "matrix product, torch", "parameters": {"type": "tf32", "n": 8}, "rate": 60.0},
        {"name": "queue depth", "date": "2026-01-31", "parameters": {}, "value": 1023, "unit": "count"},
        {"name": "launch", "date": "2026-01-31", "parameters": {}, "error": "RuntimeError: no"},
        {"name": "launch", "date": "2026-01-31", "parameters": {}, "skipped": "too slow"},
    ],
}


def write(folder: Path, name: str = "test.json", **changes: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(CONTENT | changes), encoding="utf-8")
    return path


# --- records ---------------------------------------------------------------------------------------------


def test_a_record_gives_its_rates_values_and_label(tmp_path: Path) -> None:
    write(tmp_path)
    (device,) = recorded.recorded(tmp_path)
    assert device.label == "NVIDIA Test 9000, recorded 2026-01-31"
    assert device.bandwidth == 4.0  # the warm copy is faster and does not count
    assert device.peak_float32 == 6.0  # tf32 is not float32
    assert device.values == {"queue depth": 1023}
    assert len(device.results) == 5
    (found,) = device.find("copy", bytes=8)
    assert (found.seconds, found.low, found.high) == (2.0, 1.0, 4.0)
    assert device.find("copy", bytes=9) == device.find("nothing") == []


def test_a_record_without_the_measurement_says_none(tmp_path: Path) -> None:
    write(tmp_path, results=[])
    (device,) = recorded.recorded(tmp_path)
    assert device.bandwidth is None and device.peak_float32 is None


def test_devices_come_sorted_by_name(tmp_path: Path) -> None:
    write(tmp_path, "a.json", device="Zebra")
    write(tmp_path, "b.json", device="Ant")
    (tmp_path / "README.md").write_text("not a record")
    assert [device.device for device in recorded.recorded(tmp_path)] == ["Ant", "Zebra"]


def test_the_repository_s_own_records_are_sound() -> None:
    for device in recorded.recorded():
        assert device.bandwidth and device.peak_float32


def test_a_checkout_is_known_by_its_pyproject(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alien = tmp_path / "site-packages" / "measurements"  # a folder of that name that is not ours
    alien.mkdir(parents=True)
    write(alien, device="somebody else's")
    packed = tmp_path / "packed"
    packed.mkdir()
    write(packed)
    monkeypatch.setattr(recorded, "_IN_CHECKOUT", alien)
    monkeypatch.setattr(recorded, "_IN_PACKAGE", packed)
    assert [device.device for device in recorded.recorded()] == ["NVIDIA Test 9000"]
    (alien.parent / "pyproject.toml").write_text("")
    assert [device.device for device in recorded.recorded()] == ["somebody else's"]


def test_no_folder_at_all_is_no_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recorded, "_IN_CHECKOUT", tmp_path / "none" / "measurements")
    monkeypatch.setattr(recorded, "_IN_PACKAGE", tmp_path / "nor" / "here")
    assert recorded.recorded() == []


def change(keys: tuple[str | int, ...], value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]  # type: ignore[index]
        content[keys[-1]] = value  # type: ignore[index]

    return apply


def drop(*keys: str | int) -> Callable[[dict[str, Any]], None]:
    def apply(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]  # type: ignore[index]
        del content[keys[-1]]  # type: ignore[arg-type]

    return apply


BROKEN = [
    (drop("device"), "device is missing"),
    (change(("device",), 3), "device is 3, of type int"),
    (change(("schema",), 99), "schema is 99, and this version reads 1. Record the device again"),
    (change(("schema",), True), "schema is True, of type bool"),
    (change(("kind",), "tpu"), "kind is 'tpu'; it may be gpu, cpu, simulator"),
    (change(("quick",), True), "this is a trial (--quick)"),
    (change(("kind",), "simulator"), "this is a rehearsal on the simulator"),
    (change(("results",), {}), "results is {}, of type dict"),
    (change(("results", 0), "copy"), "results[0] should hold an object, not str"),
    (drop("results", 1, "name"), "results[1].name is missing"),
    (drop("results", 1, "rate"), "results[1].rate is missing"),
    (change(("results", 1, "rate"), "4"), "results[1].rate is '4', of type str"),
    (drop("results", 2, "seconds", "median"), "results[2].seconds.median is missing"),
    (change(("results", 2, "seconds", "low"), 3.0), "low, median and high are not in order"),
    (change(("results", 2, "seconds", "low"), 0.0), "low, median and high are not in order"),
]


@pytest.mark.parametrize(("breaks", "words"), BROKEN)
def test_a_broken_record_names_the_file_and_the_key(breaks, words: str, tmp_path: Path) -> None:
    content = json.loads(json.dumps(CONTENT))
    breaks(content)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError) as caught:
        recorded.recorded(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_what_is_not_json_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(RecordError, match=r"x\.json: not JSON"):
        recorded.recorded(tmp_path)


def test_a_list_is_not_a_record(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(RecordError, match=r"the file should hold an object, not list"):
        recorded.recorded(tmp_path)


def test_a_file_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"gone\.json: cannot be read"):
        recorded.read(tmp_path / "gone.json")


# --- published specifications ----------------------------------------------------------------------------

DEVICES = published()
NAMES = [device.name for device in DEVICES]
each_device = pytest.mark.parametrize("device", DEVICES, ids=NAMES)


def each_with(*keys: str) -> pytest.MarkDecorator:
    """Parametrize over the devices whose document gives all of these figures."""
    fitting = [device for device in DEVICES if all(getattr(device, key) is not None for key in keys)]
    assert len(fitting) >= len(DEVICES) / 2
    return pytest.mark.parametrize("device", fitting, ids=[device.name for device in fitting])


@pytest.mark.parametrize(
    "short", ["T4", "V100", "A100 40", "H100", "H200", "RTX 4090", "rtx 5090", "L4", "EPYC 9654"]
)
def test_a_short_name_finds_its_device(short: str) -> None:
    assert set(short.upper().split()) <= set(published(short).name.upper().split())


@pytest.mark.parametrize(
    ("name", "words"), [("A100", "2 devices fit"), ("abacus", "0 devices fit; name one of: NVIDIA")]
)
def test_a_name_that_fits_none_or_several_lists_them(name: str, words: str) -> None:
    with pytest.raises(CourseError, match=words):
        published(name)


def test_gpus_come_first_and_names_differ() -> None:
    kinds = [device.kind for device in DEVICES]
    assert kinds == sorted(kinds, reverse=True) and set(kinds) == {"gpu", "cpu"}
    assert len(set(NAMES)) == len(NAMES)


@each_device
def test_every_figure_has_a_vendor_s_source(device: Published) -> None:
    hosts = ("nvidia.com", "amd.com", "intel.com", "apple.com")
    assert device.source
    assert device.url.split("/")[2].endswith(hosts)
    assert (device.price is None) == (device.price_source is None)
    assert device.label == f"{device.name}, published"


@each_device
def test_units_are_the_stated_ones(device: Published) -> None:
    """A factor of 1,000 or 8 (bits for bytes) would leave these ranges."""
    gpu = device.kind == "gpu"
    assert 5e10 < device.bandwidth < 1e13
    assert 1e11 < device.peak_float32 < 3e14
    assert 10 < device.power < 1500
    assert device.memory is None if not gpu else 4e9 <= device.memory < 1e12
    assert 2006 <= device.year <= 2030
    assert device.clock is None or 5e8 < device.clock < 6e9
    assert device.price is None or 50 < device.price < 50_000


@each_with("cores", "clock")
def test_float32_peak_is_two_operations_for_each_core_and_clock(device: Published) -> None:
    operations = device.flop_per_cycle or 2
    assert device.peak_float32 == pytest.approx(operations * device.cores * device.clock, rel=0.03)


@each_with("bus_bits", "data_rate")
def test_bandwidth_is_bus_width_times_data_rate(device: Published) -> None:
    assert device.bandwidth == pytest.approx(device.bus_bits / 8 * device.data_rate, rel=0.03)


# float32 cores of one multiprocessor: CUDA C++ Programming Guide, compute capabilities
CORES_PER_MULTIPROCESSOR = {"T4": 64, "V100": 64, "A100": 64}


@each_with("multiprocessors")
def test_cores_are_multiprocessors_times_cores_of_each(device: Published) -> None:
    of_each = next((n for word, n in CORES_PER_MULTIPROCESSOR.items() if word in device.name), 128)
    assert device.cores == device.multiprocessors * of_each


@each_device
def test_peaks_are_in_the_order_of_their_precision(device: Published) -> None:
    assert device.peak_float64 is None or device.peak_float64 <= 0.51 * device.peak_float32
    if (
        device.peak_float16_tensor is not None
    ):  # dense rates are 2 to 16 times float32; sparse ones would be beyond
        assert 1.9 * device.peak_float32 <= device.peak_float16_tensor <= 16.1 * device.peak_float32


@each_device
def test_computed_names_are_figures_of_the_device(device: Published) -> None:
    assert all(getattr(device, name) is not None for name in device.computed)


def test_an_unknown_key_names_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "specs.json"
    path.write_text(json.dumps({"devices": [{"name": "X", "bandwith": 1}]}))
    monkeypatch.setattr(recorded, "SPECIFICATIONS", path)
    recorded._specifications.cache_clear()
    try:
        with pytest.raises(RecordError, match=r"device 'X'.*bandwith"):
            published("X")
    finally:
        recorded._specifications.cache_clear()
