"""Forms of the instructions that touch memory, wait or jump: the modifiers, types, operands and spaces that they have.

From PTX ISA 8.5, as NVIDIA's assembler accepts it. What is not here might mean something else than what we would do,
so it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpucourse.simt.ptx import TYPE_BYTES, Address, Group, Immediate, Instruction, Operand, Register, Symbol

_SPACES = {
    "ld": "global const shared local param", "ldu": "global", "st": "global shared local param",
    "atom": "global shared", "red": "global shared", "prefetch": "global local", "discard": "global",
    "cvta": "global const shared local param",
}  # fmt: skip
_ORDERS = {
    "ld": "weak volatile relaxed acquire", "st": "weak volatile relaxed release",
    "atom": "relaxed acquire release acq_rel", "red": "relaxed release",
}  # fmt: skip
_EVICTION = "L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last L1::no_allocate"
_CACHE = {"ld": f"ca cg cs lu cv {_EVICTION}", "st": f"wb cg cs wt {_EVICTION}"}
_PREFETCHED = "L2::64B L2::128B L2::256B"
_LEVELS = {"prefetch": "L1 L2", "prefetchu": "L1", "discard": "L2"}
_SCOPES = "cta gpu sys"
_CELLS = "b8 u8 s8 b16 u16 s16 b32 u32 s32 b64 u64 s64 f32 f64"
_VECTORS = {"v2": 2, "v4": 4}
_WIDEST = 16   # bytes of a vector
#: Operation -> the types that it has, for atom; red lacks the last two operations.
_UPDATES = {
    "add": "u32 s32 u64 f32 f64 f16 f16x2", "min": "u32 s32 u64 s64", "max": "u32 s32 u64 s64", "and": "b32 b64",
    "or": "b32 b64", "xor": "b32 b64", "inc": "u32", "dec": "u32", "exch": "b32 b64", "cas": "b16 b32 b64",
}  # fmt: skip
_HALVES = ("f16", "f16x2")
#: Whole opcodes that have no operands.
_FENCES = frozenset(
    ["membar.cta", "membar.gl", "membar.sys", "fence.proxy.alias"]
    + [f"fence.{scope}" for scope in _SCOPES.split()]
    + [f"fence.{order}.{scope}" for order in ("sc", "acq_rel", "acquire", "release") for scope in _SCOPES.split()])
#: Barriers: what follows `bar`, `barrier`, `bar.cta` or `barrier.cta` (without "aligned") -> least and most operands.
_BARRIERS = {
    "sync": (1, 2), "arrive": (2, 2), "red.popc.u32": (3, 4), "red.and.pred": (3, 4), "red.or.pred": (3, 4),
}  # fmt: skip
_BARRIER_NUMBERS, _WARP = 16, 32
#: Opcodes that jump -> how many operands they have (a call has many forms).
_JUMPS = {
    "bra": 1, "bra.uni": 1, "brx.idx": 2, "brx.idx.uni": 2, "ret": 0, "ret.uni": 0, "exit": 0, "trap": 0, "call": 0,
    "call.uni": 0,
}  # fmt: skip


def check(instruction: Instruction, types: Mapping[str, str]) -> None:
    """Raise `ValueError` for a form that PTX does not have; `types` are the types of the function's registers."""
    root = instruction.parts[0]
    found = {"atom": _update, "red": _update, "ld": _access, "ldu": _access, "st": _access, "cvta": _conversion,
             "membar": _fence, "fence": _fence, "nanosleep": _sleep, "pmevent": _event}.get(root, _hint)
    if not found(instruction, types):
        raise ValueError(instruction)


def _access(instruction: Instruction, types: Mapping[str, str]) -> bool:
    root, *modifiers, kind = instruction.parts
    left = [m.removesuffix("::cta").removesuffix("::entry").removesuffix("::func") for m in modifiers]
    space, order, scope = _take(left, _SPACES[root]), _take(left, _ORDERS.get(root, "")), _take(left, _SCOPES)
    cache, prefetched, constant = _take(left, _CACHE.get(root, "")), _take(left, _PREFETCHED), _take(left, "nc")
    vector, strong = _take(left, " ".join(_VECTORS)), order not in ("", "weak")
    anywhere = ["", "global", "shared"] + ["local"] * (order == "volatile")   # NVRTC writes volatile locals so
    return (
        not left and kind in _CELLS.split()
        and bool(scope) == (order in ("relaxed", "acquire", "release"))
        and not (strong and (cache or constant or space not in anywhere))
        and not (constant and (root != "ld" or space != "global" or order))
        and not (prefetched and (root != "ld" or space not in ("", "global")))
        and not (cache.startswith("L1") and space not in ("", "global"))
        and _moved(instruction, _VECTORS.get(vector, 1), kind, types)
    )  # fmt: skip


def _moved(instruction: Instruction, count: int, kind: str, types: Mapping[str, str]) -> bool:
    """Whether a load or store has an address and `count` registers (or constants to store) that hold `kind`."""
    if len(instruction.operands) != 2 or count * TYPE_BYTES[kind] > _WIDEST:
        return False
    loads = instruction.parts[0] != "st"
    value, address = instruction.operands if loads else reversed(instruction.operands)
    items = value.items if isinstance(value, Group) else (value,)
    return isinstance(address, Address) and len(items) == count and all(
        _holds(i, kind, types, wider=True) or (isinstance(i, Immediate) and not loads) or (count > 1 and _dropped(i))
        for i in items)  # fmt: skip


def _dropped(operand: Operand) -> bool:
    return isinstance(operand, Symbol | Register) and operand.name == "_"


def _holds(operand: Operand, kind: str, types: Mapping[str, str], wider: bool) -> bool:
    """Whether a register may hold `kind`: one of floats holds no integers, none holds a wider type."""
    declared = types.get(operand.name, "") if isinstance(operand, Register) else ""
    if declared in ("", "pred"):
        return False
    size, need = TYPE_BYTES[declared], TYPE_BYTES[kind]
    floats = (declared[0] == "f") + (kind[0] == "f")
    same = "b" in (declared[0], kind[0]) or floats != 1
    return same and (size == need or (wider and size > need and floats < 2))


def _update(instruction: Instruction, types: Mapping[str, str]) -> bool:
    root, *left = instruction.parts
    left = [m.removesuffix("::cta") for m in left]
    for words in (_SPACES[root], _ORDERS[root], _SCOPES):
        _take(left, words)
    operation, halves = _take(left, " ".join(_UPDATES)), _take(left, "noftz")
    if len(left) != 1 or left[0] not in _UPDATES.get(operation, "").split() or bool(halves) != (left[0] in _HALVES):
        return False
    if root == "red" and operation in ("exch", "cas"):
        return False
    result, (address, *values) = instruction.operands[: root == "atom"], instruction.operands[root == "atom" :]
    fits = [_holds(o, left[0], types, wider=False) for o in (*result, *values)]
    fits = [ok or _dropped(o) if o in result else ok or isinstance(o, Immediate)
            for ok, o in zip(fits, (*result, *values), strict=True)]  # fmt: skip
    return isinstance(address, Address) and len(values) == 1 + (operation == "cas") and all(fits)


def _conversion(instruction: Instruction, types: Mapping[str, str]) -> bool:
    """`cvta` of 64 bits: that of 32 bits is for programs with 32-bit addresses."""
    _, *left = instruction.parts
    left = left[1:] if left[0] == "to" else left
    space = left[0].removesuffix("::cta").removesuffix("::entry") if left else ""
    target = instruction.operands[0]
    return space in _SPACES["cvta"].split() and left[1:] == ["u64"] and _holds(target, "u64", types, wider=False)


def _fence(instruction: Instruction, types: Mapping[str, str]) -> bool:
    return instruction.opcode in _FENCES and not instruction.operands


def _sleep(instruction: Instruction, types: Mapping[str, str]) -> bool:
    (time,) = instruction.operands
    return instruction.opcode == "nanosleep.u32" and (
        isinstance(time, Immediate) or _holds(time, "u32", types, wider=False))  # fmt: skip


def _event(instruction: Instruction, types: Mapping[str, str]) -> bool:
    (number,) = instruction.operands
    limit = {"pmevent": 16, "pmevent.mask": 1 << 16}.get(instruction.opcode, 0)
    return isinstance(number, Immediate) and 0 <= number.value < limit


def _hint(instruction: Instruction, types: Mapping[str, str]) -> bool:
    """Prefetches and `discard`."""
    root, *left = instruction.parts
    _take(left, _SPACES.get(root, ""))
    address, *size = instruction.operands
    sized = [s.value for s in size if isinstance(s, Immediate)] == ([128] if root == "discard" else [])
    return bool(_take(left, _LEVELS[root])) and not left and isinstance(address, Address) and sized


def _take(modifiers: list[str], words: str) -> str:
    """Remove the first modifier that is one of `words`, and return it; "" if there is none."""
    for place, modifier in enumerate(modifiers):
        if modifier in words.split():
            return modifiers.pop(place)
    return ""


# --- where a basic block ends ------------------------------------------------------------------------


def check_end(instruction: Instruction, types: Mapping[str, str]) -> None:
    """Raise `ValueError` for a guard, branch, exit, call or block barrier that PTX does not have."""
    guard, root = instruction.guard, instruction.parts[0]
    if guard is not None and types.get(guard.name) != "pred":
        raise ValueError(instruction)
    if root in ("bar", "barrier") and "warp" not in instruction.parts:
        _check_barrier(instruction, types)
    elif root in ("bra", "brx", "ret", "exit", "trap", "call"):
        count = _JUMPS[instruction.opcode]
        if root != "call" and len(instruction.operands) != count:
            raise ValueError(instruction)


def _check_barrier(instruction: Instruction, types: Mapping[str, str]) -> None:
    root, *parts = instruction.parts
    parts = parts[1:] if parts[:1] == ["cta"] else parts
    if root == "barrier":
        _take(parts, "aligned")
    form, operands = ".".join(parts), list(instruction.operands)
    least, most = _BARRIERS[form]
    fits = least <= len(operands) <= most
    if fits and form.startswith("red"):
        target, flag = operands.pop(0), operands.pop()
        fits = _is_predicate(flag, types) and (
            _is_predicate(target, types) if form.endswith("pred") else _holds(target, "u32", types, wider=False))
    limits = ((_BARRIER_NUMBERS, 1), (1 << 32, _WARP))
    if not fits or not all(_names(o, types, *limit) for o, limit in zip(operands, limits, strict=False)):
        raise ValueError(instruction)


def _names(operand: Operand, types: Mapping[str, str], limit: int, step: int) -> bool:
    """Whether an operand may be a barrier's number or count: a register, or a multiple of `step` below `limit`."""
    if isinstance(operand, Immediate):
        return 0 <= operand.value < limit and operand.value % step == 0
    return _holds(operand, "u32", types, wider=False)


def _is_predicate(operand: Operand, types: Mapping[str, str]) -> bool:
    return isinstance(operand, Register) and types.get(operand.name) == "pred"
