"""Marks text that depends on the machine, so that stored outputs can be compared everywhere."""

from __future__ import annotations


def here(text: object) -> str:
    """Return `text` between ⟨ and ⟩: a time, a device name, whatever another machine would print otherwise.

    The course's nbval settings replace everything between the two marks before they compare a stored
    output with a fresh one. Marks do not nest, so marks inside `text` are dropped.

    >>> here("1.23 ms")
    '⟨1.23 ms⟩'
    """
    return "⟨" + str(text).replace("⟨", "").replace("⟩", "") + "⟩"
