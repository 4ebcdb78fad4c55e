"""ElementwiseKernel: a loop body in CUDA C, run for every element of broadcast arrays, as CuPy has it."""

from __future__ import annotations

import math
from typing import Any

from .array import ndarray
from .carray import located, prelude, type_name
from .compiler import is_valid_kernel_name
from .driver import MAX_GRID
from .generated import Argument, Generated, as_type, body_parameters, entry, indexer, run, typedefs, types_of
from .layout import Layout, layout, merge_axes
from .parameters import Parameter, TypeMap, broadcast_shape, decide_types, outputs, parse, preprocess

_LOOP = """{preamble}
{types}
__device__ __forceinline__ void _body({parameters}) {{
{before}
CUPY_FOR(i, _ind.size()) {{
_ind.set(i); {elements}
{operation}
;
}}
{after}
}}
{entry}
"""


class ElementwiseKernel(Generated):
    """An elementwise kernel: `ElementwiseKernel("T x, T y", "T z", "z = x + y", "add")(a, b)`.

    A parameter is a type (NumPy's name, or one letter that stands for any) and a name; `raw` before it leaves the
    indexing to `operation`, where `i` is the index and `_ind.size()` the number of elements. `options`, `loop_prep` and
    `after_loop` are keyword arguments.
    """

    def __init__(
        self, in_params: str, out_params: str, operation: str, name: str = "kernel", reduce_dims: bool = True,
        preamble: str = "", no_return: bool = False, return_tuple: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if not is_valid_kernel_name(name):
            raise ValueError(f'Invalid kernel name: "{name}"')
        self.in_params, self.out_params = parse(in_params, True), parse(out_params, False)
        self.params = self.in_params + self.out_params
        self.nin, self.nout, self.nargs = len(self.in_params), len(self.out_params), len(self.params)
        self.operation, self.name, self.__name__, self.reduce_dims = operation, name, name, reduce_dims
        self.preamble, self.no_return, self.return_tuple, self.kwargs = preamble, no_return, return_tuple, kwargs
        if any(each.name == "i" for each in self.params):
            raise ValueError("Can not use 'i' as a parameter name")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the kernel on arrays and scalars, and return its outputs.

        `args` are the inputs, or the inputs and the outputs; `size` is the number of elements where every array is
        `raw`; `block_size` the threads a block (128). Raises TypeError, ValueError or KeyError as CuPy does.
        """
        size, _, block_size = kwargs.pop("size", None), kwargs.pop("stream", None), kwargs.pop("block_size", 128)
        self._check_call(args, kwargs, block_size)
        given = preprocess(args)
        ins, outs = given[: self.nin], given[self.nin :]
        shape = broadcast_shape(self.params, given, None if size == -1 else size)
        in_types, out_types, types = decide_types(self.in_params, self.out_params, ins, outs)
        outs = outputs(self.out_params, outs, out_types, shape, size not in (None, -1))
        if 0 not in shape:
            scalars = [a if isinstance(a, ndarray) else as_type(a, t) for a, t in zip(ins, in_types, strict=True)]
            self._launch([*scalars, *outs], shape, types, block_size)
        if self.no_return:
            return None
        return outs[0] if self.nout == 1 and not self.return_tuple else tuple(outs)

    def _check_call(self, args: tuple[Any, ...], unknown: dict[str, Any], block_size: int) -> None:
        if unknown:
            raise TypeError(f"Wrong arguments {unknown}")
        if block_size <= 0:
            raise ValueError("block_size must be greater than zero")
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or {self.nargs} "
                f"(with outputs), but given {len(args)}."
            )

    def _launch(self, args: list[Any], shape: tuple[int, ...], types: TypeMap, block_size: int) -> None:
        made, shape = arrange(self.params, args, shape, self.reduce_dims)
        source = self._source(made, (indexer(shape),), types)
        size = math.prod(shape)
        blocks = min(-(-size // block_size), MAX_GRID[0])
        options = self.kwargs.get("options", ())
        run(source, options, self.name, made, [shape], [], blocks, min(block_size, size))

    def _written(self, args: list[Argument], loops: tuple[str, ...], types: TypeMap) -> str:
        return self._loop(args, loops[0], types, **self.kwargs)

    def _loop(
        self, args: list[Argument], loop: str, types: TypeMap, loop_prep: str = "", after_loop: str = "",
        options: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        texts = "".join((self.preamble, loop_prep, self.operation, after_loop))
        parameters = [*body_parameters(self.params, args), f"{loop} _ind"]
        return prelude(types_of(args), texts) + "\n" + _LOOP.format(
            preamble=located("preamble", self.preamble), types=typedefs(types), parameters=", ".join(parameters),
            before=located("loop_prep", loop_prep + ";"), elements=self._elements(args),
            operation=located("operation", self.operation), after=located("after_loop", after_loop + ";"),
            entry=located("operation", entry(self.name, self.params, args, {"_ind": loop}, "")),
        )  # fmt: skip

    def _elements(self, args: list[Argument]) -> str:
        """The names of elements: references into the arrays."""
        return " ".join(
            f"{'const ' if p.is_const else ''}{element_type(p)} &{p.name} = _raw_{p.name}[_ind.get()];"
            for p, a in zip(self.params, args, strict=True)
            if isinstance(a, Layout) and not p.raw
        )


def element_type(parameter: Parameter) -> str:
    """Return the C type of a parameter's elements: a fixed one, or the placeholder."""
    return parameter.placeholder if parameter.dtype is None else type_name(parameter.dtype)


def arrange(
    params: tuple[Parameter, ...], args: list[Any], shape: tuple[int, ...], merge: bool
) -> tuple[list[Argument], tuple[int, ...]]:
    """Return arrays as layouts of the loop's shape, their axes merged where that is wanted; `raw` ones as they are."""
    loops = [n for n, (p, a) in enumerate(zip(params, args, strict=True)) if isinstance(a, ndarray) and not p.raw]
    made = [layout(each._host) if isinstance(each, ndarray) else each for each in args]
    looped = [layout(args[n]._host, shape) for n in loops]
    if merge:
        looped, shape = merge_axes(looped, shape)
    for number, each in zip(loops, looped, strict=True):
        made[number] = each
    return made, shape


ElementwiseKernel.__module__ = "cupy._core._kernel"  # as CuPy prints it
