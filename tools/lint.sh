#!/bin/sh
# Style, types, and whether what is generated matches its source; runs all of them, fails if any does.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$(pwd)/.venv/bin:$PATH
export PATH

status=0
step() { echo "+ $*"; "$@" || status=1; }
step ruff check .
step mypy
step python tools/build_notebooks.py --check
step python tools/build_readme.py --check
step python tools/build_teaching_notes.py --check
step python tools/build_glossary.py --check
step python tools/build_index.py --check
step env OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tools/build_mutant_table.py --check
exit "$status"
