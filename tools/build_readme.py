"""Writes the table of lessons and other pages into README.md, with badges that open them; or `--check`s it.

Titles come from the sources in notebooks/src, the repository's address from pyproject.toml.
"""

from __future__ import annotations

import argparse
import sys

from generated import between, settled
from gpucourse.examination import Lesson
from gpucourse.guide.course import PARTS
from lesson_source import ROOT, SOURCES, badges, split_front

README = ROOT / "README.md"
BEGIN, END = "<!-- lessons: written by tools/build_readme.py -->", "<!-- end of lessons -->"

# what each lesson or page is about, in one line
ABOUT = {
    "00_start_here": "check the machine, run a first kernel, find out where to begin, see your progress",
    "quiz_part_1": "six questions: speed-up, timing, transfers, what limits a computation",
    "quiz_part_2": "eight questions: sectors, banks, barriers, divergence, atomics, overflow",
    "quiz_part_3": "seven questions: gradients, rates, Adam, convolutions",
    "quiz_part_4": "eight questions: leaks, luck, waiting, memory over time, the same network elsewhere",
    "capstone": "one project of your own out of three, with a template that runs and a rubric",
    "01": "latency against throughput, Amdahl's law, break-even sizes, the roofline of your own machine",
    "02": "CuPy as NumPy, transfers and their cost, honest timing, dtypes, streams, memory, fusion",
    "03": "from a Python loop to a thread: grid, block, index, guard",
    "04": "warps, 32-byte sectors, strides, and what a memory transaction costs",
    "05": "tiles, barriers, races made visible, bank conflicts",
    "06": "the reduction ladder, divergence, shuffles, atomics, scan",
    "07": "from the naive product to register tiles and tensor cores",
    "08": "eight kernels, each with one bug or one bottleneck",
    "09": "the same softmax in CUDA C, numba, Triton, OpenCL and torch.compile",
    "10": "a network and its back-propagation, written once for NumPy and CuPy",
    "11": "from gradient descent to Adam, each equal to PyTorch's",
    "12": "from loops to im2col to a CUDA kernel that trains",
    "13": "data, model, loop, evaluation; a published network repaired",
    "14": "where a training step's time goes, and how to get it back",
    "15": "augmentation, search, imbalance, transfer, and what a model looks at",
    "16": "RNN, LSTM, GRU and attention on road traffic and folk tunes",
    "17": "sound to spectra to a CNN with a GRU, and what it cannot hear",
    "18": "checkpoints, several processes, export, a small prediction service",
    "19": "the digits network in Keras and JAX, and a map of what you learned",
}


def table() -> str:
    """Return the table of all pages in Markdown, one heading row for each part."""
    rows = ["| | lesson | what it is about | open |", "|---|---|---|---|", _page("00_start_here")]
    for number, part in enumerate(PARTS, 1):
        heading = f"| | **Part {part.roman} · {part.name}** | | |"
        rows += [heading, *map(_row, part.lessons), _page(f"quiz_part_{number}")]
    return "\n".join([*rows, "| | **The end** | | |", _page("capstone")])


def _page(stem: str) -> str:
    """The row of a page that is no lesson; its title is that of its source."""
    front, _ = split_front((SOURCES / f"{stem}.md").read_text("utf-8"), stem)
    return f"| | [{front.title}](notebooks/{stem}.ipynb) | {ABOUT[stem]} | {badges(stem)} |"


def _row(lesson: Lesson) -> str:
    stem = f"{lesson.number}_{lesson.name}"
    front, _ = split_front((SOURCES / f"{stem}.md").read_text("utf-8"), stem)
    title = front.title.split("·")[-1].strip()
    return f"| {lesson.number} | [{title}](notebooks/{stem}.ipynb) | {ABOUT[lesson.number]} | {badges(stem)} |"


def rebuilt(readme: str) -> str:
    """Return the text of README.md with the table between its two markers renewed; ValueError without them."""
    return between(readme, BEGIN, END, table(), "README.md")


def main() -> int:
    """Write README.md, or with --check say whether it is up to date; 1 when it is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the table is out of date")
    check = parser.parse_args().check
    return int(not settled(README, rebuilt(README.read_text("utf-8")), check, "make readme"))


if __name__ == "__main__":
    sys.exit(main())
