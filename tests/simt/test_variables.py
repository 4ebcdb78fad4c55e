"""`variables`: names, types and registers from real debug sections, and nothing from what is no such section."""

import numpy as np
import pytest

from gpucourse.simt.compile import compile_ptx
from gpucourse.simt.variables import decoded, variables

SOURCE = r"""
typedef unsigned int word;
__device__ float twice(float value) { float result = value + value; return result; }
extern "C" __global__ void f(float a, double d, const int* x, long long n, unsigned char c, bool flag, float* out) {
    const int i = threadIdx.x;
    word w = i * 3;
    short h = (short)(w + c);
    float s = 0;
    for (int k = 0; k < n; k++) s += twice(x[i]) * a;
    out[i] = flag ? s + h : (float)d;
}"""


@pytest.fixture(scope="module")
def ptx():
    return compile_ptx(SOURCE, ("-G",)).ptx


def test_names_and_types_are_those_of_the_source(ptx):
    found = {(v.name, np.dtype(v.dtype)) for v in variables(ptx)}
    due = {
        "a": "f4", "d": "f8", "n": "i8", "c": "u1", "flag": "u1", "i": "i4", "w": "u4", "h": "i2", "s": "f4", "k": "i4",
        "value": "f4", "result": "f4",
    }  # fmt: skip
    assert found == {(name, np.dtype(dtype)) for name, dtype in due.items()}   # pointers are no numbers


def test_every_place_is_a_label_and_every_register_is_declared(ptx):
    lines = ptx.splitlines()
    for variable in variables(ptx):
        for line, register in variable.places:
            assert lines[line - 1].startswith("$L__"), (variable.name, lines[line - 1])
            assert any(register in text.replace(",", " ").split() for text in lines), (variable.name, register)
        low, high = variable.scope
        assert lines[low - 1].startswith("$L__") and lines[high - 1].startswith("$L__")
        assert bool(variable.home) != bool(variable.places)


def test_what_stands_before_a_place_writes_the_register(ptx):
    lines = ptx.splitlines()
    counter = next(variable for variable in variables(ptx) if variable.name == "k")
    assert len(counter.places) > 2
    for line, register in counter.places:
        before = [text.split()[1] for text in lines[: line - 1] if text.endswith(";") and len(text.split()) > 1]
        assert f"{register}," in before


WITHOUT = {
    "optimized": lambda ptx: compile_ptx(SOURCE).ptx,
    "empty": lambda ptx: "",
    "no abbreviations": lambda ptx: ptx.replace(".section\t.debug_abbrev", ".section\t.gone"),
    "other operations": lambda ptx: ptx.replace(".b8 144", ".b8 145"),
    "cut off": lambda ptx: ptx[: len(ptx) * 3 // 4] + "\n}\n",
}


@pytest.mark.parametrize("change", WITHOUT.values(), ids=WITHOUT)
def test_without_the_sections_no_variable_is_known(ptx, change):
    assert variables(change(ptx)) == []


NUMBERS = [(1.5, "f4"), (-2.25, "f8"), (-7, "i4"), (-7, "i2"), (2**31 + 5, "u4"), (200, "u1"), (-(2**40), "i8")]


@pytest.mark.parametrize(("value", "dtype"), NUMBERS)
def test_bits_become_numbers(value, dtype):
    bits = np.frombuffer(np.array([value], dtype).tobytes().ljust(8, b"\0"), np.uint64)
    assert decoded(bits, dtype) == [value]
