"""Which line of the learner's code an error came from, and how to say so in one sentence."""

from __future__ import annotations

import linecache
import sysconfig
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, TracebackType

_PACKAGE = str(Path(__file__).resolve().parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


# what an error's own text leaves unsaid
MEANINGS: dict[type[BaseException], str] = {
    SystemExit: "It would have ended Python; the check held it back.",
    RecursionError: "The function calls itself without end.",
    MemoryError: "It asked for more memory than is free.",
}


@dataclass(frozen=True)
class Place:
    """A line of the learner's code: its number, counted in its cell or file, and its text."""

    line: int
    text: str

    def __str__(self) -> str:
        text = self.text if len(self.text) <= 80 else self.text[:80] + "…"
        return f"Line {self.line}" + (f", `{text}`," if text else "")


def is_learners(filename: str) -> bool:
    """Say whether a file or cell is the learner's, and not the course's, Python's or a library's."""
    return not filename.startswith(("<frozen", "<__array_function__", _PACKAGE, *_LIBRARIES))


def _steps(error: BaseException) -> list[tuple[CodeType, Place]]:
    """The learner's own lines through which `error` came, the outermost first, each with its function's code."""
    found = []
    step: TracebackType | None = error.__traceback__
    while step is not None:
        code, line = step.tb_frame.f_code, step.tb_lineno
        if is_learners(code.co_filename):
            found.append((code, Place(line, linecache.getline(code.co_filename, line).strip())))
        step = step.tb_next
    return found


def place(error: BaseException) -> Place | None:
    """Return the learner's own line nearest to where `error` was raised."""
    return next((at for _, at in reversed(_steps(error))), None)


def caller(error: BaseException) -> Place | None:
    """Return the line of the answer itself that led to `error`, where another function of the learner's raised it."""
    steps = [(code, at) for code, at in _steps(error) if not code.co_name.startswith("<")]   # <listcomp>: a part of one
    if not steps or steps[0][0] is steps[-1][0]:
        return None
    return [at for code, at in steps if code is steps[0][0]][-1]


def error_text(error: BaseException) -> str:
    """Return "ZeroDivisionError: division by zero": one line, cut where it is long."""
    name = type(error).__name__
    try:
        text = str(error).strip()
    except Exception:
        text = ""
    first = text.splitlines()[0] if text else ""
    first = first if len(first) <= 200 else first[:200] + "…"
    return f"{name}: {first}" if first else name


def sentence(error: BaseException, where: str = "") -> str:
    """Return the sentence that tells a learner what went wrong, in which line, for which call."""
    at = place(error)
    if not at and not where:
        return f"This answer could not be judged: {error_text(error)}."
    in_call = f", in {where}." if where and at else "."
    meaning = next((f" {text}" for kind, text in MEANINGS.items() if isinstance(error, kind)), "")
    by = caller(error)
    led = f" Line {by.line} of the answer, `{by.text}`, led there." if by and by.text else ""
    hint = getattr(error, "gpucourse_hint", "")     # of a judge that knows more: guard.Raised.advise
    return f"{at or where} raised {error_text(error)}{in_call}{led}{meaning}{hint and ' '}{hint}"


def is_unfinished(error: BaseException) -> bool:
    """Say whether the error comes from computing with a `...` that still stands in the code."""
    kinds = (TypeError, AttributeError, ValueError)
    return isinstance(error, kinds) and "ellipsis" in error_text(error).lower()


def warned(caught: list[warnings.WarningMessage]) -> str:
    """Return the first RuntimeWarning that a learner's line caused, as a sentence, or an empty string."""
    for entry in caught:
        if issubclass(entry.category, RuntimeWarning) and is_learners(entry.filename):
            return f" Line {entry.lineno} warned: {entry.message}."
    return ""
