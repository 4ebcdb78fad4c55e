"""The judges that problems use: of a function by cases, of a number, of a dict of numbers, of a choice."""

from __future__ import annotations

from gpucourse.exercises.cases import Case, Trap, by_cases
from gpucourse.exercises.outcome import NotAttempted, Wrong
from gpucourse.exercises.values import is_choice, is_mapping, is_number, mapping_source

__all__ = ["Case", "NotAttempted", "Trap", "Wrong", "by_cases", "is_choice", "is_mapping", "is_number",
           "mapping_source"]  # fmt: skip
