"""Writes `names.py` from the installed CuPy: which public names it has, and how its functions are called.

Run it again when CuPy changes; no GPU is needed:

    python -m gpucourse.cupy_sim.list_cupy_names
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

HEADER = '''"""CuPy's public names and signatures (CuPy {version}); written by list_cupy_names.py, not by hand."""

# one line a callable: its dotted name in CuPy and its parameters
SIGNATURES = """
{signatures}
"""

# one line a ufunc: its name, the name CuPy prints, inputs, outputs
UFUNCS = """
{ufuncs}
"""

# every public name of each namespace, so that a missing one can be told from a misspelt one
NAMES = {{
{names}
}}
'''
NAMESPACES = ("", "linalg", "fft", "random", "cuda", "cuda.runtime", "testing", "exceptions")
CLASSES = ("ndarray", "random.RandomState", "random.Generator")
# sphinx roles and C types that cython leaves in a docstring's first line
C_TYPES = re.compile(r"\b(Py_ssize_t|int|bool|bint|_ndarray_base|str) (?=\w)")


def lookup(root: Any, dotted: str) -> Any:
    """Return the object `dotted` below `root`."""
    for part in filter(None, dotted.split(".")):
        root = getattr(root, part)
    return root


def plain(parameters: str) -> str:
    """Return a signature in which every default is a literal or a built-in type."""
    parameters = re.sub(r"<class '(?:numpy\.)?(\w+)'>", r"\1", parameters)
    return parameters.replace("numpy.", "").replace("float64", "float")


def from_inspect(function: Any) -> str | None:
    """Return the signature without annotations, or None where Python cannot tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return plain(str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)))


def from_docstring(function: Any) -> str | None:
    """Return the signature that cython wrote into the first line of a docstring."""
    first = (function.__doc__ or "").split("\n")[0]
    found = re.match(r"[\w.]+(\(.*?\))( ->.*)?$", first)
    if not found:
        return None
    return plain(re.sub(r": \w+(?=[,)=])", "", C_TYPES.sub("", found[1])))


def public(owner: Any) -> list[str]:
    """Return the public names of `owner`, sorted."""
    return sorted(name for name in dir(owner) if not name.startswith("_") and name != "annotations")


def signatures(cupy: Any) -> list[str]:
    """Return the lines of SIGNATURES."""
    lines = []
    for space in (*NAMESPACES[:4], *CLASSES):
        owner = lookup(cupy, space)
        for name in public(owner):
            member = getattr(owner, name)
            if not callable(member) or inspect.isclass(member) or isinstance(member, cupy.ufunc):
                continue
            text = from_inspect(member) or from_docstring(member)
            if text:
                lines.append(f"{space}.{name}".lstrip(".") + text)
    return lines


def main() -> None:
    """Write names.py beside this file."""
    import cupy

    ufuncs = [
        f"{name} {member.name} {member.nin} {member.nout}"
        for name in public(cupy)
        if isinstance(member := getattr(cupy, name), cupy.ufunc)
    ]
    names = [f'    "{space}": """{" ".join(public(lookup(cupy, space)))}""",' for space in (*NAMESPACES, *CLASSES)]
    text = HEADER.format(
        version=cupy.__version__,
        signatures="\n".join(signatures(cupy)),
        ufuncs="\n".join(ufuncs),
        names="\n".join(names),
    )
    Path(__file__).with_name("names.py").write_text(text)
    print(f"names.py written from CuPy {cupy.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
