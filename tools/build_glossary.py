"""Write docs/glossary.md, the glossary as a page, from gpucourse/data/glossary.csv.

usage: build_glossary.py
"""

from __future__ import annotations

from pathlib import Path

from gpucourse.glossary import page

PAGE = Path(__file__).parents[1] / "docs" / "glossary.md"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
