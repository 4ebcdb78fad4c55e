"""Builds the site: copies the stored lessons and the documents together, runs Jupyter Book, and checks every link.

usage: build_site.py [--out FOLDER] [--stage] [--external]

No lesson is executed. A warning of Jupyter Book and a broken link inside the site are errors. `--external` also asks
for each address on other sites, which needs a network. `--stage` stops before Jupyter Book.
Run it by `make site`, which makes an environment from site/requirements.txt.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from site_links import broken_inside, broken_outside
from site_stage import ROOT, stage


def book(source: Path, out: Path) -> int:
    """Run Jupyter Book, warnings being errors; return its exit status."""
    shutil.rmtree(out, ignore_errors=True)
    program = Path(sys.executable).with_name("jupyter-book")   # the one of this environment
    command = [program, "build", source, "--path-output", out, "--quiet", "-W", "-n", "--keep-going"]
    path = os.pathsep.join([str(source / "_ext"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}).returncode


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "site" / "_build", metavar="FOLDER")
    parser.add_argument("--stage", action="store_true", help="only copy the pages together")
    parser.add_argument("--external", action="store_true", help="also check addresses on other sites")
    options = parser.parse_args(arguments)
    source, pages = options.out / "source", options.out / "book" / "_build" / "html"
    stage(source)
    if options.stage:
        return 0
    if status := book(source, options.out / "book"):
        return status
    broken = [*broken_inside(pages), *(broken_outside(pages) if options.external else ())]
    print("\n".join(broken) if broken else f"The site is built, its links hold: {pages / 'index.html'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
