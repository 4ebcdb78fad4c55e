"""The course's plan: its parts, and which lessons each lesson builds on."""

from __future__ import annotations

from dataclasses import dataclass

from gpucourse.examination import LESSONS, Lesson


@dataclass(frozen=True)
class Part:
    """A part of the course: its Roman number, its name, its first and last lesson, and its quiz."""

    roman: str
    name: str
    first: str
    last: str
    quiz: str

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """The part's lessons, in order."""
        return tuple(lesson for lesson in LESSONS if self.first <= lesson.number <= self.last)


PARTS = (
    Part("I", "Why GPUs", "01", "02", "part1"),
    Part("II", "CUDA kernels", "03", "09", "part2"),
    Part("III", "Neural networks from the ground up", "10", "12", "part3"),
    Part("IV", "Training with PyTorch", "13", "19", "part4"),
)

# lesson -> the lessons it builds on, as its own "You need" says
NEEDS = {
    "01": (),
    "02": ("01",),
    "03": ("01", "02"),
    "04": ("01", "02", "03"),
    "05": ("03", "04"),
    "06": ("04", "05"),
    "07": ("01", "04", "05", "06"),
    "08": ("03", "04", "05", "06", "07"),
    "09": ("05", "06"),
    "10": ("02",),
    "11": ("02", "04", "10"),
    "12": ("05", "06", "07", "10", "11"),
    "13": ("10", "11", "12"),
    "14": ("02", "04", "09", "10", "11", "12", "13"),
    "15": ("11", "13"),
    "16": ("10", "11", "13", "15"),
    "17": ("12", "13", "15", "16"),
    "18": ("13", "14", "15"),
    "19": ("13", "14"),
}


def lesson(number: str) -> Lesson:
    """Return the lesson called `number`, such as "04"."""
    return next(each for each in LESSONS if each.number == number)


def file_name(number: str) -> str:
    """Return the name of a lesson's notebook, which stands beside the other pages."""
    found = lesson(number)
    return f"{found.number}_{found.name}.ipynb"


def bases(number: str) -> tuple[str, ...]:
    """Return what a lesson builds on, less what its other needs build on already: the arrows of a map.

    >>> bases("04")
    ('03',)
    """
    implied = {far for near in NEEDS[number] for far in every_need(near)}
    return tuple(need for need in NEEDS[number] if need not in implied)


def every_need(number: str) -> frozenset[str]:
    """Return all lessons that a lesson builds on, directly or through others."""
    return frozenset(NEEDS[number]).union(*(every_need(need) for need in NEEDS[number]))
