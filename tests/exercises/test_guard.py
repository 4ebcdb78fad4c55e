"""The guarded call: what is stopped, what is put back, what is told."""

from __future__ import annotations

import builtins
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
import warnings

import numpy as np
import pytest

from gpucourse.exercises import blame, guard, limits, memory
from tests.mutants.mutant import answer_of


def test_a_quiet_run_reports_nothing():
    assert guard.run(lambda: None) == guard.Report()


def test_output_is_kept_and_cut():
    def talk():
        for i in range(100):
            print(i)
        print("last", end="")

    printed = guard.run(talk).printed
    assert printed[:20] == tuple(map(str, range(20)))
    assert printed[20:] == ("… and 81 more lines",)
    assert guard.run(lambda: print("x" * 500)).printed == ("x" * 200 + "…",)
    assert guard.run(lambda: print("to stderr", file=sys.stderr)).printed == ("to stderr",)


def test_the_streams_come_back():
    before = sys.stdout, sys.stderr
    guard.run(lambda: sys.stdout.close())
    assert (sys.stdout, sys.stderr) == before


def test_a_loop_is_stopped_and_the_line_is_known():
    answer = answer_of("def f():\n    while True:\n        pass\n", "f")
    start = time.monotonic()
    error = guard.run(lambda: guard.call(answer, where="f()"), limit=0.1).error
    assert time.monotonic() - start < 5
    assert isinstance(error, guard.TimedOut)
    assert error.where == "f()"
    assert blame.place(error).line in (2, 3)


def test_a_watching_thread_stops_a_loop_where_there_is_no_timer(monkeypatch):
    monkeypatch.delattr(signal, "setitimer")
    monkeypatch.setattr(guard, "_REFUSED", ())
    assert isinstance(guard.run(lambda: exec("while True: pass"), limit=0.1).error, guard.TimedOut)


def test_a_loop_is_stopped_in_another_thread_too():
    found = []

    def endless():
        found.append(guard.run(lambda: exec("while True: pass"), limit=0.1))

    thread = threading.Thread(target=endless)
    thread.start()
    thread.join(10)
    assert isinstance(found[0].error, guard.TimedOut)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timer signal")
def test_somebody_elses_timer_and_handlers_come_back():
    fired = []
    before = signal.signal(signal.SIGALRM, lambda *args: fired.append(1))
    interrupt = signal.getsignal(signal.SIGINT)
    old = signal.setitimer(signal.ITIMER_REAL, 0.15)
    try:
        guard.run(lambda: time.sleep(0.01))
        assert signal.getsignal(signal.SIGINT) is interrupt
        time.sleep(0.3)
        assert fired == [1]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *old)


def test_an_interrupt_is_not_taken_for_the_answers_own_error():
    pid = os.getpid()
    sender = threading.Timer(0.1, functools.partial(os.kill, pid, signal.SIGINT))
    sender.start()
    assert isinstance(guard.run(lambda: time.sleep(5)).error, guard.Interrupted)

    def own():
        raise KeyboardInterrupt

    assert type(guard.run(lambda: guard.call(own)).error) is guard.Raised


@pytest.mark.parametrize("module", [builtins, np, os, time])
def test_replaced_names_come_back(module):
    before = dict(vars(module))

    def replace():
        for name in ("len", "sum", "isclose", "getpid", "time", "perf_counter"):
            if hasattr(module, name):
                setattr(module, name, None)

    guard.run(lambda: guard.call(replace))
    assert {name: vars(module)[name] for name in before} == before


def test_numpys_error_state_and_the_recursion_limit_come_back():
    before = np.geterr(), sys.getrecursionlimit()
    guard.run(lambda: np.seterr(all="raise"))
    assert (np.geterr(), sys.getrecursionlimit()) == before


def test_what_would_end_python_is_refused_in_a_learners_globals_too():
    names = {"leave": os._exit}
    answer = answer_of("def f():\n    leave(3)\n", "f", **names)
    error = guard.run(lambda: guard.call(answer), answer).error
    assert isinstance(error, guard.Refused)
    assert str(error) == "os._exit(), which would end Python and lose your work; it was not carried out."
    assert answer.__globals__["leave"] is os._exit


def test_the_shells_own_exit_is_refused():
    inside = {"__module__": "IPython.core.autocall", "__call__": lambda self: 1}
    autocall = type("ZMQExitAutocall", (), inside)()
    answer = answer_of("def f():\n    quit()\n", "f", quit=autocall)
    assert isinstance(guard.run(lambda: guard.call(answer), answer).error, guard.Refused)
    assert answer.__globals__["quit"] is autocall


def test_other_processes_may_be_started_and_ended():
    def start_and_end():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        os.kill(child.pid, signal.SIGTERM)
        return child.wait(10)

    assert guard.run(start_and_end).error is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_only_a_learners_own_fork_is_refused():
    answer = answer_of("import os\ndef f():\n    os.fork()\n", "f")
    assert isinstance(guard.run(lambda: guard.call(answer), answer).error, guard.Refused)
    assert guard.run(lambda: multiprocessing.get_context("fork").Pool(1).terminate()).error is None


def test_warnings_are_held_back_and_the_learners_own_are_told():
    answer = answer_of("def f(x):\n    import warnings\n    return x / 0\n", "f")
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        done = guard.call(answer, (np.float64(1),))
    assert done.warned == " Line 3 warned: divide by zero encountered in scalar divide."
    assert not leaked


def test_a_call_tells_whether_it_printed():
    assert guard.call(print, ("x",)).printed
    assert not guard.call(abs, (1,)).printed
    assert guard.run(lambda: guard.call(print, ("x",), quiet=True)).printed == ()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory exists on Linux only")
def test_too_much_memory_raises(monkeypatch):
    monkeypatch.setattr(memory, "_most", lambda: memory._figures("/proc/self/status")["VmData"] + 10**8)
    with memory.memory_limit(), pytest.raises(MemoryError):
        np.ones(10**8)
    assert np.ones(2 * 10**7).nbytes == 16 * 10**7


def f_with_globals(cp, np, xp):
    return answer_of("def f():\n    return cp, np, xp\n", "f", cp=cp, np=np, xp=xp)


def test_with_module_swaps_a_functions_modules_during_the_call():
    old, new, numpy = (types.ModuleType(name) for name in ("old", "new", "numpy"))
    f = f_with_globals(old, numpy, old)
    assert guard.with_module(f, cp=new)() == (new, numpy, new)
    assert f() == (old, numpy, old)
    assert guard.with_module(functools.partial(f), cp=new)() == (new, numpy, new)


def test_with_module_gives_what_was_missing_and_takes_it_back():
    f = answer_of("def f():\n    return cp\n", "f")
    assert guard.with_module(f, cp=np)() is np
    assert "cp" not in f.__globals__


def test_with_module_puts_back_after_an_error():
    f = answer_of("def f():\n    cp.nothing\n", "f", cp=np)
    with pytest.raises(AttributeError):
        guard.with_module(f, cp=math_like)()
    assert f.__globals__["cp"] is np
    assert not guard._swaps


math_like = types.ModuleType("math_like")


@pytest.mark.parametrize("answer", [len, 3, None, ..., np.add, functools.partial(len), object()])
def test_what_has_no_globals(answer):
    assert guard.globals_of(answer) is None


def test_globals_of_methods_and_callable_objects():
    class Callable:
        def __call__(self):
            return 1

    assert guard.globals_of(Callable()) is globals()
    assert guard.globals_of(Callable().__call__) is globals()


def test_the_learners_line_is_the_nearest_to_the_error():
    answer = answer_of("import json\n\ndef f(x):\n    return json.loads(x)\n", "f")
    error = guard.run(lambda: guard.call(answer, ("{",), where='f("{")')).error.error
    start = "Line 4, `return json.loads(x)`, raised JSONDecodeError: "
    assert blame.sentence(error, "f('{')").startswith(start)


def test_only_an_undisturbed_function_is_left_alone():
    assert limits._may_stop(sys._getframe()) is False
    assert limits.inside(lambda: limits._may_stop(sys._getframe())) is True
    assert limits.inside(calm) is False


@limits.undisturbed
def calm():
    return limits._may_stop(sys._getframe())


AFTER_A_THREAD = """
import sys, threading
from gpucourse.exercises import guard

reports = []
for limit, work in ((60, lambda: None), (0.1, lambda: exec("while True: pass"))):
    thread = threading.Thread(target=lambda: reports.append(guard.run(work, limit=limit)))
    thread.start()
    thread.join()
called = []
sys.setprofile(lambda frame, event, argument: called.append(event))
(lambda: None)()
sys.setprofile(None)
print(reports[0].error, type(reports[1].error).__name__, called[:2])
"""


def test_a_profiler_works_after_a_check_in_another_thread():
    """PyThreadState_SetAsyncExc with NULL, in CPython 3.11, makes the next profiled call of a function hang."""
    done = subprocess.run([sys.executable, "-c", AFTER_A_THREAD], capture_output=True, text=True, timeout=120)
    assert done.stdout == "None TimedOut ['call', 'return']\n", done.stderr
