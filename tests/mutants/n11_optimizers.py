"""Plausible wrong answers to the exercises of lesson 11, each with words that its message must contain."""

from gpucourse.exercises import n11_optimizers as n11
from tests.mutants.mutant import Mutant, kernel


def momentum(*lines):
    return "def momentum_step(p, v, g, lr, b):\n" + "".join(f"    {line}\n" for line in lines)


def rmsprop(*lines):
    return "def rmsprop_step(p, s, g, lr, decay, eps):\n" + "".join(f"    {line}\n" for line in lines)


def adam(*replacements):
    return kernel(n11.ADAM.solution, *replacements)


def schedule(*replacements):
    return kernel(n11.SCHEDULE.solution, *replacements)


def fused(*replacements):
    return kernel(n11.FUSED_SOLUTION, *replacements)


def traffic(name, value):
    """The right dict of 11.5 with one value changed."""
    return f"traffic = {n11.TRAFFIC_DUE | {name: value}}\n"


MEAN = "s = decay * s + (1 - decay) * g**2"
STEP = "return p - lr * g / (s**0.5 + eps), s"
ANGLE = "np.cos(np.pi * done)"
WAY = "(step - warmup + 1) / (steps - warmup)"
STORED = "        v[i] = velocity;\n"
VELOCITY = "        float velocity = b * v[i] + g[i];\n"

MUTANTS = {
    "11.1": (
        Mutant("uphill", momentum("v = b * v + g", "return p + lr * v, v"), "uphill"),
        Mutant("old velocity", momentum("return p - lr * v, b * v + g"), "with the old velocity"),
        Mutant("rate twice", momentum("v = b * v + lr * g", "return p - lr * v, v"), "in there twice"),
        Mutant("rate in the velocity", momentum("v = b * v + lr * g", "return p - v, v"), "stands in the velocity"),
        Mutant("a book's signs", momentum("v = b * v - lr * g", "return p + v, v"), "points downhill"),
        Mutant("dampened", momentum("v = b * v + (1 - b) * g", "return p - lr * v, v"), "dampening"),
        Mutant("weights exchanged", momentum("v = (1 - b) * v + b * g", "return p - lr * v, v"), "changed places"),
        Mutant("b on the gradient", momentum("v = v + b * g", "return p - lr * v, v"), "multiplies the gradient"),
        Mutant("parentheses", momentum("v = b * (v + g)", "return p - lr * v, v"), "multiplies the sum"),
        Mutant("never fades", momentum("v = v + g", "return p - lr * v, v"), "kept whole"),
        Mutant("no memory", momentum("v = g", "return p - lr * v, v"), "no effect"),
        Mutant("steps with g", momentum("v = b * v + g", "return p - lr * g, v"), "as if there were no momentum"),
        Mutant("in place", momentum("v *= b", "v += g", "return p - lr * v, v"), "changes its argument v in place"),
        Mutant("all in place", momentum("v *= b", "v += g", "p -= lr * v", "return p, v"), "in place"),
        Mutant("p only", momentum("v = b * v + g", "return p - lr * v"), "should be a tuple"),
        Mutant("no rate", momentum("v = b * v + g", "return p - v, v"), "no learning rate"),
        Mutant("order of results", momentum("v = b * v + g", "return v, p - lr * v"), "wrong order"),
        Mutant("on the host", momentum("v = b * np.asarray(v.tolist()) + np.asarray(g.tolist())",
                                       "return np.asarray(p.tolist()) - lr * v, v"), "keep it on the device"),
        Mutant("float64", momentum("v = np.float64(b) * v + g", "return p - np.float64(lr) * v, v"), "dtype float32"),
        Mutant("exchanged", momentum("v = lr * v + g", "return p - b * v, v"), "changed places"),
        Mutant("sign of g", momentum("v = b * v - g", "return p - lr * v, v"), "wrong sign"),
        Mutant("downhill", momentum("v = b * v - g", "return p + lr * v, v"), "points downhill"),
        Mutant("p fades", momentum("v = b * v + g", "return b * p - lr * v, v"), "shrinks the parameters"),
        Mutant("fades twice", momentum("v = b * v + g", "return p - lr * b * v, v"), "fades it once more"),
        Mutant("nothing returned", momentum("v = b * v + g", "p = p - lr * v"), "`return` missing"),
    ),
    "11.2": (
        Mutant("eps inside", rmsprop(MEAN, "return p - lr * g / (s + eps)**0.5, s"), "inside the root"),
        Mutant("a sum", rmsprop("s = s + g**2", STEP), "This is AdaGrad"),
        Mutant("no root", rmsprop(MEAN, "return p - lr * g / (s + eps), s"), "root is missing"),
        Mutant("old mean", rmsprop("p = p - lr * g / (s**0.5 + eps)", MEAN, "return p, s"), "root of the old `s`"),
        Mutant("weights exchanged", rmsprop("s = (1 - decay) * s + decay * g**2", STEP), "changed places"),
        Mutant("no weight", rmsprop("s = decay * s + g**2", STEP), "with the weight `1 - decay`"),
        Mutant("no decay", rmsprop("s = s + (1 - decay) * g**2", STEP), "only grows"),
        Mutant("not squared", rmsprop("s = decay * s + (1 - decay) * abs(g)", STEP), "mean of the gradient's size"),
        Mutant("mean over elements", rmsprop("s = decay * s + (1 - decay) * (g**2).mean()", STEP), "over the elements"),
        Mutant("uphill", rmsprop(MEAN, "return p + lr * g / (s**0.5 + eps), s"), "uphill"),
        Mutant("no gradient", rmsprop(MEAN, "return p - lr / (s**0.5 + eps), s"), "no gradient in it"),
        Mutant("eps outside all", rmsprop(MEAN, "return p - (lr * g / s**0.5 + eps), s"), "added to the step"),
        Mutant("no eps", rmsprop(MEAN, "return p - lr * g / s**0.5, s"), "`eps` is missing"),
        Mutant("a floor", rmsprop(MEAN, "root = s**0.5", "return p - lr * g / (root + (eps - root) * (root < eps)), s"),
               "no lower bound"),
        Mutant("eps on p", rmsprop(MEAN, "return p - lr * g / s**0.5 + eps, s"), "added to the parameters"),
        Mutant("eps twice", rmsprop(MEAN, "return p - lr * g / ((s + eps)**0.5 + eps), s"), "in there twice"),
        Mutant("eps kept", rmsprop(MEAN + " + eps", "return p - lr * g / s**0.5, s"), "the `s` that is kept"),
        Mutant("rate on the root", rmsprop(MEAN, "return p - g / (s**0.5 / lr + eps), s"), "multiplied by the rate"),
        Mutant("no rate", rmsprop(MEAN, "return p - g / (s**0.5 + eps), s"), "no learning rate"),
        Mutant("square in the step", rmsprop(MEAN, "return p - lr * g**2 / (s**0.5 + eps), s"), "step takes g"),
        Mutant("sign lost", rmsprop(MEAN, "return p - lr * abs(g) / (s**0.5 + eps), s"), "lost the sign"),
        Mutant("square of a mean", rmsprop("s = (decay * s**0.5 + (1 - decay) * g)**2", STEP), "square of a mean"),
        Mutant("corrected", rmsprop(MEAN, "return p - lr * g / ((s / (1 - decay))**0.5 + eps), s"), "comes with Adam"),
        Mutant("p fades", rmsprop(MEAN, "return decay * p - lr * g / (s**0.5 + eps), s"), "shrinks the parameters"),
        Mutant("keeps the root", rmsprop(MEAN, "s = s**0.5", "return p - lr * g / (s + eps), s"),
               "comes back with it is the root"),
        Mutant("in place", rmsprop("s *= decay", "s += (1 - decay) * g**2", STEP), "in place"),
        Mutant("order of results", rmsprop(MEAN, "return s, p - lr * g / (s**0.5 + eps)"), "wrong order"),
    ),
    "11.3": (
        Mutant("no correction", adam(("(m / (1 - b1**t))", "m"), ("(s / (1 - b2**t)) **", "s **")), "Neither mean"),
        Mutant("mean only", adam(("(s / (1 - b2**t)) **", "s **")), "Only `m` is corrected"),
        Mutant("squares only", adam(("(m / (1 - b1**t))", "m")), "Only `s` is corrected"),
        Mutant("from 0", adam(("b1**t", "b1**(t - 1)"), ("b2**t", "b2**(t - 1)")), "steps from 0"),
        Mutant("one ahead", adam(("b1**t", "b1**(t + 1)"), ("b2**t", "b2**(t + 1)")), "one step ahead"),
        Mutant("no power", adam(("b1**t", "b1"), ("b2**t", "b2")), "the power t"),
        Mutant("times t", adam(("b1**t", "b1*t"), ("b2**t", "b2*t")), "should be a power"),
        Mutant("eps inside", adam(("** 0.5 + eps)", "+ eps) ** 0.5")), "inside the root"),
        Mutant("no root", adam(("** 0.5 + eps)", "+ eps)")), "root is missing"),
        Mutant("keeps the corrected", adam(("    step", "    m = m / (1 - b1**t)\n    s = s / (1 - b2**t)\n    step"),
                                           ("(m / (1 - b1**t)) / ((s / (1 - b2**t)) **", "m / (s **")),
               "a second time"),
        Mutant("exchanged", adam(("b1 * m + (1 - b1)", "b2 * m + (1 - b2)"), ("b2 * s + (1 - b2)", "b1 * s + (1 - b1)"),
                                 ("b1**t", "b2__t"), ("b2**t", "b1**t"), ("b2__t", "b2**t")), "changed places"),
        Mutant("gradient itself", adam(("(m / (1 - b1**t)) / (", "g / (")), "RMSprop with a correction"),
        Mutant("square of the mean", adam(("(1 - b2) * g**2", "(1 - b2) * m**2")), "square of the mean"),
        Mutant("multiplies", adam(("m / (1 - b1**t)", "m * (1 - b1**t)"), ("s / (1 - b2**t)", "s * (1 - b2**t)")),
               "are multiplied"),
        Mutant("corrects outside the root",
               adam(("((s / (1 - b2**t)) ** 0.5 + eps)", "(s ** 0.5 / (1 - b2**t) + eps)")),
               "outside the root"),
        Mutant("b1 for both", adam(("b2**t", "b1**t")), "corrected with `b1`"),
        Mutant("b2 for both", adam(("b1**t", "b2**t")), "corrected with `b2`"),
        Mutant("corrections exchanged", adam(("b1**t", "b2__t"), ("b2**t", "b1**t"), ("b2__t", "b2**t")),
               "two corrections have changed places"),
        Mutant("b to the t", adam(("(1 - b1**t)", "b1**t"), ("(1 - b2**t)", "b2**t")), "still missing"),
        Mutant("momentum's m", adam(("(1 - b1) * g", "g")), "as in momentum"),
        Mutant("a sum of squares", adam(("(1 - b2) * g**2", "g**2")), "counts in full"),
        Mutant("m's weights exchanged", adam(("b1 * m + (1 - b1) * g", "(1 - b1) * m + b1 * g")), "In `m` the two"),
        Mutant("s's weights exchanged", adam(("b2 * s + (1 - b2) * g**2", "(1 - b2) * s + b2 * g**2")),
               "In `s` the two"),
        Mutant("size for square", adam(("g**2", "abs(g)")), "should take its square"),
        Mutant("order of results", adam(("step, m, s", "step, s, m")), "wrong order"),
        Mutant("no rate", adam(("lr * step", "step")), "no learning rate"),
        Mutant("eps first", adam(("((s / (1 - b2**t)) ** 0.5 + eps)", "((s**0.5 + eps) / (1 - b2**t) ** 0.5)")),
               "before `s` is corrected"),
        Mutant("eps on p", adam((" + eps)", ")"), ("lr * step", "lr * step + eps")), "added to the parameters"),
        Mutant("old means in the step",
               adam(("    m = b1", "    new = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g**2\n    k = b1"),
                    ("    s = b2", "    l = b2"), ("step, m, s", "step, *new")), "old means are corrected"),
        Mutant("float64", adam(("lr * step", "np.float64(lr) * step")), "dtype float32"),
        Mutant("uphill", adam(("p - lr", "p + lr")), "uphill"),
        Mutant("in place",
               adam(("    m = b1 * m + (1 - b1) * g\n", "    m *= b1\n    m += (1 - b1) * g\n")), "in place"),
    ),
    "11.4": (
        Mutant("from zero", schedule(("peak * (step + 1) / warmup", "peak * step / warmup")), "warmup is off by one"),
        Mutant("never the peak", schedule(("(step + 1) / warmup", "(step + 1) / (warmup + 1)")), "ends below the peak"),
        Mutant("never zero", schedule((WAY, "(step - warmup) / (steps - warmup)")), "does not come to 0"),
        Mutant("peak twice", schedule((WAY, "(step - warmup) / (steps - warmup - 1)")), "peak comes twice"),
        Mutant("from step 0", schedule((WAY, "(step + 1) / steps")), "counts from step 0"),
        Mutant("of all steps", schedule((WAY, "(step - warmup + 1) / steps")), "divided by all steps"),
        Mutant("degrees", schedule((ANGLE, "np.cos(180 * done)")), "radians"),
        Mutant("no pi", schedule((ANGLE, "np.cos(done)")), "from 0 to 1 only"),
        Mutant("a whole cosine", schedule((ANGLE, "np.cos(2 * np.pi * done)")), "whole cosine"),
        Mutant("a quarter", schedule((f"(1 + {ANGLE}) / 2", "np.cos(np.pi / 2 * done)")), "quarter of a cosine"),
        Mutant("twice", schedule((f"(1 + {ANGLE}) / 2", f"(1 + {ANGLE})")), "twice what it should be"),
        Mutant("climbs", schedule((f"(1 + {ANGLE}) / 2", ANGLE)), "a negative learning rate"),
        Mutant("turned round", schedule((f"(1 + {ANGLE})", f"(1 - {ANGLE})")), "turned round"),
        Mutant("a line", schedule((f"(1 + {ANGLE}) / 2", "(1 - done)")), "straight line"),
        Mutant("no warmup", schedule(("peak * (step + 1) / warmup", "peak")), "no warmup"),
        Mutant("warmup of 0", schedule(("step < warmup", "step <= warmup")), "for a warmup of 0"),
        Mutant("a step too many", schedule(("step < warmup", "0 < warmup and step <= warmup")), "one step too many"),
        Mutant("a step too many, guarded",
               schedule(("step < warmup", "step <= warmup"), ("/ warmup", "/ max(warmup, 1)")), "one step too many"),
        Mutant("whole numbers", schedule(("peak * (step + 1) / warmup", "peak * ((step + 1) // warmup)")), "`//`"),
        Mutant("no peak", schedule(("peak * ", "")), "`peak` is missing"),
        Mutant("not at 0", schedule((WAY, "(step - warmup + 1) / (steps - warmup + 1)")), "without + 1"),
        Mutant("ahead", schedule((WAY, "(step - warmup + 2) / (steps - warmup)")), "one step ahead"),
        Mutant("a sine", schedule((ANGLE, "np.sin(np.pi * done)")), "a sine"),
        Mutant("the smaller", schedule(("    if step < warmup:\n        return peak * (step + 1) / warmup\n", ""),
                                       ("return peak", "return min(peak * (step + 1) / max(warmup, 1), peak"),
                                       ("/ 2", "/ 2)")), "The smaller of line and cosine"),
        Mutant("the product", schedule(("    if step < warmup:\n        return peak * (step + 1) / warmup\n", ""),
                                       ("return peak", "return min((step + 1) / max(warmup, 1), 1) * peak")),
               "the line alone"),
    ),
    "11.5": (
        Mutant("arrays, not reads", traffic("momentum, unfused: read", 3), "nothing stays in registers"),
        Mutant("one an operation", traffic("momentum, unfused: read", 4), "two of them read two arrays"),
        Mutant("in place is free", traffic("momentum, unfused: written", 1), "writes, too"),
        Mutant("arrays, not writes", traffic("momentum, unfused: written", 3), "v is written twice"),
        Mutant("p is not read", traffic("momentum, fused: read", 2), "three arrays"),
        Mutant("v in a register", traffic("momentum, fused: written", 1), "registers end with the kernel"),
        Mutant("no gradient", traffic("Adam, fused: read", 3), "four arrays"),
        Mutant("gradient written", traffic("Adam, fused: written", 4), "as it is"),
        Mutant("passes for bytes", traffic("Adam, fused: bytes a parameter", 7), "arrays read and written"),
        Mutant("float64", traffic("Adam, fused: bytes a parameter", 56), "float64"),
        Mutant("a number read", traffic("momentum, unfused: read", 7), "are numbers"),
        Mutant("v fetched again", traffic("momentum, fused: read", 4), "still in a register"),
        Mutant("fetched after the stores", traffic("Adam, fused: read", 6), "after the means are stored"),
        Mutant("corrected means stored", traffic("Adam, fused: written", 5), "no arrays here"),
        Mutant("eight arrays", traffic("Adam, fused: bytes a parameter", 32), "eight arrays"),
        Mutant("what is kept", traffic("Adam, fused: bytes a parameter", 8), "what Adam remembers"),
        Mutant("reads only", traffic("Adam, fused: bytes a parameter", 16), "written counts, too"),
    ),
    "11.6": (
        Mutant("no guard", fused(("    if (i < n) {", "    {")), "the guard"),
        Mutant("uphill", fused(("p[i] -=", "p[i] +=")), "uphill"),
        Mutant("old velocity", fused((VELOCITY, "        p[i] -= lr * v[i];\n" + VELOCITY),
                                     ("        p[i] -= lr * velocity;\n", "")), "old velocity"),
        Mutant("dampened", fused(("+ g[i]", "+ (1 - b) * g[i]")), "multiplied by 1 - b"),
        Mutant("rate twice", fused(("+ g[i]", "+ lr * g[i]")), "in there twice"),
        Mutant("rate in the velocity", fused(("+ g[i]", "+ lr * g[i]"), ("lr * velocity", "velocity")),
               "belongs to the step"),
        Mutant("never stored", fused((STORED, "")), "was never stored"),
        Mutant("gradient alone", fused(("lr * velocity", "lr * g[i]")), "along the gradient alone"),
        Mutant("no memory", fused(("b * v[i] + g[i]", "g[i]")), "no effect"),
        Mutant("p overwritten", fused(("p[i] -= lr", "p[i] = -lr")), "the step alone"),
        Mutant("stored first, then again", fused((VELOCITY + STORED, "        v[i] = b * v[i] + g[i];\n"),
                                                 ("lr * velocity", "lr * (b * v[i] + g[i])")), "renewed twice"),
        Mutant("reads again", fused((VELOCITY + STORED, ""), ("p[i] -= lr * velocity;\n",
                                    "p[i] -= lr * (b * v[i] + g[i]);\n        v[i] = b * v[i] + g[i];\n")),
               "read again after a store"),
        Mutant("stores twice", fused((VELOCITY + STORED, "        v[i] *= b;\n        v[i] += g[i];\n"),
                                     ("lr * velocity", "lr * v[i]")), "something is stored twice"),
        Mutant("a piece for each thread",
               fused(("    if (i < n) {", "    int all = gridDim.x * blockDim.x, size = (n + all - 1) / all * 4;\n"
                      "    for (int j = i * size; j < (i + 1) * size && j < n; j++) {"), ("v[i]", "v[j]"),
                     ("g[i]", "g[j]"), ("p[i]", "p[j]")), "side by side"),
        Mutant("exchanged", fused(("b * v[i]", "lr * v[i]"), ("lr * velocity", "b * velocity")), "changed places"),
        Mutant("fades twice", fused(("b * v[i]", "b * b * v[i]")), "fades twice"),
        Mutant("an int", fused(("float velocity", "int velocity")), "whole numbers"),
        Mutant("the block's stride", fused(("    if (i < n) {", "    for (; i < n; i += blockDim.x) {")),
               "goes on by `blockDim.x`"),
        Mutant("index of the block only",
               fused(("blockIdx.x * blockDim.x + threadIdx.x", "threadIdx.x")), "different for every thread"),
    ),
}  # fmt: skip
