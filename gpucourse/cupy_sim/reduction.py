"""ReductionKernel: map, reduce and post-map expressions in CUDA C over any axes, as CuPy has it."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .array import ndarray
from .carray import located, prelude
from .compiler import is_valid_kernel_name
from .elementwise import element_type
from .generated import Argument, Generated, as_type, body_parameters, entry, indexer, run, typedefs, types_of
from .layout import Layout, layout, merge_axes
from .parameters import Parameter, TypeMap, broadcast_shape, decide_types, outputs, parse, preprocess

BLOCK = 512  # threads a block, as CuPy's default

# A block reduces `_block_stride` outputs at once: thread t works on output t % stride of them, and the threads of one
# output walk its inputs together; then they halve their number until one is left.
_LOOP = """{preamble}
{types}
#define REDUCE(a, b) ({reduce})
#define POST_MAP(a) ({post_map})
typedef {reduce_type} _type_reduce;
__device__ __forceinline__ void _body({parameters}) {{
__shared__ __align__(16) char _sdata_raw[{block} * sizeof(_type_reduce)];
_type_reduce* _sdata = reinterpret_cast<_type_reduce*>(_sdata_raw);
const unsigned int _tid = threadIdx.x, _lane = _tid % _block_stride;
const IndexT _J_offset = _tid / _block_stride, _J_stride = {block} / _block_stride;
for (ptrdiff_t _i_base = static_cast<ptrdiff_t>(blockIdx.x) * _block_stride; _i_base < _out_ind.size();
     _i_base += static_cast<ptrdiff_t>(gridDim.x) * _block_stride) {{
const ptrdiff_t _i = _i_base + _lane;
_type_reduce _s = _type_reduce({identity});
IndexT _J = _J_offset;
for (ptrdiff_t _j = _i + _J_offset * _out_ind.size(); _j < _in_ind.size();
     _j += _J_stride * _out_ind.size(), _J += _J_stride) {{
_in_ind.set(_j); {ins}
{map}
_s = REDUCE(_s, _a);
}}
_sdata[_tid] = _s;
__syncthreads();
for (unsigned int _half = {block} / 2; _half >= _block_stride; _half /= 2) {{
if (_tid < _half) {{
_type_reduce _a = _sdata[_tid], _b = _sdata[_tid + _half];
_sdata[_tid] = REDUCE(_a, _b);
}}
__syncthreads();
}}
if (_tid < _block_stride && _i < _out_ind.size()) {{
_s = _sdata[_tid];
_out_ind.set(_i); {outs}
{post}
}}
__syncthreads();
}}
}}
{entry}
"""


class ReductionKernel(Generated):
    """A reduction kernel: `ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "l2norm")(x, axis=1)`.

    `map_expr` gives a value for each element, `reduce_expr` joins the values `a` and `b`, `post_map_expr` writes the
    outputs from the result `a`; `identity` is where a reduction starts, `reduce_type` the C type of the values.
    """

    _later = "the first function call or CUB is enabled"

    def __init__(
        self, in_params: str, out_params: str, map_expr: str, reduce_expr: str, post_map_expr: str, identity: Any,
        name: str = "reduce_kernel", reduce_type: str | None = None, reduce_dims: bool = True, preamble: str = "",
        options: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        if not is_valid_kernel_name(name):
            raise ValueError(f'Invalid kernel name: "{name}"')
        self.in_params, self.out_params = parse(in_params, True), parse(out_params, False)
        self.params = self.in_params + self.out_params
        self.nin, self.nout, self.nargs = len(self.in_params), len(self.out_params), len(self.params)
        self.map_expr, self.reduce_expr, self.post_map_expr = map_expr, reduce_expr, post_map_expr
        self.identity = "" if identity is None else str(identity)
        self.name, self.__name__, self.reduce_dims = name, name, reduce_dims
        self.preamble, self.options = preamble, options
        self.reduce_type = reduce_type or element_type(self.out_params[0])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Reduce along `axis` (an int, a tuple, or None for all), and return the first output.

        `args` are the inputs, or the inputs and the outputs; `out` is the output by name; `keepdims` leaves the reduced
        axes with length 1. Raises TypeError, ValueError or KeyError as CuPy does.
        """
        out, axis, keepdims = kwargs.pop("out", None), kwargs.pop("axis", None), kwargs.pop("keepdims", False)
        kwargs.pop("stream", None)
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(f"Wrong number of arguments for {self.name}")
        ins, outs = preprocess(args[: self.nin]), preprocess(self._outputs(args, out))
        shape = broadcast_shape(self.in_params, ins, None)
        in_types, out_types, types = decide_types(self.in_params, self.out_params, ins, outs)
        reduced, kept = axes(axis, len(shape))
        reduced, kept = _by_stride(ins, reduced, kept)
        out_shape = tuple(1 if n in reduced else shape[n] for n in range(len(shape)) if keepdims or n not in reduced)
        outs = outputs(self.out_params, outs, out_types, out_shape, False)
        if 0 not in out_shape:
            ins = [a if isinstance(a, ndarray) else as_type(a, t) for a, t in zip(ins, in_types, strict=True)]
            self._launch(ins, outs, shape, reduced + kept, types)
        return outs[0]

    def _outputs(self, args: tuple[Any, ...], out: Any) -> list[Any]:
        given = list(args[self.nin :])
        if out is None:
            return given
        if self.nout != 1:
            raise NotImplementedError("")
        if given:
            raise ValueError("cannot specify 'out' as both a positional and keyword argument")
        return [out]

    def _launch(
        self, ins: list[Any], outs: list[ndarray], shape: tuple[int, ...], order: tuple[int, ...], types: TypeMap
    ) -> None:
        """Reduced axes come first: then an output's inputs lie `out_size` apart in the order of the loop."""
        if not self.identity and 0 in shape:
            raise ValueError(f"zero-size array to reduction operation {self.name} which has no identity")
        in_args, in_shape = self._arranged(self.in_params, ins, shape, order)
        straight = tuple(range(len(outs[0].shape)))
        out_args, out_shape = self._arranged(self.out_params, list(outs), outs[0].shape, straight)
        in_size, out_size = math.prod(in_shape), math.prod(out_shape)
        wide = in_size // out_size > 0x7FFFFFFF
        types = (*types, ("IndexT", np.dtype(np.int64 if wide else np.int32)))
        made = [*in_args, *out_args]
        source = self._source(made, (indexer(in_shape), indexer(out_shape)), types)
        stride = block_stride(in_size, out_size, _run_of_outputs(self.params, made, out_shape))
        run(source, self.options, self.name, made, [in_shape, out_shape], [np.int32(stride)], -(-out_size // stride),
            BLOCK)  # fmt: skip

    def _arranged(
        self, params: tuple[Parameter, ...], args: list[Any], shape: tuple[int, ...], order: tuple[int, ...]
    ) -> tuple[list[Argument], tuple[int, ...]]:
        """Return the arrays as layouts with their axes in `order`, then merged; `raw` ones as they are."""
        permuted = order != tuple(range(len(shape)))
        if permuted and any(each.raw for each in params):
            raise NotImplementedError("Illegal conditions")
        made = [layout(each._host) if isinstance(each, ndarray) else each for each in args]
        loops = [n for n, p in enumerate(params) if isinstance(args[n], ndarray) and not p.raw]
        looped = [_permuted(layout(args[n]._host, shape), order) for n in loops]
        shape = tuple(shape[axis] for axis in order)
        if self.reduce_dims:
            looped, shape = merge_axes(looped, shape)
        for number, each in zip(loops, looped, strict=True):
            made[number] = each
        return made, shape

    def _written(self, args: list[Argument], loops: tuple[str, ...], types: TypeMap) -> str:
        indexers = dict(zip(("_in_ind", "_out_ind"), loops, strict=True))
        parameters = body_parameters(self.params, args) + [f"{c_type} {name}" for name, c_type in indexers.items()]
        texts = " ".join((self.preamble, self.map_expr, self.reduce_expr, self.post_map_expr, self.reduce_type))
        return prelude(types_of(args), texts) + "\n" + _LOOP.format(
            preamble=located("preamble", self.preamble), types=typedefs(types), block=BLOCK, identity=self.identity,
            reduce=self.reduce_expr, post_map=self.post_map_expr, reduce_type=self.reduce_type,
            parameters=", ".join([*parameters, "int _block_stride"]), ins=_elements(self.params, args, self.nin, True),
            outs=_elements(self.params, args, self.nin, False), post=located("post_map_expr", "POST_MAP(_s);"),
            map=located("map_expr", f"_type_reduce _a = static_cast<_type_reduce>({self.map_expr});"),
            entry=located("map_expr", entry(self.name, self.params, args, indexers, "_block_stride")),
        )  # fmt: skip


def _elements(params: tuple[Parameter, ...], args: list[Argument], nin: int, of_inputs: bool) -> str:
    """The names of elements: inputs by value at `_in_ind`, outputs by reference at `_out_ind`."""
    index = "_in_ind" if of_inputs else "_out_ind"
    chosen = list(zip(params, args, strict=True))[slice(0, nin) if of_inputs else slice(nin, None)]
    return " ".join(
        f"{'const ' if p.is_const else ''}{element_type(p)}{'' if p.is_const else '&'} {p.name} = "
        f"_raw_{p.name}[{index}.get()];"
        for p, a in chosen
        if isinstance(a, Layout) and not p.raw
    )


def axes(axis: Any, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes to reduce and those to keep, both in order; raises AxisError or ValueError."""
    if axis is None:
        return tuple(range(ndim)), ()
    given = tuple(axis) if np.iterable(axis) else (axis,)
    reduced = tuple(sorted(normalize_axis_index(operator.index(each), ndim) for each in given))
    if len(set(reduced)) != len(reduced):
        raise ValueError("duplicate value in 'axis'")
    return reduced, tuple(each for each in range(ndim) if each not in reduced)


def _by_stride(
    ins: list[Any], reduced: tuple[int, ...], kept: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sort the axes of a single input by decreasing strides, so that more of them can be merged."""
    if len(ins) != 1 or len(kept) > 1 or ins[0].flags.c_contiguous:
        return reduced, kept
    strides = ins[0].strides
    return tuple(sorted(reduced, key=lambda axis: -abs(strides[axis]))), kept


def _permuted(given: Layout, order: tuple[int, ...]) -> Layout:
    return Layout(given.host, tuple(given.shape[n] for n in order), tuple(given.strides[n] for n in order))


def _run_of_outputs(params: tuple[Parameter, ...], args: list[Argument], out_shape: tuple[int, ...]) -> int:
    """The most neighboring outputs whose inputs are neighbors in memory, too."""
    longest = 1
    for parameter, arg in zip(params, args, strict=True):
        if parameter.raw or not isinstance(arg, Layout):
            continue
        count = 1
        for length, stride in zip(reversed(out_shape), reversed(arg.strides), strict=False):
            if stride != count * arg.host.dtype.itemsize:
                break
            count *= length
        longest = max(longest, count)
    return longest


def block_stride(in_size: int, out_size: int, run: int) -> int:
    """Return how many outputs a block reduces at once: a power of 2."""
    wanted = max(min(run, 32), BLOCK // max(1, in_size // out_size))
    return 1 << (wanted // 2).bit_length()


ReductionKernel.__module__ = "cupy._core._reduction"  # as CuPy prints it
