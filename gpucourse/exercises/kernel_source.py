"""What a learner hands over as a kernel: whether it is one, is still the stub, compiles, and takes the arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np

from gpucourse import cupy_sim, explain
from gpucourse.cupy_sim.arguments import Parameter, bind
from gpucourse.errors import CompileError, CourseError, LaunchError, SimulatorLacks
from gpucourse.exercises import guard
from gpucourse.exercises.kinds import called
from gpucourse.exercises.outcome import NotAttempted, Wrong

UNCHANGED = "The kernel is still as it was given. Write your own code in it and run the cell again."
# NumPy's type -> how C calls it
C_TYPES = {
    "bool": "bool", "int8": "signed char", "uint8": "unsigned char", "int16": "short", "uint16": "unsigned short",
    "int32": "int", "uint32": "unsigned int", "int64": "long long", "uint64": "unsigned long long",
    "float16": "half", "float32": "float", "float64": "double",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """An answer that can be run: a kernel of the simulator's, or a function (with `given`, as it was handed over)."""

    given: Any
    name: str
    kernel: Any = None
    function: Callable[..., Any] | None = None

    @property
    def sources(self) -> list[str]:
        """The CUDA C of the kernel, or of the kernels that the function can see."""
        if self.kernel is not None:
            return [self.kernel.code or ""]
        return [kernel.code for kernel in _seen_kernels(self.given).values() if kernel.code]


def answer_of(given: Any, name: str, stub: str = "") -> Answer:
    """Return what was handed over in a form that can be run; raises NotAttempted or Wrong for anything else."""
    if given is ...:
        raise NotAttempted()
    if is_kernel(given):
        kernel: Any = explain.simulated(given)   # untyped, as CuPy's is
        if bare(kernel.code or "") in stub_kernels(stub):
            raise NotAttempted(UNCHANGED)
        return Answer(given, name, kernel)
    _refuse(given, name)
    if _is_stub(given, name, stub):
        raise NotAttempted(UNCHANGED)
    kernels = {key: explain.simulated(kernel) for key, kernel in _seen_kernels(given).items()}
    return Answer(given, name, function=guard.with_module(given, cp=cupy_sim, **kernels))


def is_kernel(given: Any) -> bool:
    """Say whether it is a RawKernel, of the simulator's or CuPy's, or `(module, "name")`."""
    if type(given) is tuple:
        return len(given) == 2 and hasattr(given[0], "get_function") and isinstance(given[1], str)
    wanted = ("code", "name", "options", "backend")
    return not isinstance(given, type) and callable(given) and all(hasattr(given, each) for each in wanted)


def _refuse(given: Any, name: str) -> None:
    """Raise Wrong for what is neither a kernel nor a function, with the likely cause."""
    if isinstance(given, str):
        kernel = re.search(r"__global__[^({]*?(\w+)\s*\(", given)
        own = kernel[1] if kernel else name
        text = f'{name} is a string. Make a kernel of it: `{name} = cp.RawKernel(source, "{own}")`.'
    elif given is None:
        text = (f"{name} is None: that is what a launch returns. Hand over the kernel itself, without "
                "`(grid, block, arguments)`.")  # fmt: skip
    elif isinstance(given, cupy_sim.ndarray) or hasattr(given, "__array_interface__"):
        text = f"{name} is an array, the result of a launch. Hand over the kernel itself; the check launches it."
    elif hasattr(given, "get_function"):
        text = f'{name} is a module of kernels. Hand over one of them: `(module, "name")`.'
    elif isinstance(given, type) or not callable(given):
        what = "a class" if isinstance(given, type) else called(given)
        text = f'{name} should be a kernel, `cp.RawKernel(source, "{name}")`, but is {what}.'
    else:
        return
    raise Wrong(text)


# -- the stub -----------------------------------------------------------------------------------------


def bare(source: str) -> str:
    """Return CUDA C without comments and white space, so that two sources can be compared."""
    return "".join(re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL).split())


def stub_kernels(stub: str) -> set[str]:
    """Return the bare sources of the kernels in a stub."""
    texts = (node.value for node in ast.walk(ast.parse(stub)) if isinstance(node, ast.Constant))
    return {bare(text) for text in texts if isinstance(text, str) and "__global__" in text}


def _seen_kernels(function: Any) -> dict[str, Any]:
    """The kernels among the global names that a function uses."""
    names = guard.globals_of(function) or {}
    code = getattr(function, "__code__", None)
    used = set(code.co_names) if code is not None else set(names)
    seen = {name: names[name] for name in used & names.keys()}
    return {name: value for name, value in seen.items() if type(value) is not tuple and is_kernel(value)}


def _is_stub(function: Any, name: str, stub: str) -> bool:
    """Whether a function and the kernels that it uses are those of the stub."""
    own = getattr(function, "__code__", None)
    given = [c for c in compile(stub, "<stub>", "exec").co_consts if isinstance(c, CodeType) and c.co_name == name]
    if own is None or not given or _acts(own) != _acts(given[0]):
        return False
    known = stub_kernels(stub)
    return all(bare(kernel.code or "") in known for kernel in _seen_kernels(function).values())


def _acts(code: CodeType) -> tuple[Any, ...]:
    """What a function does, without its docstring and line numbers."""
    constants = [c for c in code.co_consts if not isinstance(c, str | CodeType)]
    return code.co_code, code.co_names, constants


# -- compiling ----------------------------------------------------------------------------------------


def compiled(answer: Answer) -> None:
    """Compile the kernel; raises Wrong with the learner's own line where the compiler refuses it."""
    if answer.kernel is None:
        return
    try:
        answer.kernel.kernel  # noqa: B018 - the property compiles
    except CompileError as error:
        raise Wrong(compile_message(error)) from None
    except LaunchError as error:
        raise Wrong(f"{answer.name}: {launch_text(error)}.") from None


_ERROR = re.compile(r"^\S*?\((\d+)\): (?:catastrophic )?error(?: #\d+)?: (.*)$", re.MULTILINE)
_OPENCL = re.compile(r"\b__(?:global|kernel|local)\b")   # NVRTC blames the line before


def compile_message(error: CompileError) -> str:
    """Return the compiler's first complaint, with the line it is about, and how to mend a known gap."""
    for number, written in enumerate(error.source.splitlines(), 1):
        word = _OPENCL.search(_code(written))
        if word:
            return (f"Line {number} does not compile: `{word[0]}` is no word of CUDA C, only of OpenCL C."
                    f"{_reads(error.source, number)}")  # fmt: skip
    found = _ERROR.findall(error.get_message())
    notes = [line for line in error.get_message().splitlines() if line.startswith("NVRTC has no")]
    if not found:
        return f"The kernel does not compile: {_first_error(error.get_message())}"
    line, text = int(found[0][0]), found[0][1].strip().rstrip(".:")
    lines = error.source.splitlines()
    if text.startswith('expected a ";"'):
        line = _unended(lines, line)
    more = f" {len(found) - 1} more error{'s' * (len(found) > 2)} may go with it." if len(found) > 1 else ""
    note = f" {notes[0]}" if notes else ""
    return f"Line {line} does not compile: {text}.{_reads(error.source, line)}{more}{note}"


_UNSET = re.compile(r'^\S*?\((\d+)\): warning #549-D: (variable "\w+" is used before its value is set)', re.MULTILINE)


def unset_variable(answer: Answer) -> str:
    """Return the compiler's warning that a variable of the kernel is read before it has a value, or ""."""
    if answer.kernel is None:
        return ""
    program = answer.kernel.kernel.program
    found = _UNSET.search(program.compiled.log)
    number, what = (int(found[1]), found[2]) if found else _only_added_to(program.source)
    if not number:
        return ""
    line = quoted(program.source, number, " ({})")
    return f"in line {number}{line} the {what}: what it holds then is left to chance. Give it one."


_WITHOUT_VALUE = re.compile(r"(?<=[;{}])\s*(?:float|double|int|unsigned(?: int)?|long long)\s+(\w+)\s*;")
_REFERENCE = re.compile(r"\b(?:float|double|int|unsigned|long|auto|T)\s*&\s*\w")


def _only_added_to(source: str) -> tuple[int, str]:
    """The line and the warning for a variable that begins without a value and is changed by `+=` and its like only.

    The compiler does not warn where that happens in a loop. (0, "") if there is none, or where it is not certain.
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), source, flags=re.DOTALL)
    for name in [] if _REFERENCE.search(text) else _WITHOUT_VALUE.findall(text):
        change = re.search(rf"(?<![\w.>]){name}\s*[-+*/]=", text)
        if change and not re.search(rf"(?<![\w.>]){name}\s*=[^=]|&\s*{name}\b", text):
            return text.count("\n", 0, change.start()) + 1, f'variable "{name}" is used before its value is set'
    return 0, ""


def _first_error(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("static shared memory")]   # says what to do about it
    return next((line for line in [*own, *lines] if line in own or "error" in line), log.strip()[:200])


def _unended(lines: list[str], line: int) -> int:
    """The compiler misses a semicolon where the next token stands: mostly a line later."""
    before = next((n for n in range(line - 1, 0, -1) if _code(lines[n - 1])), line)
    return line if _code(lines[before - 1]).endswith((";", "{", "}")) else before


def _code(line: str) -> str:
    return line.split("//")[0].strip()


def _reads(source: str, line: int) -> str:
    return quoted(source, line, " The line reads {}.")


def quoted(source: str, line: int | None, form: str = "{}") -> str:
    """Return a line of the source between backquotes, put into `form`; "" where there is none to show."""
    lines = source.splitlines()
    if not line or line > len(lines) or "CUPY_FOR" in source:
        return ""
    text = _code(lines[line - 1]).replace("`", "'")
    return form.format(f"`{text if len(text) <= 60 else text[:60] + '…'}`") if text else ""


def launch_text(error: CourseError) -> str:
    """Return a launch error without the name that CUDA gives it."""
    detail = getattr(error, "detail", "") or str(error)
    return " ".join(detail.split()).rstrip(".")


# -- arguments ----------------------------------------------------------------------------------------


def fit_arguments(answer: Answer, args: Mapping[str, Any]) -> None:
    """Raise Wrong unless the kernel's parameters are, in order, those that the exercise hands over."""
    if answer.kernel is None:
        return
    parameters = answer.kernel.kernel.parameters
    names = [p.declared.name if p.declared else "" for p in parameters]
    call = f"The exercise launches {answer.name} with ({', '.join(args)})"
    if len(parameters) != len(args):
        own = f" ({', '.join(names)})" if all(names) else ""
        raise Wrong(f"{call}, {len(args)} arguments, but your kernel takes {len(parameters)}{own}.")
    if sorted(names) == sorted(args) and names != list(args):
        raise Wrong(f"{call}, but your kernel has the parameters in another order: ({', '.join(names)}).")
    for parameter, (name, value) in zip(parameters, args.items(), strict=True):
        _fit(parameter, name, value, call)


def _fit(parameter: Parameter, name: str, value: Any, call: str) -> None:
    try:
        bind(parameter, cupy_sim.asarray(value[..., :1]) if isinstance(value, np.ndarray) else value)
    except SimulatorLacks:
        raise
    except (CourseError, TypeError, OverflowError):
        declared = parameter.declared
        own = f"declares it `{declared.text}`" if declared else f"takes {parameter.size} bytes there"
        raise Wrong(f"{call}. `{name}` is {described(value)}, but your kernel {own}.") from None


def described(value: Any) -> str:
    """Return an argument as C calls it: "an array of float32 (`float*` in C)", "an int32 (`int` in C)"."""
    dtype = str(np.asarray(value).dtype)
    c_type = C_TYPES.get(dtype, dtype)
    if isinstance(value, np.ndarray):
        return f"an array of {dtype} (`{c_type}*` in C)"
    return f"{'an' if dtype[0] in 'iu' else 'a'} {dtype} (`{c_type}` in C)"
