"""Write docs/glossary.md, the glossary as a page, from gpucourse/data/glossary.csv.

usage: build_glossary.py            write it
       build_glossary.py --check    exit 1 if it is not what the table says now
"""

from __future__ import annotations

import argparse
import sys

from generated import settled
from gpucourse.glossary import page
from lesson_source import ROOT

PAGE = ROOT / "docs" / "glossary.md"


def main() -> int:
    """Write the page, or with --check say whether it is up to date; 1 when it is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    return int(not settled(PAGE, page(), parser.parse_args().check, "python tools/build_glossary.py"))


if __name__ == "__main__":
    sys.exit(main())
