"""Reading a kernel's parameter list: what C declares, and silence wherever it is not certain."""

import numpy as np
import pytest

from gpucourse.cupy_sim.declarations import declaration, declarations

# each line: a parameter | its name | its type as shown | NumPy's type of it, or of what it points to ("-": unknown)
PARAMETERS = """
float a                      | a | float                  | float32
const float* __restrict__ x  | x | float*                 | float32
float const *x               | x | float*                 | float32
double* const y              | y | double*                | float64
int n                        | n | int                    | int32
unsigned n                   | n | unsigned               | uint32
unsigned   int	n            | n | unsigned int           | uint32
long long n                  | n | long long              | int64
unsigned long long int n     | n | unsigned long long int | uint64
short s                      | s | short                  | int16
unsigned char* p             | p | unsigned char*         | uint8
char c                       | c | char                   | int8
bool b                       | b | bool                   | bool
size_t n                     | n | size_t                 | uint64
uint8_t* p                   | p | uint8_t*               | uint8
std::int32_t n               | n | std::int32_t           | int32
__half h                     | h | __half                 | float16
float x[]                    | x | float*                 | float32
float x[4][4]                | x | float*                 | float32
int n = 3                    | n | int                    | int32
float4* v                    | v | float4*                | float32
float** p                    | p | float**                | -
T* x                         | x | T*                     | -
Pair<int, 3> p               | p | Pair<int, 3>           | -
real r                       | r | real                   | -
void* p                      | p | void*                  | -
struct Body b                | b | struct Body            | -
"""


@pytest.mark.parametrize("line", PARAMETERS.strip().split("\n"))
def test_one_parameter(line):
    text, name, shown, dtype = (part.strip() for part in line.split("|"))
    found = declaration(text)
    assert (found.name, found.text, found.pointer) == (name, shown, shown.endswith("*"))
    assert found.dtype == (None if dtype == "-" else np.dtype(dtype))


SOURCE = r"""
#define SIZE 3
#define KERNEL(name) \
    __global__ void k(int of, int a, int macro)
// __global__ void k(double nothing) {}
/* __global__ void k(int no, int thing) {} */
__device__ float k(float not_a_kernel) { return 0; }
extern "C" __global__ void __launch_bounds__(256, 2) k(const float* x,   // input (device)
                                                       Pair<int, 2> p, int n \
 /* count, of x */) { }
template <typename T, int N> __global__ void add(T* x, float scale) { }
__global__ void k2(int only);
"""


def names(kernel, types):
    return [each.name for each in declarations(SOURCE, kernel, types)]


def test_a_kernel_is_found_past_comments_macros_and_launch_bounds():
    assert names("k", ("u64", "b8", "u32")) == ["x", "p", "n"]
    assert names("k2", ("u32",)) == ["only"]


def test_mangled_names():
    assert names("_Z3addIfLi4EEvPT_f", ("u64", "f32")) == ["x", "scale"]
    assert names("_Z5add_1PT_f", ("u64", "f32")) == []


def test_silence_where_the_compiled_kernel_differs_or_two_are_candidates():
    assert names("k", ("u64", "b8")) == []              # another number of parameters
    assert names("k", ("u64", "b8", "u64")) == []       # `int` cannot be 64 bits: a macro is at work
    assert names("k", ("f32", "b8", "u32")) == []
    twice = "__global__ void f(int a) {}\n__global__ void f(float b) {}"
    assert declarations(twice, "_Z1fi", ("u32",)) == []
    assert declarations("", "f", ()) == []
