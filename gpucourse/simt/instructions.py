"""The opcode table: each PTX opcode to the step that executes it for all lanes of a fragment.

A maker takes one instruction and a `Decoder` and returns a step, a function of the fragment. Makers run
once a kernel; steps run for every block of every launch. To add an arithmetic opcode, give it a line in
`_SIGNATURES`: operand types, result type, and a function of NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucourse.errors import SimulatorLacks
from gpucourse.simt import arithmetic as ar
from gpucourse.simt import atomics, forms, video, warp
from gpucourse.simt.memory import SPACE_SHIFT, SPACES, Space
from gpucourse.simt.ptx import (
    TYPE_BYTES,
    Address,
    Function,
    Group,
    Immediate,
    Instruction,
    Operand,
    Register,
    Symbol,
)
from gpucourse.simt.registers import LANE_REGISTERS, Fragment, Lanes, Values, raw, spread
from gpucourse.simt.trace import record, split

Step = Callable[[Fragment], None]
Getter = Callable[[Fragment], Values]

DTYPES: dict[str, np.dtype[Any]] = {
    "pred": np.dtype(bool), "b8": np.dtype(np.uint8), "u8": np.dtype(np.uint8), "s8": np.dtype(np.int8),
    "b16": np.dtype(np.uint16), "u16": np.dtype(np.uint16), "s16": np.dtype(np.int16),
    "b32": np.dtype(np.uint32), "u32": np.dtype(np.uint32), "s32": np.dtype(np.int32),
    "b64": np.dtype(np.uint64), "u64": np.dtype(np.uint64), "s64": np.dtype(np.int64),
    "f16": np.dtype(np.float16), "f32": np.dtype(np.float32), "f64": np.dtype(np.float64),
    "f16x2": np.dtype(np.float16),
}  # fmt: skip
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_FLOATS = ("f16", "f16x2", "f32", "f64")
_DOUBLE = {"u8": "u16", "s8": "s16", "u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}


#: What Python and NumPy raise on operands that do not fit an opcode: inline assembly that no assembler accepts.
UNFIT = (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError)


@dataclass(frozen=True)
class Place:
    """Where a variable is: its space and, inside the space, its address in bytes."""

    space: str
    address: int


class Decoder:
    """What makers need: the function's register types, and where variables are (`constants`: those in constant
    memory, by their addresses)."""

    def __init__(
        self, function: Function, places: Mapping[str, Place], flushed: frozenset[str], constants: tuple[int, ...] = ()
    ) -> None:
        self.function, self.places, self.flushed, self.constants = function, places, flushed, constants
        self.types = function.registers

    def step(self, instruction: Instruction) -> Step:
        """The step of an instruction; raises `SimulatorLacks` for what the table does not have."""
        maker = OPCODES.get(instruction.parts[0])
        if maker is None:
            raise lacks(instruction)
        try:
            return maker(self, instruction)
        except UNFIT as error:
            raise lacks(instruction) from error

    def get(self, operand: Operand, kind: str, ftz: bool = False) -> Getter:
        """A function of the fragment: the operand's values as `kind`; float32 flushed if `ftz`."""
        if not isinstance(operand, Register):
            constant = self._constant(operand, kind)
            return (lambda f: ar.flush(constant(f))) if ftz and kind in ("f32", "f16") else constant
        name = operand.name
        if name not in self.types:
            return _special_getter(name, DTYPES[kind])
        getter = _register_getter(name, self.types[name], kind)
        if operand.negated:
            return lambda f: ~getter(f)
        if ftz and ((kind == "f32" and name not in self.flushed) or kind in ("f16", "f16x2")):
            return lambda f: ar.flush(getter(f))
        return getter

    def _constant(self, operand: Operand, kind: str) -> Getter:
        match operand:
            case Immediate():
                value = _bits(operand, kind)
                if len(value) != 1:
                    raise ValueError(operand)
                return lambda f: value
            case Symbol("WARP_SZ"):
                value = np.array([32], DTYPES[kind])
                return lambda f: value
            case Symbol(name, offset, generic):
                return self._address_of(name, offset, generic, DTYPES[kind])
        raise ValueError(operand)

    def _address_of(self, name: str, offset: int, generic: bool, dtype: np.dtype[Any]) -> Getter:
        place = self.places[name]
        window = SPACES[place.space] << SPACE_SHIFT if generic else 0
        value = np.array([(place.address + offset + window) & (1 << 64) - 1], np.uint64).astype(dtype)
        if place.space == "local":
            return lambda f: value + dtype.type(f.local_base)
        return lambda f: value

    def address(self, operand: Operand, space: str) -> Getter:
        """Byte addresses (uint64) of a memory operand in `space` ("generic" for none)."""
        if not isinstance(operand, Address):
            raise ValueError(operand)
        if operand.base is None:
            value = np.array([operand.offset & (1 << 64) - 1], np.uint64)
            return lambda f: value
        if isinstance(operand.base, Symbol):
            if space not in ("generic", self.places[operand.base.name].space):
                raise ValueError(operand)
            return self._address_of(operand.base.name, operand.offset, space == "generic", np.dtype(np.uint64))
        base = self.get(operand.base, "u64" if TYPE_BYTES[self.types[operand.base.name]] == 8 else "u32")
        if TYPE_BYTES[self.types[operand.base.name]] == 8:
            offset = np.uint64(operand.offset & (1 << 64) - 1)
            return (lambda f: base(f) + offset) if operand.offset else base
        narrow = np.uint32(operand.offset & (1 << 32) - 1)   # a 32-bit address wraps: NVRTC folds s[i - 1] into s - 4
        return lambda f: np.add(base(f), narrow).astype(np.uint64)

    def put(self, operand: Operand, kind: str) -> Callable[[Fragment, Values], None]:
        """A function that writes values of `kind` into a register, extended to the register's width."""
        if (isinstance(operand, Symbol) and operand.name == "_") or operand == Register("_"):
            return lambda f, value: None
        if not isinstance(operand, Register):
            raise ValueError(operand)
        name, extend = operand.name, self.extension(operand, kind)
        if extend is not None:
            wider, bits = extend, raw if kind in _FLOATS else _same
            return lambda f, value: f.registers.__setitem__(name, bits(value).astype(wider))
        return lambda f, value: f.registers.__setitem__(name, value)

    def extension(self, operand: Operand, kind: str) -> Any:
        """The dtype to widen a result of `kind` to; None where the register is as wide as the result."""
        if not isinstance(operand, Register):
            return None
        width, have = TYPE_BYTES[self.types[operand.name]], TYPE_BYTES[kind]
        if width <= have or self.types[operand.name] == "pred":
            return None
        return np.dtype(f"{'i' if kind[0] == 's' else 'u'}{width}")


def _same(value: Values) -> Values:
    return value


def lacks(instruction: Instruction) -> SimulatorLacks:
    """The refusal of an instruction, with its text and line."""
    return SimulatorLacks(f"the instruction {instruction.opcode}", str(instruction), instruction.line or None)


def _bits(operand: Immediate, kind: str) -> Values:
    dtype, value = DTYPES[kind], operand.value
    if operand.kind == "f":
        single = np.array([value & 0xFFFFFFFF], np.uint32).view(np.float32)
        return single.astype(np.float64) if kind == "f64" else single if kind == "f32" else single.view(dtype)
    if operand.kind == "d":
        double = np.array([value & (1 << 64) - 1], np.uint64).view(np.float64)
        return double.astype(np.float32) if kind == "f32" else double.view(dtype)
    if kind == "pred":
        return np.array([value != 0])
    if kind == "f16x2":
        return np.array([value & 0xFFFFFFFF], np.uint32).view(np.float16).reshape(-1, 2)
    size = dtype.itemsize
    return np.array([value & (1 << 8 * size) - 1], _UNSIGNED[size]).view(dtype)


def _register_getter(name: str, declared: str, kind: str) -> Getter:
    dtype, width, want = DTYPES[kind], TYPE_BYTES[declared], TYPE_BYTES[kind]
    if kind == "pred":
        return lambda f: f.registers[name].astype(bool, copy=False)
    if kind == "f16x2":
        return lambda f: np.ascontiguousarray(_sized(f.registers[name], 4)).view(np.float16).reshape(-1, 2)
    if width > want:
        return lambda f: raw(f.registers[name]).astype(_UNSIGNED[want]).view(dtype)
    if width < want:
        wide = np.dtype(f"{'i' if kind[0] == 's' else 'u'}{want}")
        narrow = np.dtype(f"{'i' if kind[0] == 's' else 'u'}{width}")
        return lambda f: _sized(f.registers[name], width).view(narrow).astype(wide).view(dtype)
    return lambda f: _viewed(f.registers[name], dtype)


def _viewed(value: Values, dtype: np.dtype[Any]) -> Values:
    return value if value.dtype is dtype else _sized(value, dtype.itemsize).view(dtype)


def _sized(value: Values, size: int) -> Values:
    """Only a register that was never written (zero, 64 bits) can have another width."""
    return value if value.dtype.itemsize == size else raw(value).astype(_UNSIGNED[size])


def _special_getter(name: str, dtype: np.dtype[Any]) -> Getter:
    root = name[1:].partition(".")[0]
    if root in LANE_REGISTERS:
        return lambda f: f.lanes.special(name).astype(dtype, copy=False)
    if root in ("clock", "clock64", "clock_hi", "globaltimer", "globaltimer_lo", "globaltimer_hi"):
        return lambda f: np.array([f.machine.clock() >> (32 if root.endswith("hi") else 0)]).astype(dtype)
    if root in ("dynamic_smem_size", "total_smem_size"):
        return lambda f: np.array([f.machine.shared_sizes[root]], dtype)
    if root.startswith("envreg"):
        return lambda f: np.array([f.machine.environment(root)], np.uint64).astype(dtype)
    raise SimulatorLacks(f"the register {name}")


# --- arithmetic --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signature:
    """Operand types, result type and the function of NumPy arrays that computes it."""

    operands: tuple[str, ...]
    result: str
    compute: ar.Operation


_Modifiers = tuple[str, ...]
_INTEGER: dict[str, ar.Operation] = {
    "add": np.add, "sub": np.subtract, "min": np.minimum, "max": np.maximum, "div": ar.div_int,
    "rem": ar.rem_int, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "not": np.invert, "abs": np.abs, "neg": np.negative,
}  # fmt: skip
_FLOAT: dict[str, ar.Operation] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "min": ar.fmin, "max": ar.fmax,
    "abs": np.abs, "neg": np.negative, "sqrt": np.sqrt, "rcp": ar.rcp, "copysign": ar.copysign,
}  # fmt: skip
_FMA: dict[str, ar.Operation] = {"f16": ar.fma16, "f16x2": ar.fma16, "f32": ar.fma32, "f64": ar.fma64}
_COUNT = {"not": 1, "abs": 1, "neg": 1, "sqrt": 1, "rcp": 1, "cnot": 1}


def _arithmetic(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    count = _COUNT.get(name, 2)
    if kind in _FLOATS:
        return Signature((kind,) * count, kind, _float_operation(name, kind, modifiers))
    if name in ("add", "sub") and "sat" in modifiers:
        return Signature((kind,) * 2, kind, ar.add_sat if name == "add" else ar.sub_sat)
    return Signature((kind,) * count, kind, _INTEGER[name])


def _float_operation(name: str, kind: str, modifiers: _Modifiers) -> ar.Operation:
    mode = next((m for m in modifiers if m in ("rz", "rm", "rp")), None)
    if mode and name in ("add", "sub", "mul", "fma", "div", "rcp", "sqrt"):
        return ar.rounded(name, mode, DTYPES[kind])
    if "approx" in modifiers:
        return _approximation(name, kind, modifiers)
    if "NaN" in modifiers:
        return {"min": ar.fmin_nan, "max": ar.fmax_nan}[name]
    if name == "fma":
        return ar.fma32_ftz if kind == "f32" and "ftz" in modifiers else _FMA[kind]
    return _FLOAT[name]


def _approximation(name: str, kind: str, modifiers: _Modifiers) -> ar.Operation:
    compute = ar.APPROXIMATE[name]
    return ar.gross(compute) if kind == "f64" and "ftz" in modifiers else compute


def _mul(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    if kind in _FLOATS:
        return _arithmetic(name, kind, modifiers)
    if "wide" in modifiers:
        return Signature((kind, kind), _DOUBLE[kind], ar.mul_wide)
    return Signature((kind, kind), kind, ar.mul_hi if "hi" in modifiers else np.multiply)


def _mad(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    if kind in _FLOATS:
        return Signature((kind,) * 3, kind, _float_operation("fma", kind, modifiers))
    if "wide" in modifiers:
        return Signature((kind, kind, _DOUBLE[kind]), _DOUBLE[kind], lambda a, b, c: ar.mul_wide(a, b) + c)
    if "hi" in modifiers:
        add = ar.add_sat if "sat" in modifiers else np.add
        return Signature((kind,) * 3, kind, lambda a, b, c: add(ar.mul_hi(a, b), c))
    return Signature((kind,) * 3, kind, lambda a, b, c: a * b + c)


def _approximate(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    return Signature((kind,), kind, _approximation(name, kind, modifiers))


def _shift(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    return Signature((kind, "u32"), kind, ar.shl if name == "shl" else ar.shr)


def _funnel(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    left, wrap = "l" in modifiers, "wrap" in modifiers
    return Signature(("u32",) * 3, "u32", lambda a, b, c: ar.funnel(a, b, c, left, wrap))


def _convert(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    to = modifiers[-1]
    if kind == "f16x2":
        raise ValueError("half pairs are converted to, never from")
    return Signature((kind,), to, ar.convert(DTYPES[to], DTYPES[kind], modifiers[:-1]))


def _select(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    return Signature((kind, kind, "pred"), kind, lambda a, b, p: ar.choose(p, a, b))


def _slct(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    value = modifiers[-1]
    return Signature((value, value, kind), value, lambda a, b, c: ar.choose(c >= 0, a, b))


def _set(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    compare, to = _comparison(modifiers[0], kind), modifiers[-1]
    combine = next((_COMBINE[m] for m in modifiers[1:] if m in _COMBINE), None)
    true, false = np.array([1.0 if to in _FLOATS else -1]).astype(DTYPES[to]), np.zeros(1, DTYPES[to])
    if combine is None:
        return Signature((kind, kind), to, lambda a, b: np.where(compare(a, b), true, false))
    both = combine
    return Signature((kind, kind, "pred"), to, lambda a, b, p: np.where(both(compare(a, b), p), true, false))


def _mul24(name: str, kind: str, modifiers: _Modifiers) -> Signature:
    product = ar.mul24_hi if "hi" in modifiers else ar.mul24
    if name == "mul24":
        return Signature((kind,) * 2, kind, product)
    add = ar.add_sat if "sat" in modifiers else np.add
    return Signature((kind,) * 3, kind, lambda a, b, c: add(product(a, b), c))


def _fixed(operands: str, result: str, compute: ar.Operation) -> Callable[..., Signature]:
    """A signature where "t" in `operands` and `result` stands for the instruction's own type."""

    def signature(name: str, kind: str, modifiers: _Modifiers) -> Signature:
        kinds = tuple(kind if o == "t" else o for o in operands.split())
        return Signature(kinds, kind if result == "t" else result, compute)

    return signature


def _cnot(a: Values) -> Values:
    out: Values = (a == 0).astype(a.dtype)
    return out


_SIGNATURES: dict[str, Callable[[str, str, _Modifiers], Signature]] = {
    **dict.fromkeys(
        "add sub min max div rem and or xor not abs neg sqrt rcp copysign".split(), _arithmetic),
    "mul": _mul, "mad": _mad, "fma": _mad, "shl": _shift, "shr": _shift, "shf": _funnel, "cvt": _convert,
    "selp": _select, "slct": _slct, "set": _set,
    **dict.fromkeys("sin cos ex2 lg2 tanh rsqrt".split(), _approximate),
    "mul24": _mul24, "mad24": _mul24,
    "sad": _fixed("t t t", "t", ar.sad),
    "cnot": _fixed("t", "t", _cnot),
    "popc": _fixed("t", "u32", ar.popc),
    "clz": _fixed("t", "u32", ar.clz),
    "brev": _fixed("t", "t", ar.brev),
    "bfe": _fixed("t u32 u32", "t", ar.bfe),
    "bfi": _fixed("t t u32 u32", "t", ar.bfi),
    "bmsk": lambda n, kind, m: Signature((kind, "u32"), kind, lambda a, b: ar.bmsk(a, b, "clamp" in m)),
    "szext": lambda n, kind, m: Signature((kind, "u32"), kind, lambda a, b: ar.szext(a, b, "clamp" in m)),
    "bfind": lambda n, kind, m: Signature((kind,), "u32", ar.bfind_shiftamt if "shiftamt" in m else ar.bfind),
    "fns": _fixed("t u32 s32", "t", ar.fns),
    "testp": lambda n, kind, m: Signature((kind,), "pred", ar.testp(m[0])),
}  # fmt: skip
_ROUNDING, _COMPARISONS = "rn rz rm rp", "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan"
#: What an opcode may have besides types. Any other modifier might change the result, so it is refused.
_MODIFIERS: dict[str, frozenset[str]] = {
    root: frozenset(words.split())
    for roots, words in {
        "add sub fma": f"{_ROUNDING} ftz sat", "mul mad": f"{_ROUNDING} ftz sat lo hi wide",
        "mul24": "lo hi", "mad24": "lo hi sat",
        "div": f"{_ROUNDING} ftz approx full", "rcp sqrt": f"{_ROUNDING} ftz approx",
        "sin cos ex2 lg2 tanh rsqrt": "ftz approx", "min max": "ftz NaN", "abs neg slct": "ftz",
        "shf": "l r wrap clamp", "bmsk szext": "wrap clamp", "bfind": "shiftamt",
        "testp": "finite infinite number notanumber normal subnormal",
        "cvt": f"{_ROUNDING} rni rzi rmi rpi ftz sat",
        "set": f"{_COMPARISONS} and or xor ftz", "setp": f"{_COMPARISONS} and or xor ftz",
    }.items()
    for root in roots.split()
}


#: Those of them that stay for integers; `sat` is for s32 alone (cvt apart), and there for sums and for .hi of products.
_INTEGER_MODIFIERS: dict[str, frozenset[str]] = {
    "add": frozenset({"sat"}), "sub": frozenset({"sat"}), "mul": frozenset({"lo", "hi", "wide"}),
    "mad": frozenset({"lo", "hi", "wide", "sat"}),
    **dict.fromkeys("div min max abs neg".split(), frozenset()),
    **{name: _MODIFIERS[name] - {"ftz"} for name in ("set", "setp")},
}  # fmt: skip
#: Comparisons that a type has, by its first letter (PTX ISA, setp).
_COMPARED = {
    "u": "eq ne lt le gt ge lo ls hi hs", "s": "eq ne lt le gt ge", "b": "eq ne",
    "f": "eq ne lt le gt ge equ neu ltu leu gtu geu num nan",
}  # fmt: skip


def _comparison(name: str, kind: str) -> ar.Operation:
    if name not in _COMPARED[kind[0]].split():
        raise ValueError(name, kind)
    return ar.comparison(name, kind in _FLOATS)


def _checked(name: str, modifiers: _Modifiers, kind: str) -> None:
    known = _MODIFIERS.get(name, frozenset())
    if kind not in _FLOATS:
        known = _INTEGER_MODIFIERS.get(name, known)
        product = name in ("mad", "mad24")
        if name != "cvt" and "sat" in modifiers and (kind != "s32" or (product and "hi" not in modifiers)):
            raise ValueError(name, modifiers)
    if not all(m in known or m in TYPE_BYTES for m in modifiers):
        raise ValueError(name, modifiers)


def _alu(decoder: Decoder, instruction: Instruction) -> Step:
    name, *rest = instruction.parts
    modifiers, kind = tuple(rest[:-1]), rest[-1]
    if "cc" in modifiers:
        return _with_carry(decoder, instruction)
    _checked(name, modifiers, kind)
    signature = _SIGNATURES[name](name, kind, modifiers)
    if ("f16x2" in signature.operands) != (signature.result == "f16x2"):
        raise ValueError(name, kind)   # pairs of halves go only where pairs come from
    ftz = "ftz" in modifiers and (name, kind) != ("cvt", "f16")   # cvt flushes single precision only
    getters = [
        decoder.get(o, k, ftz) for o, k in zip(instruction.operands[1:], signature.operands, strict=True)
    ]
    compute = _finished(signature, modifiers, kind)
    return _assign(decoder, instruction.operands[0], signature.result, compute, getters)


def _finished(signature: Signature, modifiers: _Modifiers, kind: str) -> ar.Operation:
    """The computation with what follows it: saturation, flushing, packing of half pairs."""
    compute, result = signature.compute, signature.result
    if "sat" in modifiers and result in _FLOATS:
        compute = _then(ar.saturate, compute)
    if "ftz" in modifiers and (result == "f32" or result == kind != "f64"):
        compute = _then(ar.flush, compute)
    if result == "f16x2":
        compute = _then(_packed_halves, compute)
    return compute


def _then(after: ar.Operation, compute: ar.Operation) -> ar.Operation:
    return lambda *operands: after(compute(*operands))


def _packed_halves(a: Values) -> Values:
    return np.ascontiguousarray(a, dtype=np.float16).view(np.uint32).reshape(-1)


def _assign(
    decoder: Decoder, target: Operand, kind: str, compute: ar.Operation, getters: list[Getter]
) -> Step:
    """The step `target = compute(*operands)`, unrolled for one to three operands."""
    if not isinstance(target, Register):
        put = decoder.put(target, kind)
        return lambda f: put(f, compute(*(g(f) for g in getters)))
    name, extend = target.name, decoder.extension(target, kind)
    if extend is not None:
        narrow = compute
        compute = lambda *operands: narrow(*operands).astype(extend)  # noqa: E731
    if len(getters) == 1:
        (a,) = getters
        return lambda f: f.registers.__setitem__(name, compute(a(f)))
    if len(getters) == 2:
        a, b = getters
        return lambda f: f.registers.__setitem__(name, compute(a(f), b(f)))
    if len(getters) == 3:
        a, b, c = getters
        return lambda f: f.registers.__setitem__(name, compute(a(f), b(f), c(f)))
    return lambda f: f.registers.__setitem__(name, compute(*(g(f) for g in getters)))


def _lop3(decoder: Decoder, instruction: Instruction) -> Step:
    target, a, b, c, table = instruction.operands
    if not isinstance(table, Immediate) or instruction.parts[-1] != "b32" or len(instruction.parts) != 2:
        raise ValueError(instruction)
    getters = [decoder.get(o, "b32") for o in (a, b, c)]
    return _assign(decoder, target, "b32", lambda x, y, z: ar.lop3(x, y, z, table.value), getters)


def _dot(decoder: Decoder, instruction: Instruction) -> Step:
    target, a, b, c = instruction.operands
    name, *half, first, second = instruction.parts
    if not {first, second} <= {"u32", "s32"} or half not in ([["lo"], ["hi"]] if name == "dp2a" else [[]]):
        raise ValueError(instruction)
    left, right = first == "s32", second == "s32"
    getters = [decoder.get(o, "u32") for o in (a, b, c)]
    if name == "dp4a":
        return _assign(decoder, target, "u32", lambda x, y, z: ar.dp4a(x, y, z, left, right), getters)
    return _assign(decoder, target, "u32", lambda x, y, z: ar.dp2a(x, y, z, left, right, half == ["hi"]), getters)


def _prmt(decoder: Decoder, instruction: Instruction) -> Step:
    target, a, b, c = instruction.operands
    _, kind, *mode = instruction.parts
    if kind != "b32" or len(mode) > 1:
        raise ValueError(instruction)
    select = ar.prmt_mode(mode[0]) if mode else ar.prmt
    return _assign(decoder, target, "u32", select, [decoder.get(o, "u32") for o in (a, b, c)])


def _video(decoder: Decoder, instruction: Instruction) -> Step:
    """SIMD video instructions; the assembler takes registers only, and parts of `c` never."""
    target, a, b, c = (o for o in instruction.operands if isinstance(o, Register) and not o.negated)
    if c.part:
        raise ValueError(instruction)
    compute = video.operation(instruction.parts, [target.part, a.part, b.part])
    return _assign(decoder, target, "u32", compute, [decoder.get(o, "u32") for o in (a, b, c)])


def _with_carry(decoder: Decoder, instruction: Instruction) -> Step:
    """add.cc, addc, sub.cc, subc, mad.cc, madc: the carry is the pseudo-register `%cc`."""
    root, *modifiers, kind = instruction.parts
    half = ["lo"], ["hi"]
    known = [*half, *([*h, "cc"] for h in half)] if root.startswith("mad") else [[], ["cc"]]
    if modifiers not in known or kind not in ("u32", "s32", "b32", "u64", "s64", "b64"):
        raise ValueError(instruction)
    factor, kind = kind, kind.replace("s", "u")
    factors = (factor, factor) if root.startswith("mad") else ()
    getters = [decoder.get(o, k) for o, k in zip(instruction.operands[1:], (*factors, kind, kind), strict=False)]
    put = decoder.put(instruction.operands[0], kind)
    carries_in, keeps = root.endswith("c"), "cc" in modifiers
    subtracts, multiplies = root.startswith("sub"), root.startswith("mad")
    product = ar.mul_hi if "hi" in modifiers else np.multiply

    def step(f: Fragment) -> None:
        operands = [g(f) for g in getters]
        if multiplies:
            operands = [ar.unsigned(product(operands[0], operands[1])), operands[2]]
        a, b = operands[0], ~operands[1] if subtracts else operands[1]
        carry = f.registers["%cc"].astype(a.dtype) if carries_in else np.array([subtracts], a.dtype)
        first = a + b
        total = first + (carry ^ 1 if subtracts and carries_in else carry)
        out = (first < a) | (total < first)
        if keeps:
            f.registers["%cc"] = (~out if subtracts else out).astype(np.uint32)
        put(f, total)

    return step


def _setp(decoder: Decoder, instruction: Instruction) -> Step:
    _, *modifiers, kind = instruction.parts
    _checked("setp", tuple(modifiers), kind)
    target, left, right, *third = instruction.operands
    if len(third) != sum(m in _COMBINE for m in modifiers):
        raise ValueError(instruction)
    compare, ftz = _comparison(modifiers[0], kind), "ftz" in modifiers
    a, b = decoder.get(left, kind, ftz), decoder.get(right, kind, ftz)
    if not third and isinstance(target, Register) and kind != "f16x2":
        return _assign(decoder, target, "pred", compare, [a, b])
    combine = next((_COMBINE[m] for m in modifiers[1:] if m in _COMBINE), None)
    c = decoder.get(third[0], "pred") if third else None
    targets = target.items if isinstance(target, Group) else (target,)
    puts = [decoder.put(t, "pred") for t in targets]

    def step(f: Fragment) -> None:
        flag = compare(a(f), b(f))
        halves = (flag[:, 0], flag[:, 1]) if kind == "f16x2" else (flag, ~flag)
        other = c(f) if c is not None else None
        for put, value in zip(puts, halves, strict=False):
            put(f, combine(value, other) if combine is not None else value)

    return step


_COMBINE: dict[str, ar.Operation] = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}


# --- moves -------------------------------------------------------------------------------------------


def _mov(decoder: Decoder, instruction: Instruction) -> Step:
    target, source = instruction.operands
    kind = instruction.parts[-1]
    if isinstance(target, Group):
        return _unpack(decoder, target, source, kind)
    if isinstance(source, Group):
        return _pack(decoder, target, source, kind)
    return _assign(decoder, target, kind, lambda a: a, [decoder.get(source, kind)])


def _part_kind(kind: str, count: int) -> str:
    return f"b{8 * TYPE_BYTES[kind] // count}"


def _unpack(decoder: Decoder, target: Group, source: Operand, kind: str) -> Step:
    part = _part_kind(kind, len(target.items))
    get, dtype, count = decoder.get(source, kind), DTYPES[part], len(target.items)
    puts = [decoder.put(t, part) for t in target.items]

    def step(f: Fragment) -> None:
        parts = np.ascontiguousarray(get(f)).view(dtype).reshape(-1, count)
        for place, put in enumerate(puts):
            put(f, np.ascontiguousarray(parts[:, place]))

    return step


def _pack(decoder: Decoder, target: Operand, source: Group, kind: str) -> Step:
    part = _part_kind(kind, len(source.items))
    getters = [decoder.get(s, part) for s in source.items]
    put, dtype = decoder.put(target, kind), DTYPES[kind]

    def step(f: Fragment) -> None:
        parts = np.broadcast_arrays(*(g(f) for g in getters))
        put(f, np.stack(parts, axis=1).view(dtype).reshape(-1))

    return step


#: State space -> the number that its generic addresses carry; constant memory is a part of global memory's window.
_WINDOWS = {**SPACES, "const": 0, "shared::cta": SPACES["shared"], "param::entry": SPACES["param"]}


def _cvta(decoder: Decoder, instruction: Instruction) -> Step:
    """Between an address in a space and its generic form; in global memory they are the same."""
    space, kind = instruction.parts[-2], instruction.parts[-1]
    get = decoder.get(instruction.operands[1], kind)
    window = np.uint64(_WINDOWS[space] << SPACE_SHIFT)
    if "to" in instruction.parts:
        mask = np.uint64((1 << SPACE_SHIFT) - 1)
        return _assign(decoder, instruction.operands[0], kind, lambda a: a & mask, [get])
    return _assign(decoder, instruction.operands[0], kind, lambda a: a | window, [get])


def _isspacep(decoder: Decoder, instruction: Instruction) -> Step:
    """Whether a generic address is in a space: constant memory is apart from global, parameters are a part of it."""
    _, name = instruction.parts
    number = _WINDOWS[name]
    target, get = instruction.operands[0], decoder.get(instruction.operands[1], "u64")

    def inside(address: Values) -> Values:
        window = address >> np.uint64(SPACE_SHIFT)
        found: Values = window == number
        if name == "const":
            return found & _constant(address, decoder.constants)
        if name == "global":
            found = (found & ~_constant(address, decoder.constants)) | (window == SPACES["param"])
        return found

    return _assign(decoder, target, "pred", inside, [get])


def _constant(address: Values, constants: tuple[int, ...]) -> Values:
    """Where an address is behind one in `constants`, by no more than constant memory's 64 KiB."""
    out: Values = np.zeros(1, bool)
    for base in constants:
        out = out | (address - np.uint64(base) < 1 << 16)
    return out


# --- memory ------------------------------------------------------------------------------------------

_SPACE_NAMES = {"global": "global", "const": "global", "shared": "shared", "local": "local", "param": "param"}


def space_of(instruction: Instruction) -> str:
    """State space of a memory instruction: "global" (constant too), "shared", "local", "param", "generic"."""
    for part in instruction.parts[1:]:
        name = part.partition("::")[0]
        if name in _SPACE_NAMES:
            return _SPACE_NAMES[name]
    return "generic"


def spaces_of(f: Fragment, space: str, address: Values) -> list[tuple[Space, Values, Values | None]]:
    """(space, addresses in it, positions of its lanes or None for all) of possibly generic addresses."""
    return [(f.machine.spaces[name], inside, chosen) for name, inside, chosen in split(space, address)]


def load(f: Fragment, space: str, address: Values, dtype: np.dtype[Any]) -> Values:
    """Elements of `dtype` at `address`, shape (lanes,) or (1,)."""
    if space != "generic":
        found: Values = f.machine.spaces[space].load(address, dtype, f.lanes)
        return found
    parts = spaces_of(f, space, address)
    if len(parts) == 1:
        return parts[0][0].load(parts[0][1], dtype, f.lanes)
    out = np.empty(len(address), dtype)
    for where, inside, chosen in parts:
        out[chosen] = where.load(inside, dtype, part_of(f.lanes, chosen))
    return out


def store(f: Fragment, space: str, address: Values, value: Values) -> None:
    """Write `value` (lanes,) or (1,) at `address`."""
    for where, inside, chosen in spaces_of(f, space, address):
        part = value if chosen is None or len(value) == 1 else value[chosen]
        where.store(inside, part, part_of(f.lanes, chosen))


def part_of(lanes: Lanes, chosen: Values | None) -> Lanes:
    """The lanes at positions `chosen`; all of them for None."""
    return lanes if chosen is None else Lanes(lanes.slot[chosen], lanes.shape)


def _traced(instruction: Instruction, kind: str, size: int, count: int = 1) -> Callable[..., None]:
    """A function that tells the trace, if there is one, of an access of `count` elements of `size` bytes a lane."""

    def tell(f: Fragment, space: str, address: Values, *values: Values) -> None:
        if f.machine.trace is not None:
            record(f.machine.trace, f, instruction, kind, space, address, size, values, count)

    return tell


def _vector(instruction: Instruction, operand: Operand) -> tuple[Operand, ...]:
    """The registers that a load or store names; memory has no cells of `pred` and none of half pairs."""
    if instruction.parts[-1] in ("pred", "f16x2"):
        raise ValueError(instruction)
    return operand.items if isinstance(operand, Group) else (operand,)


def _ld(decoder: Decoder, instruction: Instruction) -> Step:
    space, kind = space_of(instruction), instruction.parts[-1]
    targets = _vector(instruction, instruction.operands[0])
    if space == "param" and _in_call(decoder, instruction.operands[1]):
        return _ld_call_param(decoder, instruction, targets, kind)
    address, dtype = decoder.address(instruction.operands[1], space), DTYPES[kind]
    puts = [decoder.put(t, kind) for t in targets]
    tell = _traced(instruction, "load", dtype.itemsize, len(targets))
    if len(targets) > 1:
        return _ld_vector(space, address, dtype, puts, tell)
    put = puts[0]

    def step(f: Fragment) -> None:
        where = address(f)
        if f.machine.trace is not None:
            tell(f, space, where)
        put(f, load(f, space, where, dtype))

    return step


def _ld_vector(
    space: str, address: Getter, dtype: np.dtype[Any], puts: list[Callable[..., None]],
    tell: Callable[..., None],
) -> Step:  # fmt: skip
    """The alignment of the whole vector is checked by its widest even part, then each part is loaded."""
    whole = np.uint64(dtype.itemsize * len(puts) - 1)
    offsets = [np.uint64(dtype.itemsize * i) for i in range(len(puts))]

    def step(f: Fragment) -> None:
        where = address(f)
        tell(f, space, where)
        f.machine.check_vector(where, int(whole) + 1)
        for put, offset in zip(puts, offsets, strict=True):
            put(f, load(f, space, where + offset, dtype))

    return step


def _st(decoder: Decoder, instruction: Instruction) -> Step:
    space, kind = space_of(instruction), instruction.parts[-1]
    sources = _vector(instruction, instruction.operands[1])
    if space == "param":
        return _st_call_param(decoder, instruction, sources, kind)
    address, dtype = decoder.address(instruction.operands[0], space), DTYPES[kind]
    getters = [decoder.get(s, kind) for s in sources]
    tell, size = _traced(instruction, "store", dtype.itemsize, len(getters)), dtype.itemsize

    def step(f: Fragment) -> None:
        where = address(f)
        if f.machine.trace is not None:
            tell(f, space, where, *(get(f) for get in getters))
        if len(getters) > 1:
            f.machine.check_vector(where, size * len(getters))
        for place, get in enumerate(getters):
            store(f, space, where + np.uint64(place * size) if place else where, get(f))

    return step


def _in_call(decoder: Decoder, operand: Operand) -> bool:
    """Whether a `.param` operand belongs to a device function or a call, not to the kernel's arguments."""
    base = operand.base if isinstance(operand, Address) else None
    return isinstance(base, Symbol) and base.name not in decoder.places


def _ld_call_param(
    decoder: Decoder, instruction: Instruction, targets: tuple[Operand, ...], kind: str
) -> Step:
    address = instruction.operands[1]
    if not isinstance(address, Address) or not isinstance(address.base, Symbol):
        raise ValueError(instruction)
    name, dtype, puts = address.base.name, DTYPES[kind], [decoder.put(t, kind) for t in targets]
    size, start = dtype.itemsize, address.offset
    never = np.zeros((1, start + size * len(puts)), np.uint8)   # the result of a guarded call that nobody made

    def step(f: Fragment) -> None:
        held = f.registers.get(name, never)
        for place, put in enumerate(puts):
            at = start + place * size
            put(f, np.ascontiguousarray(held[:, at : at + size]).view(dtype)[:, 0])

    return step


def _st_call_param(
    decoder: Decoder, instruction: Instruction, sources: tuple[Operand, ...], kind: str
) -> Step:
    """Parameters of a call are rows of bytes, one row a lane; they are replaced, never changed in place."""
    address = instruction.operands[0]
    if not isinstance(address, Address) or not isinstance(address.base, Symbol):
        raise ValueError(instruction)
    name, size, start = address.base.name, TYPE_BYTES[kind], address.offset
    getters = [decoder.get(s, kind) for s in sources]
    variables = (*decoder.function.variables, *decoder.function.returns)
    total = next(v.size for v in variables if v.name == name)

    def step(f: Fragment) -> None:
        old = f.registers[name] if name in f.registers else np.zeros((1, total), np.uint8)
        values = [np.ascontiguousarray(g(f)) for g in getters]
        rows = max(len(old), *(len(v) for v in values))
        new = np.broadcast_to(old, (rows, total)).copy()
        for place, value in enumerate(values):
            at = start + place * size
            new[:, at : at + size] = value.view(np.uint8).reshape(-1, size)
        f.registers[name] = new

    return step


def _atom(decoder: Decoder, instruction: Instruction) -> Step:
    returns = instruction.parts[0] == "atom"
    space, kind = space_of(instruction), instruction.parts[-1]
    operands = instruction.operands[1:] if returns else instruction.operands
    operation = next(p for p in instruction.parts[1:] if p in atomics.OPERATIONS)
    address = decoder.address(operands[0], space)
    getters = [decoder.get(o, kind) for o in operands[1:]]
    put = decoder.put(instruction.operands[0], kind) if returns else None
    dtype = np.dtype(np.uint32) if kind == "f16x2" else DTYPES[kind]
    tell = _traced(instruction, "atomic", dtype.itemsize)

    def step(f: Fragment) -> None:
        where = spread(address(f), f.lanes.count)
        tell(f, space, where)
        values = [spread(_rows(g(f)), f.lanes.count) for g in getters]
        old = np.empty(f.lanes.count, dtype)
        for memory, inside, chosen in spaces_of(f, space, where):
            lanes = part_of(f.lanes, chosen)
            part = values if chosen is None else [v[chosen] for v in values]
            found = atomics.apply(memory, inside, dtype, lanes, operation, part, put is not None, kind == "f16x2")
            old[slice(None) if chosen is None else chosen] = found
        if put is not None:
            put(f, old)

    return step


def _rows(value: Values) -> Values:
    return _packed_halves(value) if value.ndim == 2 else value


def _nothing(decoder: Decoder, instruction: Instruction) -> Step:
    return lambda f: None


def _fence(decoder: Decoder, instruction: Instruction) -> Step:
    def step(f: Fragment) -> None:
        if f.machine.trace is not None:
            f.machine.trace.fence(f, instruction)

    return step


# --- warp-wide ---------------------------------------------------------------------------------------


def member_mask(decoder: Decoder, instruction: Instruction) -> Getter | None:
    """The operand that names the lanes that take part; None where it is every lane that is there."""
    if instruction.parts[0] == "activemask":
        return None
    if instruction.parts[0] == "wmma":
        value = np.array([0xFFFFFFFF], np.uint32)
        return lambda f: value
    return decoder.get(instruction.operands[-1], "u32")


def _shfl(decoder: Decoder, instruction: Instruction) -> Step:
    _, sync, mode, kind = instruction.parts
    if sync != "sync" or mode not in ("up", "down", "bfly", "idx") or kind != "b32":
        raise ValueError(instruction)
    puts = _mask_and_flag(decoder, instruction.operands[0])
    a, b, c, mask = (decoder.get(o, "u32") for o in instruction.operands[1:])

    def step(f: Fragment) -> None:
        warp.check_members(f.lanes, mask(f))
        for put, value in zip(puts, warp.shuffle(f.lanes, mode, a(f), b(f), c(f)), strict=False):
            put(f, value)

    return step


def _mask_and_flag(decoder: Decoder, target: Operand) -> list[Callable[[Fragment, Values], None]]:
    """Where the results of a destination `d` or `d|p` go, 32 bits and a predicate."""
    targets = target.items if isinstance(target, Group) else (target,)
    return [decoder.put(t, k) for t, k in zip(targets, ("b32", "pred"), strict=False)]


def _vote(decoder: Decoder, instruction: Instruction) -> Step:
    _, sync, mode, kind = instruction.parts
    if sync != "sync" or (mode, kind) not in (("all", "pred"), ("any", "pred"), ("uni", "pred"), ("ballot", "b32")):
        raise ValueError(instruction)
    flag, mask = decoder.get(instruction.operands[1], "pred"), decoder.get(instruction.operands[2], "u32")
    put = decoder.put(instruction.operands[0], kind)

    def step(f: Fragment) -> None:
        warp.check_members(f.lanes, mask(f))
        put(f, warp.vote(f.lanes, mode, flag(f), mask(f)))

    return step


def _match(decoder: Decoder, instruction: Instruction) -> Step:
    *words, kind = instruction.parts[1:]   # the assembler takes "sync" before the mode, too
    mode = next(w for w in words if w != "sync")
    forms = ["all", "any"] if not isinstance(instruction.operands[0], Group) else ["all"]
    if mode not in forms or sorted(words) != [mode, "sync"] or kind not in ("b32", "b64"):
        raise ValueError(instruction)
    puts = _mask_and_flag(decoder, instruction.operands[0])
    value, mask = decoder.get(instruction.operands[1], kind), decoder.get(instruction.operands[2], "u32")

    def step(f: Fragment) -> None:
        warp.check_members(f.lanes, mask(f))
        for put, result in zip(puts, warp.match(f.lanes, mode, value(f), mask(f)), strict=False):
            put(f, result)

    return step


def _activemask(decoder: Decoder, instruction: Instruction) -> Step:
    if instruction.parts != ("activemask", "b32"):
        raise ValueError(instruction)
    put = decoder.put(instruction.operands[0], "b32")
    return lambda f: put(f, warp.active(f.lanes))


def _bar_warp(decoder: Decoder, instruction: Instruction) -> Step:
    if instruction.parts != ("bar", "warp", "sync"):
        raise ValueError(instruction)
    mask = decoder.get(instruction.operands[0], "u32")
    return lambda f: warp.check_members(f.lanes, mask(f))


def _wmma(decoder: Decoder, instruction: Instruction) -> Step:
    from gpucourse.simt import wmma

    return wmma.step(decoder, instruction)


Maker = Callable[[Decoder, Instruction], Step]


def _formed(make: Maker) -> Maker:
    """`make`, for those forms of an instruction that PTX has."""

    def checked(decoder: Decoder, instruction: Instruction) -> Step:
        forms.check(instruction, decoder.types)
        return make(decoder, instruction)

    return checked


#: Root of the opcode -> maker of its step. Branches, calls and barriers are the machine's (run.py).
OPCODES: dict[str, Maker] = {
    **dict.fromkeys(_SIGNATURES, _alu),
    **dict.fromkeys(("addc", "subc", "madc"), _with_carry),
    "lop3": _lop3, "prmt": _prmt, "dp4a": _dot, "dp2a": _dot, "setp": _setp, "mov": _mov, "cvta": _formed(_cvta),
    "isspacep": _isspacep, **dict.fromkeys(video.OPCODES, _video),
    **dict.fromkeys(("ld", "ldu"), _formed(_ld)), "st": _formed(_st), **dict.fromkeys(("atom", "red"), _formed(_atom)),
    **dict.fromkeys(("membar", "fence"), _formed(_fence)),
    **dict.fromkeys("nanosleep prefetch prefetchu discard pmevent".split(), _formed(_nothing)),
    "shfl": _shfl, "vote": _vote,
    "match": _match, "activemask": _activemask, "bar": _bar_warp, "wmma": _wmma,
}  # fmt: skip
