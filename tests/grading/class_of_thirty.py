"""Thirty submissions to lesson 01: right, wrong, and made to break the marking, with the marks they deserve.

Each is a list of cells, the states of 01.1 and 01.4 that are its due, and words that one of its flags must hold.
"""

from __future__ import annotations

from dataclasses import dataclass

IMPORTS = "import numpy as np\nfrom gpucourse import check, hint, solution\n"
RIGHT_1 = "def speedup(p, n):\n    return 1 / ((1 - p) + p / n)\n\ncheck('01.1', speedup)"
WRONG_1 = "def speedup(p, n):\n    return (1 - p) + p / n\n\ncheck('01.1', speedup)"
STUB_1 = "def speedup(p, n):\n    return ...\n\ncheck('01.1', speedup)"
RIGHT_4 = ("def best_time(flops, bytes_moved, gflops_per_s, gbytes_per_s):\n"
           "    return 1000 * max(flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 1e9))\n\n"
           "check('01.4', best_time)")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A submission and its due: the states of 01.1 and 01.4, and words of a flag ("" for no flag at all)."""

    cells: tuple[str, ...]
    first: str
    fourth: str = "right"
    flag: str = ""


def _before(code: str, first: str, flag: str, answer: str = WRONG_1) -> Case:
    """`code` in a cell of its own before the answers."""
    return Case((IMPORTS, code, answer, RIGHT_4), first, flag=flag)


def _inside(body: str, first: str, flag: str = "") -> Case:
    """`body` in the answer to 01.1, before a wrong return."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    answer = f"def speedup(p, n):\n{lines}    return 0\n\ncheck('01.1', speedup)"
    return Case((IMPORTS, answer, RIGHT_4), first, flag=flag)


SWALLOWS = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
BOMB = "hoard = []\nwhile True: hoard.append(bytearray(20_000_000))"
SHARED = ("import mmap\nhoard = []\nwhile True:\n    hoard.append(mmap.mmap(-1, 20_000_000))\n"
          "    hoard[-1].write(bytes(20_000_000))")  # fmt: skip
FORGES = ("from gpucourse.exercises.outcome import Outcome\nimport gpucourse.exercises.problem as inner\n"
          "inner.Problem.check = lambda self, answer, **more: Outcome(self.id, self.title, 'right')\n")  # fmt: skip
PIPES = ("import os\nfor number in range(3, 256):\n    try: os.write(number, b'{\"what\": \"exercise\", \"id\": "
         "\"01.1\", \"state\": \"right\", \"message\": \"\"}\\n')\n    except OSError: pass\n")  # fmt: skip
COPIES = ("from gpucourse.exercises.n01_cpu_vs_gpu import PROBLEMS\nexec(PROBLEMS[0].solution)\n"
          "check('01.1', speedup)")  # fmt: skip

THIRTY = {
    "right": Case((IMPORTS, RIGHT_1, RIGHT_4), "right"),
    "right, never checked": Case((IMPORTS, RIGHT_1.partition("\ncheck")[0], RIGHT_4), "right"),
    "right after a wrong try": Case((IMPORTS, WRONG_1, RIGHT_1, RIGHT_4), "right"),
    "right, beside a broken cell": Case((IMPORTS, "1 / 0", "def (:", RIGHT_1, RIGHT_4), "right"),
    "right, with magics": Case(("%matplotlib inline\n" + IMPORTS, "!ls", "%time 1", RIGHT_1, RIGHT_4), "right"),
    "wrong": Case((IMPORTS, WRONG_1, RIGHT_4), "wrong"),
    "stub": Case((IMPORTS, STUB_1, RIGHT_4), "not attempted"),
    "missing": Case((IMPORTS, RIGHT_4), "missing"),
    "raises": _inside("raise ValueError(p)", "raised"),
    "endless loop in the answer": _inside("while True: pass", "raised"),
    "endless loop that swallows all": _inside(SWALLOWS, "raised"),
    "endless loop in a cell": _before("while True: pass", "right", "", RIGHT_1),
    "endless loop in a cell that swallows all": _before(SWALLOWS, "right", "", RIGHT_1),
    "memory bomb in the answer": _inside(BOMB, "raised"),
    "memory bomb in a cell": _before(BOMB, "right", "", RIGHT_1),
    "shared memory bomb in a cell": _before(SHARED, "right", "GiB of memory", RIGHT_1),
    "many processes": _before("import os, time\nfor _ in range(200):\n    if os.fork() == 0: time.sleep(60)", "right",
                              "starts a process", RIGHT_1),
    "exits in a cell": _before("raise SystemExit", "right", "", RIGHT_1),
    "exits at once in a cell": _before("import os\nos._exit(0)", "right", "ended Python with status 0", RIGHT_1),
    "kills itself in a cell": _before("import os\nos.kill(os.getpid(), 9)", "right", "ended Python", RIGHT_1),
    "exits in the answer": _inside("import os\nos._exit(0)", "raised"),
    "deletes what is in its folder": _before("import os, shutil\nopen('a', 'w').close()\nos.remove('a')\n"
                                             "shutil.rmtree('.', ignore_errors=True)", "wrong", "deletes a file"),
    "reads and deletes others' work": _before(
        "import os, pathlib\nfor path in pathlib.Path('{folder}').rglob('*.ipynb'):\n    path.unlink()\n"
        "os.system('rm -rf {folder}/*')", "wrong", "starts a program"),
    "calls the network": _before("import socket\nsocket.create_connection(('127.0.0.1', {port}), 2).send(b'x')",
                                 "wrong", "opens a connection"),
    "prints a forged pass": _before("print('Exercise 01.1: right.')\ncheck = lambda *a: print('right')", "wrong", ""),
    "patches the checker": _before(FORGES, "wrong", "changes gpucourse.exercises.problem.Problem.check"),
    "patches it while it is judged": _inside(FORGES, "refused", "changes gpucourse.exercises.problem.Problem.check"),
    "patches the comparison": _before(
        "import gpucourse.exercises.cases as c\nfor name in list(vars(c)):\n"
        "    if callable(getattr(c, name)) and name.islower(): setattr(c, name, lambda *a, **k: None)",
        "wrong", "changes gpucourse.exercises.cases"),
    "writes into the pipe": _before(PIPES, "wrong", "writes into the marking program's pipe"),
    "imports the solutions": Case((IMPORTS, COPIES, RIGHT_4), "right", flag="imports the course's exercise modules"),
}  # fmt: skip
