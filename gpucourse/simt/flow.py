"""Basic blocks of a function: their order of execution, where branches reconverge, what is live.

A block ends where lanes may part or must wait: at a branch, a return, a call, a barrier or a warp-wide
operation. A guarded instruction (`@%p st ...`) becomes a branch around a block of its own, so that
inside a block every lane executes everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from gpucourse.simt.ptx import Address, Function, Group, Instruction, Label, Operand, PtxError, Register, Symbol

#: Opcodes whose first operand is read, not written.
_WITHOUT_RESULT = {
    "st", "red", "bra", "brx", "bar", "barrier", "call", "membar", "fence", "prefetch", "prefetchu", "ret",
    "exit", "trap", "nanosleep", "discard", "applypriority", "brkpt", "pmevent", "griddepcontrol", "setmaxnreg",
}  # fmt: skip
#: Opcodes that end a block besides branches: lanes leave, wait or meet there.
_EXITS = {"ret", "exit", "trap"}
_WARP_WIDE = {"shfl", "vote", "match", "redux", "activemask", "elect", "wmma"}


@dataclass(frozen=True, slots=True)
class Block:
    """Straight-line code and how it ends.

    `kind` is "fall", "branch", "skip" (around a guarded instruction), "table", "exit", "call", "barrier" or
    "warp"; `end` is the last instruction, which decides; `targets` are the blocks a branch may take, besides
    the next one; `reconverges` is the block where its lanes meet again (None: at the exit).
    """

    index: int
    code: tuple[Instruction, ...]
    kind: str
    end: Instruction | None
    targets: tuple[int, ...]

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """Everything that the block executes, each instruction once."""
        return self.code if self.end is None or self.kind == "skip" else (*self.code, self.end)


class Flow:
    """Control flow of one function: `blocks`, and per block index `order`, `reconverges` and `live_in`.

    `waiting` names the functions whose calls may wait for other threads (see `waiting_functions`).
    """

    def __init__(self, function: Function, waiting: frozenset[str | None] = frozenset()) -> None:
        self.function, self.waiting = function, waiting
        self.blocks = _blocks(function)
        self.successors = [_successors(block, len(self.blocks)) for block in self.blocks]

    @cached_property
    def order(self) -> list[int]:
        """Rank of each block: whatever can still reach a block ranks before it, loop bodies before exits.

        Running the lowest rank first makes lanes wait exactly where their paths meet (a weak topological
        order, F. Bourdoncle, "Efficient chaotic iteration strategies with widenings", 1993).
        """
        return _ranks(self.successors)

    @cached_property
    def order_as_written(self) -> list[int]:
        """Another such order, in which the body of an `if` ranks before its `else`: for those who look on."""
        return _ranks([after[::-1] for after in self.successors])

    @cached_property
    def reconverges(self) -> list[int | None]:
        """Immediate post-dominator of each block; None where paths meet at the function's exit only."""
        return _immediate_post_dominators(self.successors)

    @cached_property
    def live_in(self) -> list[frozenset[str]]:
        """Registers (and call parameters) that each block or its successors read before writing."""
        return _live_in(self)

    @cached_property
    def spins(self) -> frozenset[int]:
        """Blocks of loops that look at what other threads may change, themselves or in a function they call."""
        return frozenset(_spinning(self))


# --- blocks ------------------------------------------------------------------------------------------


def _kind(instruction: Instruction) -> str | None:
    """How `instruction` ends a block; None when it does not."""
    root = instruction.parts[0]
    if root in ("bra", "brx"):
        return "branch" if root == "bra" else "table"
    if root in _EXITS:
        return "exit"
    if root in ("call",):
        return "call"
    if root in ("bar", "barrier"):
        return "warp" if "warp" in instruction.parts else "barrier"
    return "warp" if root in _WARP_WIDE else None


class _Builder:
    """Collects blocks; targets stay label names until all labels are known."""

    def __init__(self) -> None:
        self.raw: list[tuple[list[Instruction], str, Instruction | None, tuple[str | int, ...]]] = []
        self.code: list[Instruction] = []
        self.labels: dict[str, int] = {}

    def close(self, kind: str, end: Instruction | None = None, targets: tuple[str | int, ...] = ()) -> None:
        self.raw.append((self.code, kind, end, targets))
        self.code = []

    def label(self, name: str) -> None:
        if self.code:
            self.close("fall")
        self.labels[name] = len(self.raw)

    def add(self, instruction: Instruction, tables: dict[str, tuple[str, ...]]) -> None:
        kind = _kind(instruction)
        if instruction.guard and kind != "branch":
            self.close("skip", instruction, (len(self.raw) + 2,))
        if kind == "warp" and self.code:
            self.close("fall")   # who waits here for other lanes runs the block again: it holds nothing else
        if kind == "call" and callee(instruction) is None and self.code:
            self.close("fall")   # lanes part here, each with what is live where the block begins
        if kind is None:
            self.code.append(instruction)
            if instruction.guard:
                self.close("fall")
        else:
            self.close(kind, instruction, _target_names(instruction, kind, tables))


def _target_names(
    instruction: Instruction, kind: str, tables: dict[str, tuple[str, ...]]
) -> tuple[str | int, ...]:
    if kind not in ("branch", "table"):
        return ()
    target = instruction.operands[-1] if instruction.operands else None
    if not isinstance(target, Symbol):
        raise PtxError(f"the target of {instruction} is not a label", instruction.ptx_line)
    return (target.name,) if kind == "branch" else tables.get(target.name, ())


def _blocks(function: Function) -> list[Block]:
    builder = _Builder()
    for item in function.body:
        if isinstance(item, Label):
            builder.label(item.name)
        else:
            builder.add(item, function.tables)
    last = builder.raw[-1][2] if builder.raw and not builder.code else None
    falls = builder.code or last is None or last.guard or last.parts[0] not in (*_EXITS, "bra")
    if falls or len(builder.raw) in builder.labels.values():
        builder.close("exit")
    return [
        Block(index, tuple(code), kind, end, tuple(_target(builder, end, t) for t in targets))
        for index, (code, kind, end, targets) in enumerate(builder.raw)
    ]


def _target(builder: _Builder, end: Instruction | None, target: str | int) -> int:
    index = target if isinstance(target, int) else builder.labels.get(target, -1)
    if index < 0:
        raise PtxError(f"label {target!r} is not defined", end.ptx_line if end else 0)
    return index


def _successors(block: Block, count: int) -> tuple[int, ...]:
    falls = {
        "exit": False,
        "branch": bool(block.end and block.end.guard),
        "table": False,
    }.get(block.kind, True)
    following = (block.index + 1,) if falls and block.index + 1 < count else ()
    return tuple(dict.fromkeys((*following, *block.targets)))


# --- order -------------------------------------------------------------------------------------------


def _ranks(successors: list[tuple[int, ...]]) -> list[int]:
    ranks = [0] * len(successors)
    for rank, index in enumerate(_weak_topological_order(successors)):
        ranks[index] = rank
    return ranks


def _weak_topological_order(successors: list[tuple[int, ...]]) -> list[int]:
    order: list[int] = []
    work: list[tuple[set[int], int] | int] = [(set(range(len(successors))), 0)]
    while work:
        item = work.pop()
        if isinstance(item, int):
            order.append(item)
            continue
        nodes, _ = item
        pending: list[tuple[set[int], int] | int] = []
        for component in _components(nodes, successors):
            head = _head(component, nodes, successors)
            pending.append(head)
            if len(component) > 1:
                pending.append((component - {head}, head))
        work.extend(reversed(pending))
    return order


def _head(component: set[int], nodes: set[int], successors: list[tuple[int, ...]]) -> int:
    """The block through which a loop is entered (the lowest one if there are several)."""
    if len(component) == 1:
        return next(iter(component))
    entered = {t for n in nodes - component for t in successors[n] if t in component}
    return min(entered or component)


def _components(nodes: set[int], successors: list[tuple[int, ...]]) -> list[set[int]]:
    """Strongly connected components among `nodes`, in topological order (Kosaraju)."""
    finished = _postorder(sorted(nodes), nodes, successors)
    backwards: dict[int, list[int]] = {n: [] for n in nodes}
    for n in nodes:
        for t in successors[n]:
            if t in nodes:
                backwards[t].append(n)
    components, seen = [], set[int]()
    for root in reversed(finished):
        if root in seen:
            continue
        component, stack = set[int](), [root]
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                component.add(n)
                stack.extend(backwards[n])
        components.append(component)
    return components


def _postorder(roots: Iterable[int], nodes: set[int], successors: list[tuple[int, ...]]) -> list[int]:
    finished: list[int] = []
    seen = set[int]()
    for root in roots:
        stack = [(root, 0)] if root not in seen else []
        seen.add(root)
        while stack:
            node, position = stack.pop()
            inside = [t for t in successors[node] if t in nodes]
            if position < len(inside):
                stack.append((node, position + 1))
                if inside[position] not in seen:
                    seen.add(inside[position])
                    stack.append((inside[position], 0))
            else:
                finished.append(node)
    return finished


# --- reconvergence -----------------------------------------------------------------------------------


def _immediate_post_dominators(successors: list[tuple[int, ...]]) -> list[int | None]:
    """Dominators of the reversed graph from a common exit (Cooper, Harvey, Kennedy, 2001)."""
    exit_node = len(successors)
    forward = [s or (exit_node,) for s in successors]
    backward: list[tuple[int, ...]] = [
        *(tuple(n for n, s in enumerate(forward) if t in s) for t in range(exit_node + 1))
    ]
    order = _postorder([exit_node], set(range(exit_node + 1)), backward)
    rank = {node: position for position, node in enumerate(order)}
    dominator: dict[int, int] = {exit_node: exit_node}
    changed = True
    while changed:
        changed = False
        for node in reversed(order[:-1]):
            known = [t for t in forward[node] if t in dominator]
            new = known[0]
            for other in known[1:]:
                new = _intersect(new, other, dominator, rank)
            if dominator.get(node) != new:
                dominator[node], changed = new, True
    found = (dominator.get(node, exit_node) for node in range(exit_node))
    return [None if node == exit_node else node for node in found]


def _intersect(a: int, b: int, dominator: dict[int, int], rank: dict[int, int]) -> int:
    while a != b:
        while rank[a] < rank[b]:
            a = dominator[a]
        while rank[b] < rank[a]:
            b = dominator[b]
    return a


# --- liveness ----------------------------------------------------------------------------------------


def writes(instruction: Instruction) -> tuple[str, ...]:
    """Registers that the instruction writes; for `st.param` the parameter's name."""
    operands = instruction.operands
    if instruction.parts[:2] == ("st", "param"):
        return tuple(_names(operands[:1]))
    if instruction.parts[0] == "call":
        return tuple(_names(operands[:1])) if _has_results(instruction) else ()
    if instruction.parts[0] in _WITHOUT_RESULT and "red" not in instruction.parts[1:]:
        return ()
    if instruction.parts[:2] == ("wmma", "store"):
        return ()
    return tuple(_names(operands[:1])) + (("%cc",) if "cc" in instruction.parts else ())


def reads(instruction: Instruction) -> tuple[str, ...]:
    """Registers and parameters that the instruction reads, its guard included."""
    operands = instruction.operands
    first = 1 if writes(instruction) and instruction.parts[:2] != ("st", "param") else 0
    guard = (instruction.guard.name,) if instruction.guard else ()
    carry = ("%cc",) if instruction.parts[0] in ("addc", "subc", "madc") else ()
    return (*_names(operands[first:]), *guard, *carry)


def _has_results(call: Instruction) -> bool:
    """`call (results), function, ...` rather than `call function, (arguments)`."""
    return bool(call.operands) and isinstance(call.operands[0], Group)


def _names(operands: Iterable[Operand | None]) -> Iterable[str]:
    for operand in operands:
        match operand:
            case Register(name) | Symbol(name):
                yield name
            case Address(base):
                yield from _names((base,))
            case Group(_, items):
                yield from _names(items)


def _live_in(flow: Flow) -> list[frozenset[str]]:
    gens, kills = zip(*(_summary(block) for block in flow.blocks), strict=True)
    live = [set(gen) for gen in gens]
    changed = True
    while changed:
        changed = False
        for index in range(len(live) - 1, -1, -1):
            after = set[str]().union(*(live[s] for s in flow.successors[index]))
            new = gens[index] | (after - kills[index])
            if len(new) != len(live[index]):
                live[index], changed = new, True
    results = {r.name for r in flow.function.returns}
    return [frozenset(names | results) for names in live]


def _summary(block: Block) -> tuple[set[str], set[str]]:
    """Names read before they are written, and names written, in one block."""
    gen, kill = set[str](), set[str]()
    for instruction in block.instructions:
        gen.update(name for name in reads(instruction) if name not in kill)
        kill.update(writes(instruction))
    if block.kind == "skip" and block.end and block.end.guard and block.end.guard.name not in kill:
        gen.add(block.end.guard.name)
    return gen, kill


# --- spin loops --------------------------------------------------------------------------------------


def waiting_functions(functions: Iterable[Function], pointed: frozenset[str]) -> frozenset[str | None]:
    """Names of the functions that read what other threads may change, themselves or through a call.

    `pointed` are functions whose address is taken; None is among the names if one of these reads so.
    """
    bodies = {f.name: [i for i in f.body if isinstance(i, Instruction)] for f in functions}
    found: frozenset[str | None] = frozenset()
    while True:
        names = frozenset(name for name, body in bodies.items() if any(_waits(i, found) for i in body))
        more: frozenset[str | None] = names | {None} if names & pointed else names
        if more == found:
            return found
        found = more


def callee(call: Instruction) -> str | None:
    """Name of the function that a call names; None for a call through a register."""
    for operand in call.operands:
        if not isinstance(operand, Group):
            return operand.name if isinstance(operand, Symbol) else None
    return None


def _spinning(flow: Flow) -> Iterable[int]:
    nodes = set(range(len(flow.blocks)))
    for component in _components(nodes, flow.successors):
        loop = len(component) > 1 or any(n in flow.successors[n] for n in component)
        if loop and any(_waits(i, flow.waiting) for n in component for i in flow.blocks[n].instructions):
            yield from component


def _waits(instruction: Instruction, waiting: frozenset[str | None]) -> bool:
    """A read that another thread's write may change: how spin loops look at their flag."""
    root, modifiers = instruction.parts[0], instruction.parts[1:]
    if root == "call":
        return callee(instruction) in waiting
    return root == "atom" or (root == "ld" and any(m in ("volatile", "relaxed", "acquire") for m in modifiers))
