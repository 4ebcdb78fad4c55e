"""The packages of the extra `serve`: there, or one clear error."""

from __future__ import annotations

import importlib

from gpucourse.errors import MissingPackage


def require(*names: str) -> None:
    """Import what stands in `names`; raises MissingPackage with the command that brings the first one lacking."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise MissingPackage(f"serving and exporting need {name}, which cannot be imported ({error}). "
                                 f"Install it: python -m pip install {name}") from None  # fmt: skip
