"""Takes README's picture out of lesson 01 as stored: the one in which a roofline reads a GPU's limits.

usage: readme_picture.py        writes docs/roofline.png, after `make notebooks`
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "01_cpu_vs_gpu.ipynb"
PICTURE = ROOT / "docs" / "roofline.png"
CELL = "roofline("     # the source of the cell begins so; explorers.roofline( does not


def picture(notebook: Path) -> bytes:
    """Return the PNG under the first cell that calls `roofline` by itself; LookupError where none does."""
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if "".join(cell["source"]).startswith(CELL):
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    return base64.b64decode("".join(output["data"]["image/png"]))
    raise LookupError(f"{notebook} has no stored picture under a cell that begins with {CELL}")


def main() -> int:
    """Write docs/roofline.png; 1 with one line when the lesson holds no such picture."""
    try:
        content = picture(NOTEBOOK)
    except LookupError as error:
        print(f"{error}. Next step: make notebooks", file=sys.stderr)
        return 1
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
