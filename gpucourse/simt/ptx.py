"""PTX text to frozen dataclasses with line numbers; executes nothing.

The grammar is the part of PTX that NVRTC prints, plus what inline assembly commonly adds (scoped
registers and labels, `%p|%q` pairs). Names declared in an inner `{ }` scope become `name@scope`, so
that every name is unique in its function. What the parser does not know raises `PtxError` with the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from gpucourse.errors import CourseError

#: Bytes of each PTX type; `pred` is one flag.
TYPE_BYTES = {
    "pred": 1, "b8": 1, "u8": 1, "s8": 1, "b16": 2, "u16": 2, "s16": 2, "f16": 2, "bf16": 2,
    "b32": 4, "u32": 4, "s32": 4, "f32": 4, "f16x2": 4, "b64": 8, "u64": 8, "s64": 8, "f64": 8, "b128": 16,
}  # fmt: skip
_MOST_REGISTERS = 1_000_000
_SPACES = ("reg", "global", "const", "shared", "local", "param")


class PtxError(CourseError):
    """The PTX text is malformed or outside the grammar; `ptx_line` counts from 1."""

    def __init__(self, message: str, ptx_line: int) -> None:
        self.ptx_line = ptx_line
        super().__init__(f"PTX line {ptx_line}: {message}")


@dataclass(frozen=True, slots=True)
class Register:
    """A virtual register or a special one (`%tid.x`); `negated` marks `!%p`.

    `part` is what a SIMD video instruction takes of it: "b3210" of `%r1.b3210`.
    """

    name: str
    negated: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True)
class Immediate:
    """A constant: `kind` "i" holds an int, "f" and "d" the raw bits of a 32- or 64-bit float."""

    value: int
    kind: str = "i"


@dataclass(frozen=True, slots=True)
class Symbol:
    """The name of a variable, function or label, plus `offset` bytes; `generic` for a generic address.

    `mask` picks bits of the address, as initial values of packed structs do: `0xFF00(f)` is its second byte.
    """

    name: str
    offset: int = 0
    generic: bool = False
    mask: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    """A memory operand `[base+offset]`, offset in bytes; `base` is None for an absolute address."""

    base: Register | Symbol | None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Operands in braces (a vector), parentheses (call arguments), brackets (a texture's) or joined by `|` (a pair)."""

    kind: str
    items: tuple[Operand, ...]


Operand = Register | Immediate | Symbol | Address | Group


@dataclass(frozen=True, slots=True)
class Instruction:
    """One PTX instruction: `parts` is the opcode split at its dots, `line` the learner's source line."""

    parts: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Register | None
    line: int
    ptx_line: int

    @property
    def opcode(self) -> str:
        """The whole opcode, such as `ld.global.f32`."""
        return ".".join(self.parts)

    def __str__(self) -> str:
        guard = f"@{_show(self.guard)} " if self.guard else ""
        return f"{guard}{self.opcode} {', '.join(_show(o) for o in self.operands)};".replace(" ;", ";")


@dataclass(frozen=True, slots=True)
class Label:
    """A branch target in a function's body."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable: `size` in bytes (0 for `extern` arrays), `initial` its element values."""

    name: str
    space: str
    type: str
    align: int
    size: int
    initial: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """An entry or device function; `declared_only` for an `.extern` without a body.

    `registers` maps each register to its type, `tables` each `.branchtargets` (`.calltargets`) list to its labels
    (functions).
    """

    name: str
    is_entry: bool
    parameters: tuple[Variable, ...]
    returns: tuple[Variable, ...]
    registers: dict[str, str]
    variables: tuple[Variable, ...]
    body: tuple[Instruction | Label, ...]
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    declared_only: bool = False


@dataclass(frozen=True, slots=True)
class Module:
    """A translation unit."""

    variables: dict[str, Variable]
    functions: dict[str, Function]


def _show(operand: Operand) -> str:
    """The operand as PTX writes it."""
    match operand:
        case Register(name, negated, part):
            return f"{'!' if negated else ''}{name}{f'.{part}' if part else ''}"
        case Immediate(value, kind):
            return str(value) if kind == "i" else f"0{kind}{value:0{8 if kind == 'f' else 16}X}"
        case Symbol(name, offset):
            return f"{name}+{offset}" if offset else name
        case Address(base, offset):
            inner = _show(base) if base is not None else ""
            return f"[{inner}{f'+{offset}' if offset else ''}]"
        case Group(kind, items):
            opening, closing = {"vector": "{}", "call": "()", "texture": "[]", "pair": ("", "")}[kind]
            return opening + ("|" if kind == "pair" else ", ").join(map(_show, items)) + closing


# --- tokens ------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r]+|//[^\n]*|/\*.*?\*/)|(?P<newline>\n)|(?P<string>"[^"\n]*")
    |(?P<number>0[fF][0-9a-fA-F]{8}|0[dD][0-9a-fA-F]{16}|0[xX][0-9a-fA-F]+U?|\d+\.\d*(?:[eE][+-]?\d+)?|\d+U?)
    |(?P<name>[%$_A-Za-z.](?:[\w$.]|::)*)|(?P<mark>[\[\]{}()<>,;:=+\-!|@])|(?P<bad>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    kind: str
    line: int


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind, value = match.lastgroup or "bad", match[0]
        if kind == "bad":
            raise PtxError(f"unexpected character {value!r}", line)
        if kind not in ("skip", "newline"):
            yield _Token(value, kind, line)
        line += value.count("\n")


class _Cursor:
    """A position in the token list."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.at = tokens, 0

    @property
    def line(self) -> int:
        last = self.tokens[-1].line if self.tokens else 1
        return self.tokens[self.at].line if self.at < len(self.tokens) else last

    def more(self) -> bool:
        return self.at < len(self.tokens)

    def peek(self) -> str:
        return self.tokens[self.at].text if self.more() else ""

    def next(self) -> _Token:
        if not self.more():
            raise PtxError("the text ends in the middle of a statement", self.line)
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, text: str) -> bool:
        if self.peek() == text:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise PtxError(f"expected {text!r}, found {self.peek()!r}", self.line)

    def rest_of_line(self) -> list[str]:
        line, taken = self.tokens[self.at - 1].line, []
        while self.more() and self.line == line:
            taken.append(self.next().text)
        return taken

    def until(self, stop: str) -> list[_Token]:
        """Tokens before `stop`, which is consumed."""
        start = self.at
        while self.next().text != stop:
            pass
        return self.tokens[start : self.at - 1]

    def skip_braces(self) -> None:
        self.expect("{")
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self.next().text, 0)


# --- module level ------------------------------------------------------------------------------------

_LINE_DIRECTIVES = {".version", ".target", ".address_size", ".file", ".loc"}
_LINKAGE = {".visible", ".extern", ".weak", ".common"}


def parse(text: str) -> Module:
    """Parse a PTX module; raises `PtxError` naming the PTX line."""
    cursor = _Cursor(list(_tokens(text)))
    variables: dict[str, Variable] = {}
    functions: dict[str, Function] = {}
    while cursor.more():
        word = cursor.next().text
        if word in _LINE_DIRECTIVES:
            cursor.rest_of_line()
        elif word == ".section":
            cursor.next()
            cursor.skip_braces()
        elif word in (".entry", ".func"):
            function = _function(cursor, word == ".entry")
            if function.name not in functions or not function.declared_only:
                functions[function.name] = function
        elif word.lstrip(".") in _SPACES:
            for variable in _variables(cursor, word.lstrip(".")):
                variables[variable.name] = variable
        elif word == ".pragma":
            cursor.until(";")
        elif word not in _LINKAGE and word != ";":
            raise PtxError(f"{word!r} at module level is not known", cursor.line)
    return Module(variables, functions)


def _variables(cursor: _Cursor, space: str) -> list[Variable]:
    """One declaration after its state space, up to and including `;`."""
    align, vector, kind = 0, 1, ""
    while cursor.peek().startswith("."):
        word = cursor.next().text[1:]
        if word == "align":
            align = _integer(cursor.next())
        elif word in ("v2", "v4"):
            vector = int(word[1])
        elif word in TYPE_BYTES:
            kind = word
        elif word not in ("ptr", "global", "shared", "const", "local", "managed", "attribute"):
            raise PtxError(f"type .{word} of a variable is not known", cursor.line)
    if not kind:
        raise PtxError("a declaration without a type", cursor.line)
    element = TYPE_BYTES[kind] * vector
    found = [_variable(cursor, space, kind, align or element, element)]
    while cursor.accept(","):
        found.append(_variable(cursor, space, kind, align or element, element))
    cursor.expect(";")
    return found


def _variable(cursor: _Cursor, space: str, kind: str, align: int, element: int) -> Variable:
    name, size = _name(cursor), element * _extent(cursor)
    initial: tuple[Operand, ...] = ()
    if cursor.accept("="):
        initial = _initial(cursor)
    return Variable(name, space, kind, align, size, initial)


def _name(cursor: _Cursor) -> str:
    token = cursor.next()
    if token.kind != "name":
        raise PtxError(f"expected a name, found {token.text!r}", token.line)
    return token.text


def _extent(cursor: _Cursor) -> int:
    """Number of elements of `[4][8]`; 1 without brackets, 0 for `[]`."""
    count = 1
    while cursor.accept("["):
        count *= 0 if cursor.peek() == "]" else _integer(cursor.next())
        cursor.expect("]")
    return count


def _initial(cursor: _Cursor) -> tuple[Operand, ...]:
    if cursor.accept("{"):
        values: tuple[Operand, ...] = ()
        while not cursor.accept("}"):
            values += _initial(cursor)
            cursor.accept(",")
        return values
    value = _operand(cursor, _as_written)
    if isinstance(value, Immediate) and cursor.accept("("):
        return (_masked(cursor, value.value),)
    return (value,)


def _as_written(name: str) -> str:
    return name


def _masked(cursor: _Cursor, mask: int) -> Symbol:
    """The rest of `0xFF00(symbol)`."""
    inner = _operand(cursor, _as_written)
    cursor.expect(")")
    if not isinstance(inner, Symbol):
        raise PtxError(f"a mask of {_show(inner)}, which is no symbol", cursor.line)
    return replace(inner, mask=mask)


def _function(cursor: _Cursor, is_entry: bool) -> Function:
    returns = _parameters(cursor) if cursor.peek() == "(" else ()
    name = _name(cursor)
    parameters = _parameters(cursor) if cursor.peek() == "(" else ()
    while cursor.peek() not in ("{", ";"):  # .maxntid, .minnctapersm, .noreturn ...
        if cursor.next().text == ".pragma":
            cursor.until(";")
    if cursor.accept(";"):
        return Function(name, is_entry, parameters, returns, {}, (), (), declared_only=True)
    body = _Body(cursor)
    return Function(
        name, is_entry, parameters, returns, body.registers, tuple(body.variables), body.instructions(),
        body.tables,
    )  # fmt: skip


def _parameters(cursor: _Cursor) -> tuple[Variable, ...]:
    cursor.expect("(")
    found: list[Variable] = []
    while not cursor.accept(")"):
        space = cursor.next().text.lstrip(".")
        if space not in ("param", "reg"):
            raise PtxError(f"a parameter in {space!r}", cursor.line)
        found.append(_parameter(cursor))
        cursor.accept(",")
    return tuple(found)


def _parameter(cursor: _Cursor) -> Variable:
    align, kind, pointer = 0, "", False
    while cursor.peek().startswith("."):
        word = cursor.next().text[1:]
        if word == "align":
            found = _integer(cursor.next())
            align = align if pointer else found   # behind `.ptr` it is that of what the pointer points to
        elif word in TYPE_BYTES:
            kind = word
        pointer = pointer or word == "ptr"
    if not kind:
        raise PtxError("a parameter without a known type", cursor.line)
    name = _name(cursor)
    return Variable(name, "param", kind, align or TYPE_BYTES[kind], TYPE_BYTES[kind] * _extent(cursor))


# --- function bodies ---------------------------------------------------------------------------------


@dataclass
class _Scope:
    """A `{ }` scope; its own names become `name@number`, the outermost scope's stay as they are."""

    number: int
    parent: _Scope | None
    names: set[str] = field(default_factory=set)

    def resolve(self, name: str) -> str:
        scope: _Scope | None = self
        while scope is not None and scope.number:
            if name in scope.names:
                return f"{name}@{scope.number}"
            scope = scope.parent
        return name

    def declare(self, name: str) -> str:
        self.names.add(name)
        return self.resolve(name)


@dataclass(frozen=True)
class _Statement:
    tokens: list[_Token]
    scope: _Scope
    line: int


class _Body:
    """Splits a function body into statements, then (`instructions`) parses them with all names known."""

    def __init__(self, cursor: _Cursor) -> None:
        self.registers: dict[str, str] = {}
        self.variables: list[Variable] = []
        self._statements: list[_Statement | Label] = []
        self._bare: set[str] = set()
        self.tables: dict[str, tuple[str, ...]] = {}
        self._line = 0
        self._scopes = 0
        self._cursor = cursor
        self._scan(_Scope(0, None))

    def _scan(self, scope: _Scope) -> None:
        cursor = self._cursor
        cursor.expect("{")
        while not cursor.accept("}"):
            if cursor.peek() == "{":
                self._scopes += 1
                self._scan(_Scope(self._scopes, scope))
            elif not cursor.accept(";"):
                self._statement(scope)

    def _statement(self, scope: _Scope) -> None:
        cursor, start = self._cursor, self._cursor.at
        word = cursor.next().text
        if word == ".loc":
            self._line = source_line(cursor.rest_of_line()) or self._line
        elif word == ".reg":
            self._declare_registers(scope)
        elif word.lstrip(".") in _SPACES:
            for variable in _variables(cursor, word[1:]):
                name = scope.declare(variable.name)
                self.variables.append(
                    Variable(name, variable.space, variable.type, variable.align, variable.size)
                )
        elif word == ".pragma":
            cursor.until(";")
        elif cursor.accept(":"):
            self._label(scope.declare(word))
        else:
            cursor.at = start
            self._statements.append(_Statement(cursor.until(";"), scope, self._line))

    def _label(self, name: str) -> None:
        cursor = self._cursor
        if cursor.accept(".branchtargets") or cursor.accept(".calltargets"):
            self.tables[name] = tuple(t.text for t in cursor.until(";") if t.kind == "name")
        elif cursor.accept(".callprototype"):
            cursor.until(";")
        else:
            self._statements.append(Label(name))

    def _declare_registers(self, scope: _Scope) -> None:
        cursor = self._cursor
        kind = cursor.next().text.lstrip(".")
        if kind not in TYPE_BYTES:
            raise PtxError(f"registers of type .{kind} are not known", cursor.line)
        while True:
            name = _name(cursor)
            if cursor.accept("<"):
                for number in range(min(_integer(cursor.next()), _MOST_REGISTERS)):
                    self._declare_register(scope.declare(f"{name}{number}"), kind)
                cursor.expect(">")
            else:
                self._declare_register(scope.declare(name), kind)
            if not cursor.accept(","):
                break
        cursor.expect(";")

    def _declare_register(self, name: str, kind: str) -> None:
        """Inline assembly may name registers without `%`: they get one, and `_bare` remembers them."""
        if not name.startswith("%"):
            name = f"%{name}"
            self._bare.add(name)
        self.registers[name] = kind

    def instructions(self) -> tuple[Instruction | Label, ...]:
        return tuple(s if isinstance(s, Label) else self._instruction(s) for s in self._statements)

    def _instruction(self, statement: _Statement) -> Instruction:
        def resolve(name: str) -> str:
            unique = statement.scope.resolve(name)
            return f"%{unique}" if f"%{unique}" in self._bare else unique

        return _instruction(statement, resolve)


def source_line(words: list[str]) -> int:
    """The learner's line of a `.loc`: its own in file 1, else the place it was inlined at; 0 if neither."""
    if len(words) >= 2 and words[0] == "1" and words[1].isdecimal():
        return int(words[1])
    if "inlined_at" in words:
        return source_line(words[words.index("inlined_at") + 1 :])
    return 0


def _instruction(statement: _Statement, resolve: _Resolve) -> Instruction:
    cursor = _Cursor(statement.tokens)
    ptx_line, guard = cursor.line, None
    if cursor.accept("@"):
        negated = cursor.accept("!")
        guard = Register(resolve(_name(cursor)), negated)
    parts = tuple(_name(cursor).split("."))
    parse_operand = _part_operand if _SIMD_VIDEO.fullmatch(parts[0]) else _operand
    operands: list[Operand] = []
    while cursor.more():
        operands.append(parse_operand(cursor, resolve))
        if cursor.more():
            cursor.expect(",")
    return Instruction(parts, tuple(operands), guard, statement.line, ptx_line)


_Resolve = Callable[[str], str]  # a name as written -> its unique name; registers get a leading "%"
_SIMD_VIDEO = re.compile(r"v(add|sub|avrg|absdiff|min|max|set)[24]")


def _part_operand(cursor: _Cursor, resolve: _Resolve) -> Operand:
    """An operand of a SIMD video instruction: a register may be followed by the parts that count."""
    if cursor.tokens[cursor.at].kind != "name":
        return _operand(cursor, resolve)
    name, _, part = _name(cursor).partition(".")
    return Register(resolve(name), part=part)


def _operand(cursor: _Cursor, resolve: _Resolve) -> Operand:
    first = _single_operand(cursor, resolve)
    if cursor.accept("|"):
        return Group("pair", (first, _single_operand(cursor, resolve)))
    return first


def _single_operand(cursor: _Cursor, resolve: _Resolve) -> Operand:
    token = cursor.next()
    if token.text in ("{", "("):
        return _group(cursor, resolve, token.text)
    if token.text == "[":
        return _address(cursor, resolve)
    if token.text == "!":
        return Register(resolve(_name(cursor)), negated=True)
    if token.text == "-":
        value = _number(cursor.next())
        return Immediate(-value.value, value.kind)
    if token.kind == "number":
        return _number(token)
    if token.kind != "name":
        raise PtxError(f"expected an operand, found {token.text!r}", token.line)
    if token.text == "generic" and cursor.accept("("):
        inner = _named(cursor, resolve(_name(cursor)))
        cursor.expect(")")
        return Symbol(inner.name, inner.offset, generic=True) if isinstance(inner, Symbol) else inner
    return _named(cursor, resolve(token.text))


def _named(cursor: _Cursor, name: str) -> Operand:
    """A register by its `%`, anything else a symbol with an optional `+offset`."""
    if name.startswith("%"):
        return Register(name)
    return Symbol(name, _signed_offset(cursor))


def _signed_offset(cursor: _Cursor) -> int:
    if cursor.accept("+"):
        sign = -1 if cursor.accept("-") else 1
        return sign * _integer(cursor.next())
    if cursor.accept("-"):
        return -_integer(cursor.next())
    return 0


def _group(cursor: _Cursor, resolve: _Resolve, opening: str) -> Group:
    closing, kind = {"{": ("}", "vector"), "(": (")", "call")}[opening]
    items: list[Operand] = []
    while not cursor.accept(closing):
        items.append(_operand(cursor, resolve))
        if cursor.peek() != closing:
            cursor.expect(",")
    return Group(kind, tuple(items))


def _address(cursor: _Cursor, resolve: _Resolve) -> Address | Group:
    inner = _single_operand(cursor, resolve)
    if cursor.accept(","):   # a texture or a surface, and the coordinates in it
        place = Group("texture", (inner, _operand(cursor, resolve)))
        cursor.expect("]")
        return place
    offset = _signed_offset(cursor)
    cursor.expect("]")
    match inner:
        case Register():
            return Address(inner, offset)
        case Symbol(name, more):
            return Address(Symbol(name), offset + more)
        case Immediate(value, "i"):
            return Address(None, offset + value)
    raise PtxError(f"{_show(inner)} is not an address", cursor.line)


def _integer(token: _Token) -> int:
    value = _number(token)
    if value.kind != "i":
        raise PtxError(f"expected an integer, found {token.text!r}", token.line)
    return value.value


def _number(token: _Token) -> Immediate:
    text = token.text
    if token.kind != "number":
        raise PtxError(f"expected a number, found {text!r}", token.line)
    if text[:2] in ("0f", "0F", "0d", "0D"):
        return Immediate(int(text[2:], 16), text[1].lower())
    if "." in text:
        raise PtxError(f"the decimal number {text} is not known; PTX from NVRTC writes raw bits", token.line)
    digits = text.rstrip("U")
    if digits.lower().startswith("0x"):
        return Immediate(int(digits, 16))
    return Immediate(int(digits, 8 if len(digits) > 1 and digits.startswith("0") and digits.isdecimal()
                         and not set(digits) & {"8", "9"} else 10))  # fmt: skip
