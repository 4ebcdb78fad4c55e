"""Plausible wrong answers to the exercises of lesson 02, each with words that its message must contain."""

from textwrap import indent

from tests.mutants.mutant import Mutant

TIGHT = """def tight(xp, x, steps):
    trace = []
    for _ in range(steps):
{body}
    return {result}
"""


def tight(body, result="xp.stack(trace).get()"):
    return TIGHT.format(body=indent(body, " " * 8), result=result)


LOOP = "x = x - x.min()\nx = x / xp.maximum(x.max(), 1)\ntrace.append(x.mean())\nx = 2 * x * x + x"
TIME = """def honest_time(run, synchronize, clock, repeat):
{body}
"""


def timing(body):
    return TIME.format(body=indent(body, " " * 4))


GOOD_LOOP = "synchronize()\nstart = clock()\nrun()\nsynchronize()\ntimes.append(clock() - start)"


def timing_loop(before="run()", loop=GOOD_LOOP, result="sorted(times)[repeat // 2]", count="repeat"):
    lines = ["times = []", before, f"for _ in range({count}):", indent(loop, " " * 4), f"return {result}"]
    return timing("\n".join(lines))


def one_line(head, expression):
    return f"def {head}:\n    return {expression}\n"


def fade(expression, xp="cp.get_array_module(x)"):
    return f"def fade(x):\n    xp = {xp}\n    return {expression}\n"


def horner(*steps):
    return "\n    ".join(["def cubic(x):", "y = 2 * x", *steps, "return y"]) + "\n"


def bill(*numbers):
    return one_line("estimate(height, width, bins)", ", ".join(numbers))


MUTANTS = {
    "02.1": (
        Mutant(
            "still fetches x for its minimum",
            tight(LOOP.replace("x.min()", "x.get().min()")),
            expect="whole array",
        ),
        Mutant(
            "still asks whether the maximum is above 1",
            tight(LOOP.replace("x = x / xp.maximum(x.max(), 1)", "if x.max() > 1:\n    x = x / x.max()")),
            expect="truth value",
        ),
        Mutant(
            "Python's own max",
            tight(LOOP.replace("xp.maximum(x.max(), 1)", "max(x.max(), 1)")),
            expect="truth value",
        ),
        Mutant(
            "float in every step",
            tight(LOOP.replace("x.mean()", "float(x.mean())"), "xp.asarray(trace).get()"),
            expect="single number",
        ),
        Mutant(
            "item in every step",
            tight(LOOP.replace("x.mean()", "x.mean().item()"), "np.array(trace)"),
            expect="single number",
        ),
        Mutant(
            "numbers one by one after the loop",
            tight(LOOP, "np.array([float(m) for m in trace])"),
            expect="single number",
        ),
        Mutant(
            "all on the host",
            tight(LOOP.replace("x = x - x.min()", "x = xp.asarray(x.get() - x.get().min())")),
            expect="whole array",
        ),
        Mutant("leaves the result on the device", tight(LOOP, "xp.stack(trace)"), expect="device array"),
        Mutant("list of device arrays", tight(LOOP, "trace"), expect="xp.stack"),
        Mutant(
            "always divides",
            tight(LOOP.replace("xp.maximum(x.max(), 1)", "x.max()")),
            expect="only where the maximum is above 1",
        ),
        Mutant(
            "no minimum", tight(LOOP.replace("x = x - x.min()\n", "")), expect="minimum is not subtracted"
        ),
        Mutant(
            "mean too late",
            tight(
                "x = x - x.min()\nx = x / xp.maximum(x.max(), 1)\nx = 2 * x * x + x\ntrace.append(x.mean())"
            ),
            expect="end of a step",
        ),
        Mutant(
            "mean too early",
            tight("trace.append(x.mean())\n" + LOOP.replace("trace.append(x.mean())\n", "")),
            expect="start of a step",
        ),
        Mutant(
            "changes the caller's x",
            tight(LOOP.replace("x = x - x.min()", "x -= x.min()")),
            expect="caller's x",
        ),
        Mutant(
            "returns inside the loop",
            tight(LOOP.replace("x = 2 * x * x + x", "x = 2 * x * x + x\nreturn xp.stack(trace).get()")),
            expect="inside the loop",
        ),
        Mutant(
            "works on the host altogether",
            tight(LOOP, "np.array(trace)")
            .replace("trace = []", "trace = []\n    x = x.get()")
            .replace("xp.", "np."),
            expect="the host does the work",
        ),
        Mutant("takes the smaller divisor", tight(LOOP.replace("maximum", "minimum")), expect="the smaller"),
        Mutant(
            "does not go on",
            tight(LOOP.replace("x = 2 * x * x + x", "pass")),
            expect="does not change from step to step",
        ),
    ),
    "02.2": (
        Mutant(
            "never waits",
            timing_loop(loop="start = clock()\nrun()\ntimes.append(clock() - start)"),
            expect="never called",
        ),
        Mutant(
            "waits before, not after",
            timing_loop(loop="synchronize()\nstart = clock()\nrun()\ntimes.append(clock() - start)"),
            expect="stopped before the device is done",
        ),
        Mutant(
            "waits after, not before",
            timing_loop(loop="start = clock()\nrun()\nsynchronize()\ntimes.append(clock() - start)"),
            expect="busy with the warm-up",
        ),
        Mutant(
            "waits after the clock has stopped",
            timing_loop(
                loop="synchronize()\nstart = clock()\nrun()\nstop = clock()\n"
                "synchronize()\ntimes.append(stop - start)"
            ),
            expect="stopped before the device is done",
        ),
        Mutant("no warm-up", timing_loop(before="pass"), expect="first call is timed"),
        Mutant("only waits for a warm-up", timing_loop(before="synchronize()"), expect="first call is timed"),
        Mutant("mean", timing_loop(result="sum(times) / repeat"), expect="mean"),
        Mutant("least", timing_loop(result="min(times)"), expect="shortest"),
        Mutant("not sorted", timing_loop(result="times[repeat // 2]"), expect="not sorted"),
        Mutant("all times", timing_loop(result="times"), expect="median"),
        Mutant(
            "milliseconds", timing_loop(result="1000 * sorted(times)[repeat // 2]"), expect="milliseconds"
        ),
        Mutant(
            "one clock round all runs",
            timing(
                "run()\nsynchronize()\nstart = clock()\nfor _ in range(repeat):\n    run()\n"
                "synchronize()\nreturn (clock() - start) / repeat"
            ),
            expect="One pair of readings",
        ),
        Mutant(
            "always five",
            timing_loop(count="5", result="sorted(times)[2]"),
            expect="number of timed runs is 5",
        ),
        Mutant(
            "keeps the compiling run",
            timing_loop(before="pass", count="repeat + 1", result="sorted(times)[len(times) // 2]"),
            expect="compiling",
        ),
        Mutant(
            "a clock of its own",
            timing_loop().replace("clock()", '__import__("time").perf_counter()'),
            expect="never read",
        ),
        Mutant("sign", timing_loop(result="-sorted(times)[repeat // 2]"), expect="sign"),
        Mutant(
            "starts the clock once",
            timing_loop(
                before="run()\nsynchronize()\nstart = clock()",
                loop="run()\nsynchronize()\ntimes.append(clock() - start)",
            ),
            expect="started once",
        ),
        Mutant(
            "run without parentheses",
            timing_loop(before="run", loop=GOOD_LOOP.replace("run()", "run")),
            expect="parentheses",
        ),
    ),
    "02.3": (
        Mutant("a NumPy factor", one_line("gain(x, db)", "x * 10 ** (db / 20)"), expect="hands its dtype on"),
        Mutant(
            "cast back at the end",
            one_line("gain(x, db)", "(x * np.float64(10 ** (db / 20))).astype(x.dtype)"),
            expect="came in between",
        ),
        Mutant(
            "always float32",
            one_line("gain(x, db)", "(x * float(10 ** (db / 20))).astype(np.float32)"),
            expect="should be float64",
        ),
        Mutant(
            "np.float32 factor",
            one_line("gain(x, db)", "(x * np.float32(10 ** (db / 20))).astype(x.dtype)"),
            expect="came in between",
        ),
        Mutant("power, not amplitude", one_line("gain(x, db)", "x * float(10 ** (db / 10))"), expect="power"),
        Mutant(
            "whole-number division", one_line("gain(x, db)", "x * float(10 ** (db // 20))"), expect="`//`"
        ),
        Mutant(
            "float16 factor", one_line("gain(x, db)", "x * np.float16(10 ** (db / 20))"), expect="float16"
        ),
        Mutant("precedence", one_line("gain(x, db)", "x * float(10 ** db / 20)"), expect="comes before"),
        Mutant("base e", one_line("gain(x, db)", "x * float(np.exp(db / 20))"), expect="base is 10"),
        Mutant("sign", one_line("gain(x, db)", "x * float(10 ** (-db / 20))"), expect="sign"),
        Mutant(
            "in place",
            "def gain(x, db):\n    x *= float(10 ** (db / 20))\n    return x\n",
            expect="changes x itself",
        ),
        Mutant(
            "to the host", one_line("gain(x, db)", "x.get() * float(10 ** (db / 20))"), expect="device array"
        ),
    ),
    "02.4": (
        Mutant(
            "the one-line formula",
            one_line("cubic(x)", "2 * x**3 - 3 * x**2 + 0.5 * x + 1"),
            expect="arrays were made",
        ),
        Mutant(
            "Horner, but not in place",
            one_line("cubic(x)", "((2 * x - 3) * x + 0.5) * x + 1"),
            expect="arrays were made",
        ),
        Mutant(
            "a second name for x",
            "def cubic(x):\n    y = x\n    y *= 2\n    y -= 3\n"
            "    y *= x\n    y += 0.5\n    y *= x\n    y += 1\n    return y\n",
            expect="second name",
        ),
        Mutant(
            "one line not in place",
            horner("y -= 3", "y = y * x", "y += 0.5", "y *= x", "y += 1"),
            expect="2 arrays were made",
        ),
        Mutant(
            "wrong sign",
            horner("y += 3", "y *= x", "y += 0.5", "y *= x", "y += 1"),
            expect="wrong sign",
        ),
        Mutant(
            "stops early",
            horner("y -= 3", "y *= x", "y += 0.5"),
            expect="One step is missing",
        ),
        Mutant("forgets return", "def cubic(x):\n    y = 2 * x\n    y -= 3\n", expect="return"),
    ),
    "02.5": (
        Mutant(
            "always np",
            one_line("fade(x)", "x * np.linspace(0, 1, x.size, dtype=x.dtype)"),
            expect="still made with `np`",
        ),
        Mutant(
            "always cp",
            one_line("fade(x)", "x * cp.linspace(0, 1, x.size, dtype=x.dtype)"),
            expect="still made with `cp`",
        ),
        Mutant(
            "float64 ramp",
            fade("x * xp.linspace(0, 1, x.size)"),
            expect="dtype",
        ),
        Mutant(
            "everything to the device",
            "def fade(x):\n    x = cp.asarray(x)\n    return x * cp.linspace(0, 1, x.size, dtype=x.dtype)\n",
            expect="carried to the device",
        ),
        Mutant(
            "everything to the host",
            "def fade(x):\n    x = cp.asnumpy(x)\n    return x * np.linspace(0, 1, x.size, dtype=x.dtype)\n",
            expect="host",
        ),
        Mutant(
            "ramp made on the host and sent",
            fade("x * xp.asarray(np.linspace(0, 1, x.size, dtype=x.dtype))"),
            expect="copies",
        ),
        Mutant(
            "ramp always float32",
            fade("(x * xp.linspace(0, 1, x.size, dtype=np.float32)).astype(x.dtype)"),
            expect="7 digits",
        ),
        Mutant(
            "falls instead of rising",
            fade("x * xp.linspace(1, 0, x.size, dtype=x.dtype)"),
            expect="falls",
        ),
        Mutant(
            "never reaches 1",
            fade("x * (xp.arange(x.size, dtype=x.dtype) / x.size)"),
            expect="one step short of 1",
        ),
        Mutant(
            "in place",
            "def fade(x):\n    xp = cp.get_array_module(x)\n"
            "    x *= xp.linspace(0, 1, x.size, dtype=x.dtype)\n    return x\n",
            expect="changes x itself",
        ),
    ),
    "02.6": (
        Mutant(
            "float32 on the link",
            bill("4 * height * width", "8 * bins", "10"),
            expect="before `astype`",
        ),
        Mutant(
            "counts, not bytes",
            bill("height * width", "bins", "10"),
            expect="8 bytes",
        ),
        Mutant(
            "edges for counts",
            bill("height * width", "8 * (bins + 1)", "10"),
            expect="edges",
        ),
        Mutant(
            "the picture comes back",
            bill("height * width", "height * width", "10"),
            expect="only the counts",
        ),
        Mutant(
            "slices counted",
            bill("height * width", "8 * bins", "13"),
            expect="slices",
        ),
        Mutant(
            "transfers counted",
            bill("height * width", "8 * bins", "12"),
            expect="transfers",
        ),
        Mutant(
            "one overlooked",
            bill("height * width", "8 * bins", "9"),
            expect="One too few",
        ),
        Mutant(
            "two numbers",
            bill("height * width", "8 * bins"),
            expect="three numbers",
        ),
    ),
}
