"""Calls: the operands of a call, the addresses of functions, and what a call through a pointer may reach.

A function's address is a number of its own, taken from the range of global addresses (where no array is), so that
a pointer into another program, or to data, is noticed. PTX ISA, "call", "Function pointers".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from gpucourse.errors import SimulatorLacks
from gpucourse.simt.flow import callee
from gpucourse.simt.memory import registry
from gpucourse.simt.ptx import Address, Function, Group, Instruction, Module, Operand, Register, Symbol

#: Bytes between the addresses of functions.
FUNCTION_BYTES = 16


class FunctionTable:
    """The functions of a module that pointers may mean: `addresses` by name."""

    def __init__(self, module: Module) -> None:
        self._module = module
        functions = [f for f in module.functions.values() if not f.is_entry]
        first = registry().reserve(len(functions) * FUNCTION_BYTES) if functions else 0
        self.addresses = {f.name: first + number * FUNCTION_BYTES for number, f in enumerate(functions)}
        self._names = {address: name for name, address in self.addresses.items()}

    @cached_property
    def taken(self) -> frozenset[str]:
        """Names of the functions whose address some code or variable holds."""
        return frozenset(_mentioned(self._module)) & self.addresses.keys()

    def targets(self, function: Function, call: Instruction) -> list[Function]:
        """What a call through a pointer in `function` may reach: what it lists, or all whose address is taken."""
        last = call.operands[-1]
        listed = function.tables.get(last.name) if isinstance(last, Symbol) else None
        return [self._module.functions[name] for name in listed or sorted(self.taken)]

    def at(self, address: int) -> Function | None:
        """The function that begins at an address, if any."""
        name = self._names.get(address)
        return self._module.functions[name] if name is not None else None


def _mentioned(module: Module) -> Iterator[str]:
    """Symbols in initial values, and in instructions other than the name that a call calls."""
    for variable in module.variables.values():
        yield from _symbols(variable.initial)
    for function in module.functions.values():
        for item in function.body:
            if isinstance(item, Instruction) and item.parts[0] != "call":
                yield from _symbols(item.operands)


def _symbols(operands: Sequence[Operand]) -> Iterator[str]:
    return (o.name for o in operands if isinstance(o, Symbol))


# --- the operands of a call --------------------------------------------------------------------------


def operand_values(call: Instruction) -> tuple[list[str], list[str]]:
    """(names that receive results, names of arguments) of a call."""
    groups = [o for o in call.operands if isinstance(o, Group)]
    first_is_result = bool(call.operands) and isinstance(call.operands[0], Group)
    results = groups[0].items if first_is_result else ()
    rest = groups[1:] if first_is_result else groups
    arguments = rest[0].items if rest else ()
    return [_symbol_name(o) for o in results], [_symbol_name(o) for o in arguments]


def _symbol_name(operand: Operand) -> str:
    if isinstance(operand, Symbol | Register):
        return operand.name
    if isinstance(operand, Address) and isinstance(operand.base, Symbol):
        return operand.base.name
    raise SimulatorLacks(f"the call operand {operand}")


def pointer_of(call: Instruction) -> Register | None:
    """The register that holds the address of what is called; None where the call names its function."""
    found = next((o for o in call.operands if isinstance(o, Register)), None)
    return found if callee(call) is None else None


Sizes = tuple[list[int], list[int]]


def sizes_of_call(function: Function, call: Instruction) -> Sizes:
    """Bytes of the results, and of the arguments, that a call in `function` hands over."""
    held = {v.name: v.size for v in (*function.variables, *function.parameters, *function.returns)}
    results, arguments = operand_values(call)
    return [held[name] for name in results], [held[name] for name in arguments]


def sizes_of_function(function: Function) -> Sizes:
    """Bytes of the results, and of the parameters, that a function declares."""
    return [v.size for v in function.returns], [v.size for v in function.parameters]


# --- what is wrong with a pointer --------------------------------------------------------------------


def complaint(address: int, target: Function | None, sizes: Sizes, inside: str | None) -> str:
    """Why a call through `address` is wrong: no `target`, or one of other sizes; `inside` names the array there."""
    if target is None:
        return _nowhere(address, inside)
    return (f"calls {target.name} as if it {_signature(sizes)}; it really {_signature(sizes_of_function(target))}: "
            "the pointer was cast to another type of function")  # fmt: skip


def _nowhere(address: int, inside: str | None) -> str:
    if address == 0:
        return "calls a null function pointer: it was never set, or the virtual function is pure"
    there = f"{inside} is" if inside else "no function of this program is"
    return f"calls a function at address {address:#x}, where {there}: the pointer was not set, or overwritten"


def _signature(sizes: Sizes) -> str:
    results, arguments = (" and ".join(str(n) for n in part) for part in sizes)
    took = f"took arguments of {arguments} bytes" if arguments else "took no arguments"
    return took + (f" and returned {results} bytes" if results else " and returned nothing")
