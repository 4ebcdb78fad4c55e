"""Plausible wrong answers to the exercises of lesson 01, each with words that its message must contain."""

from tests.mutants.mutant import Mutant


def returning(signature, *lines):
    """The source of a function with the given signature and body."""
    return "\n    ".join([f"def {signature}:", *lines]) + "\n"


def speedup(*lines):
    return returning("speedup(p, n)", *lines)


def break_even(*lines):
    return returning("break_even(start_a, each_a, start_b, each_b)", *lines)


def intensity(**changed):
    right = {"saxpy": "2 / 12", "dot": "2 / 8", "blur": "9 / 8", "matmul": "2 * 1000**3 / (12 * 1000**2)"}
    rows = (f'    "{name}": {formula},' for name, formula in (right | changed).items())
    return "\n".join(["intensity = {", *rows, "}", ""])


def best_time(*lines):
    return returning("best_time(flops, bytes_moved, gflops_per_s, gbytes_per_s)", *lines)


def honest_speedup(*lines):
    return returning("honest_speedup(log)", *lines)


def cost_per_million(*lines):
    return returning("cost_per_million(watts, milliseconds, dollars_per_kwh)", *lines)


NEVER = 'if each_b >= each_a: return float("inf")'
CPU = 'cpu = np.median(log["cpu_us"][1:]) / log["cpu_pixels"]'
GPU = 'gpu = (np.median(log["gpu_ms"][1:]) + log["copy_ms"]) * 1000 / log["gpu_pixels"]'
RATIO = "return cpu / gpu"

MUTANTS = {
    "01.1": (
        Mutant("the new time", speedup("return (1 - p) + p / n"), "turn it over"),
        Mutant("the shares swapped", speedup("return 1 / (p + (1 - p) / n)"), "changed places"),
        Mutant("no parentheses", speedup("return 1 / (1 - p) + p / n"), "parentheses"),
        Mutant(
            "p = 1 taken for no end",
            speedup("return float('inf') if p == 1 else 1 / (1 - p + p / n)"),
            "divided whole",
        ),
        Mutant(
            "divided by 1 - p on the way", speedup("return 1 / (1 - p) * (1 - p) / (1 - p + p / n)"), "divides by zero"
        ),
        Mutant("1 / 1 first", speedup("return 1 / 1 - p + p / n"), "parentheses are missing"),
        Mutant("the limit", speedup("return 1 / (1 - p)"), "infinitely many workers"),
        Mutant("whole-number division", speedup("return 1 / ((1 - p) + p // n)"), "does not depend on n"),
        Mutant("no serial part", speedup("return 1 / (p / n)"), "serial part is missing"),
        Mutant("p times n", speedup("return p * n"), "Add up the new time first"),
        Mutant("n", speedup("return n"), "if everything could be divided"),
        Mutant(
            "the serial part divided too", speedup("return 1 / ((1 - p) / n + p / n)"), "not divided by n"
        ),
        Mutant("Gustafson", speedup("return 1 - p + n * p"), "Gustafson"),
        Mutant("percent in", speedup("return 1 / (1 - p / 100 + p / 100 / n)"), "not a percentage"),
        Mutant("percent out", speedup("return 100 / (1 - p + p / n)"), "in percent"),
        Mutant("time saved", speedup("return 1 - ((1 - p) + p / n)"), "time saved"),
        Mutant("efficiency", speedup("return 1 / ((1 - p) + p / n) / n"), "efficiency"),
        Mutant("printed", speedup("print(1 / ((1 - p) + p / n))"), "return"),
        Mutant(
            "arguments swapped",
            returning("speedup(n, p)", "return 1 / ((1 - p) + p / n)"),
            "parameters in another order",
        ),
        Mutant("rounded", speedup("return round(1 / ((1 - p) + p / n))"), "rounded"),
    ),
    "01.2": (
        Mutant("no unit", break_even(NEVER, "return (start_b - start_a) / (each_a - each_b)"), "factor 1000"),
        Mutant(
            "unit the wrong way",
            break_even(NEVER, "return (start_b - start_a) / 1000 / (each_a - each_b)"),
            "wrong side",
        ),
        Mutant(
            "no unit and no never",
            break_even("return (start_b - start_a) / (each_a - each_b)"),
            "factor 1000",
        ),
        Mutant(
            "sign", break_even(NEVER, "return 1000 * (start_a - start_b) / (each_a - each_b)"), "negative"
        ),
        Mutant(
            "never", break_even("return 1000 * (start_b - start_a) / (each_a - each_b)"), "never catches up"
        ),
        Mutant(
            "abs", break_even("return 1000 * abs((start_b - start_a) / (each_a - each_b))"), "abs() hides"
        ),
        Mutant(
            "never without equality",
            break_even(NEVER.replace(">=", ">"), "return 1000 * (start_b - start_a) / (each_a - each_b)"),
            "divides by zero",
        ),
        Mutant(
            "never is None",
            break_even("if each_b < each_a: return 1000 * (start_b - start_a) / (each_a - each_b)"),
            "None",
        ),
        Mutant(
            "never is 0",
            break_even(
                "if each_b >= each_a: return 0", "return 1000 * (start_b - start_a) / (each_a - each_b)"
            ),
            "B always wins",
        ),
        Mutant("start_a left out", break_even(NEVER, "return 1000 * start_b / (each_a - each_b)"), "start_a"),
        Mutant(
            "starts added",
            break_even(NEVER, "return 1000 * (start_a + start_b) / (each_a - each_b)"),
            "are added",
        ),
        Mutant(
            "slopes added",
            break_even(NEVER, "return 1000 * (start_b - start_a) / (each_a + each_b)"),
            "are added",
        ),
        Mutant(
            "upside down",
            break_even(NEVER, "return (each_a - each_b) / (1000 * (start_b - start_a))"),
            "upside down",
        ),
        Mutant(
            "only each_a", break_even(NEVER, "return 1000 * (start_b - start_a) / each_a"), "each_a alone"
        ),
        Mutant(
            "whole number",
            break_even(NEVER, "return 1000 * (start_b - start_a) // (each_a - each_b)"),
            "cut to a whole number",
        ),
        Mutant(
            "rounded up",
            break_even(NEVER, "return -(-1000 * (start_b - start_a) // (each_a - each_b))"),
            "rounded up",
        ),
    ),
    "01.3": (
        Mutant(
            "float64", intensity(saxpy="2 / 24", dot="2 / 16", blur="9 / 16", matmul="2000 / 24"), "float64"
        ),
        Mutant("values", intensity(saxpy="2 / 3", dot="2 / 2", blur="9 / 2", matmul="2000 / 3"), "4 bytes"),
        Mutant("upside down", intensity(saxpy="6", dot="4", blur="8 / 9", matmul="12 / 2000"), "upside down"),
        Mutant(
            "no results", intensity(saxpy="2 / 8", blur="9 / 4", matmul="2000 / 8"), "results are missing"
        ),
        Mutant(
            "multiply-add is one", intensity(saxpy="1 / 12", dot="1 / 8", matmul="1000 / 12"), "two FLOPs"
        ),
        Mutant("saxpy: y once", intensity(saxpy="2 / 8"), "either y is counted once"),
        Mutant("saxpy: a from memory", intensity(saxpy="2 / 16"), "`a` is one number"),
        Mutant("dot: a result each", intensity(dot="2 / 12"), "one number for the whole kernel"),
        Mutant("blur: nine reads", intensity(blur="9 / 40"), "cache"),
        Mutant("blur: no multiplication", intensity(blur="1"), "ninth operation"),
        Mutant("blur: nine products", intensity(blur="17 / 8"), "multiplied once"),
        Mutant("blur: nine additions", intensity(blur="10 / 8"), "8 additions"),
        Mutant("blur: nothing written", intensity(blur="9 / 4"), "each result is written once"),
        Mutant("matmul: two matrices", intensity(matmul="2000 / 8"), "two matrices"),
        Mutant("matmul: one product each", intensity(matmul="2 / 12"), "needs n of both"),
        Mutant("matmul: no re-use", intensity(matmul="2 / 8"), "crosses memory once"),
        Mutant("matmul: half", intensity(matmul="1000 / 12"), "half of what it should be"),
    ),
    "01.4": (
        Mutant(
            "only the traffic in ms",
            best_time("return max(flops / (gflops_per_s * 1e9), 1000 * bytes_moved / (gbytes_per_s * 1e9))"),
            "bring both to milliseconds",
        ),
        Mutant(
            "only the arithmetic in ms",
            best_time("return max(1000 * flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 1e9))"),
            "bring both to milliseconds",
        ),
        Mutant(
            "whole-number division",
            best_time("return max(flops // gflops_per_s, bytes_moved // gbytes_per_s) / 1e6"),
            "throws away",
        ),
        Mutant(
            "whole seconds",
            best_time("return 1000 * max(flops // (gflops_per_s * 1e9), bytes_moved // (gbytes_per_s * 1e9))"),
            "throws away",
        ),
        Mutant(
            "the bend in whole numbers",
            best_time(
                "if flops // bytes_moved >= gflops_per_s // gbytes_per_s: return flops / gflops_per_s / 1e6",
                "return bytes_moved / gbytes_per_s / 1e6",
            ),
            "just below the bend",
        ),
        Mutant(
            "added",
            best_time("return 1e-6 * (flops / gflops_per_s + bytes_moved / gbytes_per_s)"),
            "are added",
        ),
        Mutant(
            "the shorter",
            best_time("return 1e-6 * min(flops / gflops_per_s, bytes_moved / gbytes_per_s)"),
            "shorter of the two",
        ),
        Mutant("arithmetic only", best_time("return 1e-6 * flops / gflops_per_s"), "traffic is left out"),
        Mutant(
            "memory only", best_time("return 1e-6 * bytes_moved / gbytes_per_s"), "arithmetic is left out"
        ),
        Mutant(
            "seconds",
            best_time("return 1e-9 * max(flops / gflops_per_s, bytes_moved / gbytes_per_s)"),
            "in seconds",
        ),
        Mutant(
            "microseconds",
            best_time("return 1e-3 * max(flops / gflops_per_s, bytes_moved / gbytes_per_s)"),
            "in microseconds",
        ),
        Mutant(
            "no giga",
            best_time("return 1000 * max(flops / gflops_per_s, bytes_moved / gbytes_per_s)"),
            "Giga is missing",
        ),
        Mutant(
            "GiB",
            best_time(
                "return 1000 * max(flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 2**30))"
            ),
            "GiB",
        ),
        Mutant(
            "rates swapped",
            best_time("return 1e-6 * max(flops / gbytes_per_s, bytes_moved / gflops_per_s)"),
            "changed places",
        ),
        Mutant(
            "the rate",
            best_time("return min(gflops_per_s, gbytes_per_s * flops / bytes_moved)"),
            "rate that the roof allows",
        ),
        Mutant(
            "divided by 1000",
            best_time("return max(flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 1e9)) / 1000"),
            "more",
        ),
    ),
    "01.5": (
        Mutant(
            "the claim itself",
            honest_speedup('return np.mean(log["cpu_us"]) / np.mean(log["gpu_ms"])'),
            "5 flaws",
        ),
        Mutant(
            "first runs counted",
            honest_speedup(CPU.replace("[1:]", ""), GPU.replace("[1:]", ""), RATIO),
            "first",
        ),
        Mutant("GPU's first run counted", honest_speedup(CPU, GPU.replace("[1:]", ""), RATIO), "compilation"),
        Mutant("no copies", honest_speedup(CPU, GPU.replace('log["copy_ms"]', "0"), RATIO), "left out"),
        *(
            Mutant(
                f"copies added at the end{unit}",
                honest_speedup(
                    CPU,
                    f'gpu = np.median(log["gpu_ms"][1:]) * 1000 / log["gpu_pixels"] + log["copy_ms"]{unit}',
                    RATIO,
                ),
                "then divide by the pixels",
            )
            for unit in ("", " * 1000")
        ),
        Mutant("no unit", honest_speedup(CPU, GPU.replace("1000", "1"), RATIO), "one unit"),
        Mutant(
            "unit the wrong way", honest_speedup(CPU, GPU.replace("* 1000", "/ 1000"), RATIO), "wrong side"
        ),
        Mutant(
            "copies in another unit",
            honest_speedup(
                CPU,
                'gpu = (np.median(log["gpu_ms"][1:]) * 1000 + log["copy_ms"]) / log["gpu_pixels"]',
                RATIO,
            ),
            "a thousand times too little",
        ),
        Mutant(
            "the slowest left out",
            honest_speedup(
                'cpu = np.median(sorted(log["cpu_us"])[:-1]) / log["cpu_pixels"]',
                'gpu = (np.median(sorted(log["gpu_ms"])[:-1]) + log["copy_ms"]) * 1000 / log["gpu_pixels"]',
                RATIO,
            ),
            "slowest run is left out",
        ),
        Mutant(
            "the upper middle",
            honest_speedup(
                "middle = lambda runs: sorted(runs[1:])[len(runs[1:]) // 2]",
                CPU.replace('np.median(log["cpu_us"][1:])', 'middle(log["cpu_us"])'),
                GPU.replace('np.median(log["gpu_ms"][1:])', 'middle(log["gpu_ms"])'),
                RATIO,
            ),
            "mean of these two",
        ),
        Mutant(
            "four runs, however many there are",
            honest_speedup(CPU.replace("[1:]", "[1:5]"), GPU.replace("[1:]", "[1:5]"), RATIO),
            "log number 4",
        ),
        Mutant(
            "no pixels",
            honest_speedup(CPU.replace("cpu_pixels", "gpu_pixels"), GPU, RATIO),
            "did not do the same work",
        ),
        Mutant(
            "mean",
            honest_speedup(CPU.replace("median", "mean"), GPU.replace("median", "mean"), RATIO),
            "mean",
        ),
        Mutant("upside down", honest_speedup(CPU, GPU, "return gpu / cpu"), "upside down"),
        Mutant(
            "nothing but the copies forgotten and no pixels",
            honest_speedup('return np.median(log["cpu_us"][1:]) / (np.median(log["gpu_ms"][1:]) * 1000)'),
            "2 flaws",
        ),
    ),
    "01.6": (
        Mutant(
            "milliseconds as seconds",
            cost_per_million("return watts * milliseconds * 1e6 / 3.6e6 * dollars_per_kwh"),
            "milliseconds are taken for seconds",
        ),
        Mutant(
            "one picture, milliseconds as seconds",
            cost_per_million("return watts * milliseconds / 3.6e6 * dollars_per_kwh"),
            "or this is one picture",
        ),
        Mutant(
            "milliseconds times 1000",
            cost_per_million("return watts * milliseconds * 1000 * 1e6 / 3.6e6 * dollars_per_kwh"),
            "multiplied by 1000",
        ),
        Mutant(
            "one picture",
            cost_per_million("return watts * milliseconds / 1000 / 3.6e6 * dollars_per_kwh"),
            "cost of one picture",
        ),
        Mutant(
            "joules as kWh",
            cost_per_million("return watts * milliseconds / 1000 * 1e6 * dollars_per_kwh"),
            "joules times the price",
        ),
        Mutant(
            "watt-hours as kWh",
            cost_per_million("return watts * milliseconds / 1000 * 1e6 / 3600 * dollars_per_kwh"),
            "a thousand times too much",
        ),
        Mutant(
            "kilowatt-seconds",
            cost_per_million("return watts * milliseconds / 1000 * 1e6 / 1000 * dollars_per_kwh"),
            "An hour is missing",
        ),
        Mutant(
            "kilowatt-hours",
            cost_per_million("return watts * milliseconds / 1000 * 1e6 / 3.6e6"),
            "Multiply by the price",
        ),
        Mutant(
            "divided by the price",
            cost_per_million("return watts * milliseconds / 1000 * 1e6 / 3.6e6 / dollars_per_kwh"),
            "dearer",
        ),
        Mutant(
            "joules", cost_per_million("return watts * milliseconds / 1000 * 1e6"), "These are the joules"
        ),
        Mutant(
            "power over time",
            cost_per_million("return watts / (milliseconds / 1000) * 1e6 / 3.6e6 * dollars_per_kwh"),
            "power times time",
        ),
        Mutant(
            "cents",
            cost_per_million("return watts * milliseconds / 1000 * 1e6 / 3.6e6 * dollars_per_kwh * 100"),
            "cents",
        ),
    ),
}
