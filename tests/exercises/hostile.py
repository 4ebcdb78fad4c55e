"""Answers that no exercise expects: values, functions that misbehave, and functions that try to end Python.

Run as a script it hands the last kind to every exercise and prints "alive" if Python still runs after it.
"""

from __future__ import annotations

import builtins
import decimal
import fractions
import functools
import os
import signal
import sys
import threading
import time
from os import _exit, kill

import numpy as np


class Evil:
    """Every question is answered with an error."""

    def _no(self, *args):
        raise ValueError("evil")

    __eq__ = __len__ = __iter__ = __bool__ = __float__ = __int__ = __repr__ = __str__ = __array__ = _no
    __hash__ = __getitem__ = __contains__ = __copy__ = __deepcopy__ = __lt__ = __add__ = __mul__ = _no

    def __getattr__(self, name):
        raise ValueError("evil")


class EvilClass:
    """Lies about its class and raises from its repr something that is no Exception."""

    @property
    def __class__(self):
        raise SystemExit(3)

    def __repr__(self):
        raise KeyboardInterrupt


class Own(BaseException):
    """An error that is no Exception, and that cannot even be printed."""

    def __str__(self):
        raise ValueError("evil")


class EvilDict(dict):
    def __getitem__(self, key):
        raise SystemExit(4)

    values = items = keys = __iter__ = __getitem__


class EvilArray(np.ndarray):
    def __array_finalize__(self, other):
        pass

    @property
    def shape(self):
        raise ValueError("evil")


class Callable:
    def __call__(self, *args):
        return 1.0


def raising(error):
    def answer(*args):
        raise error

    return answer


def returning(value):
    return lambda *args: value


def generator(*args):
    yield 1


async def coroutine(*args):
    return 1


def recursion(*args):
    return recursion(*args)


def deep(*args):
    nest = []
    for _ in range(5000):
        nest = [nest]
    return nest


def itself(*args):
    nest = []
    nest.append(nest)
    return nest


def flood(*args):
    for i in range(3000):
        print("x" * 100, i)


def closes_output(*args):
    sys.stdout.close()
    sys.stdout = sys.stderr = None


def tampers(*args):
    builtins.len = builtins.print = builtins.isinstance = None
    np.isclose = np.asarray = np.all = None
    np.seterr(all="raise")
    return 1.0


def warns(*args):
    return np.float64(1) / np.float64(0)


def deletes(*args):
    del np.isclose, builtins.len
    return 1.0


def spoils_arguments(*args):
    for value in args:
        if isinstance(value, (np.ndarray, list, dict)):
            value[:] = 0
    return 1.0


def calls_its_arguments(*args):
    return [value() for value in args if callable(value)]


def tensor(*args):
    torch = sys.modules.get("torch")
    return torch.ones(3) if torch else "no torch"


OBJECTS = np.empty(1, dtype=object)
OBJECTS[0] = Evil()

VALUES = {
    "None": None, "Ellipsis": ..., "NotImplemented": NotImplemented, "True": True, "zero": 0, "minus one": -1,
    "huge int": 10**5000, "nan": float("nan"), "inf": float("inf"), "complex": 1j, "string": "3.2",
    "empty string": "", "huge string": "x" * 10**6, "bytes": b"1", "list": [1, 2], "empty list": [],
    "tuple": (1,),
    "dict": {"a": 1}, "empty dict": {}, "unhashable key": [{}], "set": {1}, "range": range(3), "Evil": Evil(),
    "EvilClass": EvilClass(), "EvilDict": EvilDict(a=1), "class": Evil, "type": type, "object": object(),
    "module": np, "0-d": np.array(1.0), "array": np.ones(3), "empty array": np.ones(0), "int8": np.int8(1),
    "float16": np.float16(1), "longdouble": np.longdouble(1), "object array": OBJECTS,
    "strings": np.array(["a"]), "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "matrix": np.ones((2, 2)),
    "masked": np.ma.masked_array([1.0, 2.0], mask=[True, False]), "records": np.zeros(2, dtype=[("a", int)]),
    "EvilArray": np.ones(3).view(EvilArray), "Decimal": decimal.Decimal(1),
    "Fraction": fractions.Fraction(1, 3),
    "exception": ValueError("x"), "lambda": lambda: 1, "bool array": np.array([True]),
    "memory": memoryview(b"ab"),
}  # fmt: skip

FUNCTIONS = {
    "no parameters": lambda: 1.0, "nine parameters": lambda a, b, c, d, e, f, g, h, i: 1.0,
    "keyword": lambda *, z: 1,
    "generator": generator, "coroutine": coroutine, "recursion": recursion, "deep": deep, "itself": itself,
    "flood": flood, "closes output": closes_output, "tampers": tampers, "deletes": deletes, "warns": warns,
    "spoils arguments": spoils_arguments, "calls its arguments": calls_its_arguments, "tensor": tensor,
    "np.linalg.inv": np.linalg.inv, "len": len, "print": print, "partial": functools.partial(pow, 2),
    "callable object": Callable(), "bound method": Callable().__call__, "staticmethod": staticmethod(flood),
    "SystemExit": raising(SystemExit(1)), "KeyboardInterrupt": raising(KeyboardInterrupt()),
    "GeneratorExit": raising(GeneratorExit()), "Own": raising(Own()),
    "StopIteration": raising(StopIteration()),
    "MemoryError": lambda *args: [0] * 10**15, "group": raising(ExceptionGroup("several", [ValueError("a")])),
    "SyntaxError": lambda *args: compile("1 +", "x", "exec"),
    "long error": raising(ValueError("x\n" * 10**5)),
    "sys.exit": lambda *args: sys.exit(1), "random": lambda *args: np.random.default_rng().random(),
    "sleeps": lambda *args: time.sleep(60),
}  # fmt: skip


def endless(*args):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def stubborn(*args):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


ENDLESS = {"endless": endless, "stubborn": stubborn}


def aliased(*args):
    _exit(9)


def posix_exit(*args):
    sys.modules[os.name]._exit(9)


def kill_in_thread(*args):
    thread = threading.Thread(target=lambda: os._exit(9), daemon=True)
    threading.excepthook = lambda *args: None
    thread.start()
    thread.join()


def hungry(*args):
    sys.setrecursionlimit(10**9)
    return recursion(*args)


def more_memory(*args):
    hold = []
    while True:
        hold.append(b"x" * 10**8)


KILLERS = {
    "exit": lambda *args: exit(), "quit": lambda *args: quit(), "os._exit": lambda *args: os._exit(9),
    "aliased": aliased, "posix": posix_exit, "abort": lambda *args: os.abort(), "thread": kill_in_thread,
    "kill": lambda *args: os.kill(os.getpid(), signal.SIGKILL),
    "alias of kill": lambda *args: kill(os.getpid(), 9),
    "kill 0": lambda *args: os.kill(0, signal.SIGTERM), "raise_signal": lambda *args: signal.raise_signal(15),
    "killpg": lambda *args: os.killpg(os.getpgid(0), 9), "input": lambda *args: input(),
    "execv": lambda *args: os.execv("/bin/true", ["true"]), "execlp": lambda *args: os.execlp("true", "true"),
    "fork": lambda *args: os.fork(), "setrecursionlimit": hungry, "breakpoint": lambda *args: breakpoint(),
    "setitimer": lambda *args: signal.setitimer(signal.ITIMER_REAL, 0.001), "memory": more_memory,
}  # fmt: skip


def main():
    import dataclasses

    from gpucourse.exercises import memory, registry

    memory._most = lambda: memory._figures("/proc/self/status")["VmData"] + 5 * 10**8
    for problem in registry.all_problems():
        for name, killer in KILLERS.items():
            outcome = dataclasses.replace(problem, limit=1.0).check(killer)
            print(problem.id, name, outcome.state, "|", outcome.message)
    print("alive")


if __name__ == "__main__":
    main()
