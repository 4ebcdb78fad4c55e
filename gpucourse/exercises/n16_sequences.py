"""The exercises of lesson 16: a way back through time, a GRU's gates, windows, leaks, a metric, attention, chunks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises import guard
from gpucourse.exercises.cases import Case, Trap
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.outcome import Wrong
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.probes import Ask, by_probes
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.values import is_choice

Array = Any
WEEK = 168    # hours

# -- 16.1 -------------------------------------------------------------------------------------------


def rnn_back(dy: Array, x: Array, h: Array, w_x: Array, w_h: Array) -> tuple[Array, Array, Array]:
    """dL/dw_x, dL/dw_h and dL/dh[0] for h[t + 1] = tanh(w_x x[t] + w_h h[t]) and dy[t], L's own part in h[t + 1]."""
    return _back("", dy, x, h, w_x, w_h)


def _back(fault: str, dy: Array, x: Array, h: Array, w_x: Array, w_h: Array) -> tuple[Array, Array, Array]:
    """`rnn_back`, with a fault of BACK_FAULTS."""
    dw_x, dw_h, later = 0 * w_x, 0 * w_h, 0 * h[0]
    steps = range(int(fault == "not to the first"), len(x) - int(fault == "not from the last"))
    for t in steps if fault == "forward" else reversed(steps):
        own = _own(fault, dy, t)
        dh = own if fault == "no future" else own + later
        da = dh * _slope(fault, h, t)
        keep = 0 if fault == "last one kept" else 1
        state, row = h[t + 1] if fault == "state after" else h[t], x[t - 1 if fault == "input before" else t]
        dw_x, dw_h = keep * dw_x + np.outer(da, row), keep * dw_h + np.outer(da, state)
        back = {"not turned": w_h, "without w_h": np.eye(len(w_h))}.get(fault, w_h.T)
        sent = {"around the tanh": dh, "one step back": own * _slope(fault, h, t)}.get(fault, da)
        later = (later if fault == "piled up" else 0) + back @ sent
    several = len(x) if fault == "mean" else 1
    return dw_x / several, dw_h / several, later + (dy[0] if fault == "own part too early" else 0)


def _own(fault: str, dy: Array, t: int) -> Array:
    """The loss's own part in the state that step t makes."""
    if fault == "only last" and t < len(dy) - 1:
        return 0 * dy[t]
    return dy[min(t + 1, len(dy) - 1) if fault == "own part too early" else t]


def _slope(fault: str, h: Array, t: int) -> Array:
    slopes = {"no slope": 1 + 0 * h[t], "slope before": 1 - h[t] ** 2, "half a slope": 1 - h[t + 1],
              "slope of sigmoid": h[t + 1] * (1 - h[t + 1]),
              "tanh again": 1 - np.tanh(h[t + 1]) ** 2}  # fmt: skip
    return slopes.get(fault, 1 - h[t + 1] ** 2)


BACK_FAULTS = {
    "no future": "Each step gets its own dy[t] only. h[t + 1] also acts on all later steps, through w_h: what comes "
                 "back from step t + 1 must be added.",
    "only last": "Only the last step's dy is there. Every h has its own part in the loss: add dy[t] at each step.",
    "no slope": "tanh is missing on the way back: multiply by its derivative, 1 - h[t + 1]².",
    "slope before": "The derivative of tanh is taken at the state *before* the step, h[t]. The tanh of step t gave "
                    "h[t + 1].",
    "half a slope": "The derivative of tanh is 1 minus the *square* of its result.",
    "slope of sigmoid": "h(1 - h) is the derivative of a sigmoid. That of tanh is 1 - h².",
    "not turned": "The gradient goes back through w_h as it came, not through its transpose: `w_h.T @ …`.",
    "around the tanh": "What goes back to h[t] is the gradient behind the tanh. It must pass the derivative of the "
                       "tanh first, then the transposed w_h.",
    "piled up": "What comes back from later steps is never put away: it is added up over all steps. It is used once, "
                "at the step before, and then replaced.",
    "forward": "The steps are gone through from the first to the last. What step t needs comes from step t + 1: begin "
               "at the end.",
    "last one kept": "The weights' gradient is that of one step: each step overwrites what the others gave. All of "
                     "them used the same weights, so add.",
    "tanh again": "h[t + 1] is the result of tanh already; tanh is taken of it once more. Its derivative is 1 - h[t + "
                  "1]².",
    "not to the first": "The loop ends before step 0. That step, too, used the weights, and leads to h[0].",
    "not from the last": "The loop leaves out the last step, len(x) - 1. It made the last state, and dy has a row for "
                         "it.",
    "input before": "dL/dw_x takes the input of the step before, x[t - 1]. Step t has read x[t].",
    "mean": "The weights' gradients are divided by the number of steps. They are sums: each step adds its own.",
    "without w_h": "What goes back to h[t] has not passed w_h. h[t] came into step t through it: transposed, it leads "
                   "back.",
    "own part too early": "dy[t] is added to the gradient of h[t]. It is the loss's own part in h[t + 1]: add it "
                          "before step t is gone back through.",
    "one step back": "What goes back is dy[t]'s part only; what came from later steps ends after one step. Send on "
                     "both.",
}  # fmt: skip


def _telling(traps: Iterable[Trap], untold: Collection[int]) -> tuple[Trap, ...]:
    """Leave out traps, by their places, that give in one part what is right, or what an earlier trap gives."""
    return tuple(trap for place, trap in enumerate(traps) if place not in untold)


def _back_traps(part: int, *more: Trap) -> tuple[Trap, ...]:
    known = (Trap(lambda *args, fault=fault: _back(fault, *args)[part], why) for fault, why in BACK_FAULTS.items())
    return (*known, *more)


def _backs(sizes: Sequence[tuple[int, int, int]]) -> Callable[..., list[Case]]:
    """Cases of (steps, inputs, size), with states that come from the recursion itself."""
    def cases(rng: np.random.Generator) -> list[Case]:
        found = []
        for steps, inputs, size in sizes:
            x, w_x = rng.standard_normal((steps, inputs)), rng.standard_normal((size, inputs)) / 2
            w_h, h = rng.standard_normal((size, size)) / 2, [rng.uniform(-0.5, 0.5, size)]
            for row in x:
                h.append(np.tanh(w_x @ row + w_h @ h[-1]))
            about = f"{steps} steps of {inputs} inputs, a state of {size}"
            found.append(Case(rng.standard_normal((steps, size)), x, np.array(h), w_x, w_h, about=about))
        return found

    return cases


BACK_STUB = '''def rnn_back(dy, x, h, w_x, w_h):
    """The gradients of the weights, and of the state at the beginning."""
    dw_x, dw_h, dfirst = ..., ..., ...
    return dw_x, dw_h, dfirst
'''
BACK_SOLUTION = '''def rnn_back(dy, x, h, w_x, w_h):
    """The gradients of the weights, and of the state at the beginning."""
    dw_x, dw_h = np.zeros_like(w_x), np.zeros_like(w_h)
    later = np.zeros_like(h[0])                     # what comes back from the step after
    for t in reversed(range(len(x))):
        da = (dy[t] + later) * (1 - h[t + 1] ** 2)
        dw_x += np.outer(da, x[t])
        dw_h += np.outer(da, h[t])
        later = w_h.T @ da
    dfirst = later
    return dw_x, dw_h, dfirst
'''

BACK = Problem(
    id="16.1",
    title="Back through time",
    task=(
        "An RNN has made its steps h[t + 1] = tanh(w_x @ x[t] + w_h @ h[t]). Go back from the last step to the first "
        "and compute the gradients of both weights and of the state that it began with."
    ),
    spec=(
        "One example: `x` (steps, inputs), `h` (steps + 1, size) with the first state in `h[0]`, `w_x` (size, inputs), "
        "`w_h` (size, size). `dy[t]`, of (steps, size), is what the loss says about h[t + 1] directly, without what "
        "comes through later steps. Returns dL/dw_x, dL/dw_h and dL/dh[0], shapes as those of w_x, w_h and h[0]."
    ),
    stub=BACK_STUB,
    answer="rnn_back",
    lines=8,
    hints=(
        "h[t + 1] acts on the loss in two ways: directly, and through step t + 1. Both gradients are added before "
        "anything else is done with them.",
        "At each step: add up what arrives at h[t + 1], pass the tanh (its result is h[t + 1] itself), add to both "
        "weights the product of that with what the weight was multiplied by, and send it on through w_h to h[t].",
        "With `later` zero at first: `for t in reversed(range(len(x))): da = (dy[t] + later) * (1 - ___ ** 2)`; `dw_x "
        "+= np.outer(da, ___)`, `dw_h += np.outer(da, ___)`, `later = ___ @ da`",
    ),
    solution=BACK_SOLUTION,
    why=(
        "The same weights are used at every step, so each step adds to their gradient. And what comes back from later "
        "steps has been multiplied by w_h.T once for each step of its way: this product decides how far back a network "
        "can learn."
    ),
    judge=by_parts(
        rnn_back,
        [_backs([(3, 3, 3), (4, 2, 2)]), _backs([(1, 2, 3), (5, 4, 2), (3, 1, 4)])],
        {
            "dL/dw_x": _back_traps(
                0,
                Trap(lambda *args: rnn_back(*args)[1], "This is dL/dw_h. The results are dL/dw_x, dL/dw_h, dL/dh[0], "
                                                       "in this order."),
                Trap(lambda *args: rnn_back(*args)[0].T, "dL/dw_x has its axes exchanged: row i belongs to number i of "
                                                         "the state."),
            ),
            "dL/dw_h": _telling((
                Trap(lambda *args: _back("state after", *args)[1],
                     "dL/dw_h takes the state *after* each step, h[t + 1]. w_h was multiplied by the one before it, "
                     "h[t]."),
                *_back_traps(1, Trap(lambda *args: rnn_back(*args)[1].T, "dL/dw_h has its axes exchanged: row i "
                                     "belongs to number i of the *next* state.")),
            ), {15}),
            "dL/dh[0]": _telling((
                Trap(lambda dy, x, h, w_x, w_h: rnn_back(dy[1:], x[1:], h[1:], w_x, w_h)[2] + dy[0],
                     "This is what arrives at h[1]. h[0] lies one step further back: through the tanh and through "
                     "w_h."),
                Trap(lambda dy, x, h, w_x, w_h: (rnn_back(dy[1:], x[1:], h[1:], w_x, w_h)[2] + dy[0])
                                                * (1 - h[1] ** 2),
                     "This is the gradient behind the tanh of step 0. On its way to h[0] it still has to pass w_h."),
                Trap(lambda dy, x, h, w_x, w_h: rnn_back(dy[1:], x[1:], h[1:], w_x, w_h)[2],
                     "This is what step 1 sends back to h[1]. h[0] lies one step further back: add dy[0], pass the "
                     "tanh, pass w_h."),
                Trap(lambda dy, *args: rnn_back(dy, *args)[2] + dy[0],
                     "dy[0] is added to the gradient of h[0]. It is the loss's own part in h[1], and has come through "
                     "step 0 already."),
                Trap(lambda dy, x, h, w_x, w_h: 0 * h[0],
                     "dL/dh[0] is 0 here. What step 0 sends back through the tanh and w_h is the answer."),
                *_back_traps(2),
            ), {12, 15, 17, 19, 20, 23}),
        },
        rtol=1e-5,
        atol=1e-9,
    ),
)  # fmt: skip

# -- 16.2 -------------------------------------------------------------------------------------------

GATES_STUB = '''gru_gates = cp.RawKernel(r"""
extern "C" __global__
void gru_gates(const float* a, const float* b, const float* h, float* out, int n, int size)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;     // one number of one example's state
    int row = i / size, k = i % size;

}
""", "gru_gates")
'''
_GATES_BODY = """    if (i < n * size) {
        const float* x = a + row * 3 * size + k;
        const float* y = b + row * 3 * size + k;
        float r = 1 / (1 + expf(-(x[0] + y[0])));
        float z = 1 / (1 + expf(-(x[size] + y[size])));
        float candidate = tanhf(x[2 * size] + r * y[2 * size]);
        out[i] = (1 - z) * candidate + z * h[i];
    }
"""
GATES_SOLUTION = GATES_STUB.replace("size;\n\n", "size;\n" + _GATES_BODY)


def make_gates(rng: np.random.Generator) -> Sequence[Launch]:
    """States of one number and of many, grids that end in the middle of an example, blocks of several sizes."""
    shapes = ((7, 20, 64), (3, 1, 32), (1, 130, 32), (5, 32, 160), (50, 9, 128))
    return timed_at(lambda: _gates(rng, 4096, 512, 256), [_gates(rng, *shape) for shape in shapes])


def _gates(rng: np.random.Generator, n: int, size: int, threads: int) -> Launch:
    a, b = (rng.uniform(-2, 2, (n, 3 * size)).astype(np.float32) for _ in range(2))
    h = rng.uniform(-1, 1, (n, size)).astype(np.float32)
    args = {"a": a, "b": b, "h": h, "out": blank((n, size)), "n": np.int32(n), "size": np.int32(size)}
    grid = -(-n * size // threads)
    words = f"{n} examples with a state of {size}, {grid} blocks of {threads}"
    return Launch((grid,), (threads,), args, {"out": _next_state(a, b, h)}, rtol=1e-4, atol=1e-5, extent=(n * size,),
                  words=words)  # fmt: skip


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _next_state(a: Array, b: Array, h: Array, order: str = "rzn", fault: str = "") -> Array:
    """(1 - z) n + z h, n = tanh(a_n + r b_n), the gates in that order in a and b; or with a fault of GATE_FAULTS."""
    of_a, of_b = (dict(zip(order, np.split(both, 3, axis=1), strict=True)) for both in (a, b))
    r, z = (_gate(fault, gate, of_a[gate], of_b[gate]) for gate in "rz")
    h = h[np.arange(len(h)) * (fault != "first state")]
    plain = of_a["n"] + of_b["n"]
    inner = {"r on the old only": plain, "both": r * plain, "input": r * of_a["n"] + of_b["n"], "no r": plain,
             "state": of_a["n"] + r * h}.get(fault, of_a["n"] + r * of_b["n"])
    new = {"no tanh": inner, "sigmoid": _sigmoid(inner)}.get(fault, np.tanh(inner))
    ways = {"turned": z * new + (1 - z) * h, "no old": (1 - z) * new, "whole new": new + z * h, "new": new,
            "r for z": (1 - r) * new + r * h, "whole old": (1 - z) * new + h,
            "r on the old": (1 - z) * new + z * r * h,
            "r on the old only": (1 - z) * new + z * r * h}  # fmt: skip
    return ways.get(fault, (1 - z) * new + z * h).astype(np.float32)


def _gate(fault: str, gate: str, a: Array, b: Array) -> Array:
    """The gate r or z, from the parts of a and b that belong to it."""
    if fault in (f"tanh {gate}", "tanh rz"):
        return np.tanh(a + b)
    if fault in (f"loose {gate}", "loose rz"):
        return 1 + np.exp(-(a + b))
    if fault in (f"whole {gate}", "whole rz"):
        return np.trunc(1 / (1 + np.trunc(np.exp(-(a + b)))))
    s = {"sign": -(a + b), "a only": a, "b only": b, f"minus {gate}": a - b, "minus rz": a - b}.get(fault, a + b)
    return s if fault == "no sigmoid" else _sigmoid(s)


def _gate_trap(message: str, order: str = "rzn", fault: str = "") -> KernelTrap:
    def outputs(launch: Launch) -> dict[str, Any]:
        with np.errstate(all="ignore"):
            return {"out": _next_state(launch.args["a"], launch.args["b"], launch.args["h"], order, fault)}

    return KernelTrap(outputs, message)


def _interleaved(launch: Launch) -> dict[str, Any]:
    """The three gates of a number side by side: index 3 i + gate."""
    n, size = launch.args["h"].shape
    a, b = (launch.args[name].reshape(n, size, 3).transpose(0, 2, 1).reshape(n, 3 * size) for name in "ab")
    return {"out": _next_state(a, b, launch.args["h"])}


def _three_blocks(launch: Launch) -> dict[str, Any]:
    """All r of all examples first, then all z, then all n: index gate · n · size + i."""
    n, size = launch.args["h"].shape
    a, b = (launch.args[name].reshape(3, n, size).transpose(1, 0, 2).reshape(n, 3 * size) for name in "ab")
    return {"out": _next_state(a, b, launch.args["h"])}


def _first_row(launch: Launch) -> dict[str, Any]:
    a, b = (np.broadcast_to(launch.args[name][:1], launch.args[name].shape) for name in "ab")
    return {"out": _next_state(a, b, launch.args["h"])}


def _shared_start(launch: Launch) -> dict[str, Any]:
    """A row of a and b that begins size further on for each example, not three times that."""
    n, size = launch.args["h"].shape
    at = np.arange(n)[:, None] * size + np.arange(3 * size)
    a, b = (launch.args[name].ravel()[at] for name in "ab")
    return {"out": _next_state(a, b, launch.args["h"])}


GATES = Problem(
    id="16.2",
    title="All gates in one kernel",
    task=(
        "Both matrix products of a GRU's step have been made: a = x W_xᵀ + b_x and b = h W_hᵀ + b_h. What is left of "
        "the step, three gates and the new state, is a row of launches in array code; write it as one kernel, one "
        "thread for each number of the state."
    ),
    spec=(
        "`a`, `b`: floats (n, 3 · size), in each row first all of r, then all of z, then all of the candidate c (in "
        "section 3's LSTM c was the memory); `h`, `out`: floats (n, size). r = σ(a_r + b_r), z = σ(a_z + b_z), c = "
        "tanh(a_c + r · b_c), out = (1 - z) · c + z · h. The grid may have more threads than there are numbers; `expf` "
        "and `tanhf` are there."
    ),
    stub=GATES_STUB,
    answer="gru_gates",
    lines=8,
    hints=(
        "A thread needs six numbers of a and b, three of each, and one of h. Where does row `row` of a begin, and how "
        "far apart are number k of r and number k of z?",
        "Row `row` of a begins at `row * 3 * size`; its parts begin there, `size` further on and `2 * size` further "
        "on. σ(s) is `1 / (1 + expf(-s))`. And what should a thread beyond the last number do?",
        "`if (i < ___) { int at = row * 3 * size + k; float r = 1 / (1 + expf(-(a[at] + b[at]))); float z = … "
        "a[at + ___] …; float c = tanhf(a[at + ___] + r * ___); out[i] = (1 - z) * ___ + z * ___; }`",
    ),
    solution=GATES_SOLUTION,
    why=(
        "Every number is read once and the gates live in registers, so nothing between the products and the new state "
        "ever goes to memory. Such a fusion is what torch.compile makes; cuDNN goes further and has several steps in "
        "a launch."
    ),
    judge=by_launches(
        make_gates,
        traps=(
            _gate_trap("z keeps the *old* state here, and 1 - z takes the new one: the two have changed places.",
                       fault="turned"),
            _gate_trap("r and z have changed places: the first part of a row is r.", "zrn"),
            _gate_trap("The candidate is taken from the second part of a row, and z from the third. It is r, z, c.",
                       "rnz"),
            _gate_trap("The parts of a row are read as c, r, z or so. Their order is r, z, c.", "nrz"),
            _gate_trap("The parts of a row are read in the reverse order. It is r, z, c.", "nzr"),
            _gate_trap("r multiplies the whole sum. Here it opens the way of the old state alone: a_c + r · b_c.",
                       fault="both"),
            _gate_trap("r multiplies a_c, which comes from the input. It belongs to b_c, which comes from the state.",
                       fault="input"),
            _gate_trap("r is computed and not used: the candidate is tanh(a_c + r · b_c).", fault="no r"),
            _gate_trap("r multiplies h itself. Here it multiplies b_c, in which W_h is already.", fault="state"),
            _gate_trap("The exponent of the sigmoid has the wrong sign: σ(s) is 1 / (1 + exp(-s)).", fault="sign"),
            _gate_trap("r and z are sums still. The sigmoid is missing.", fault="no sigmoid"),
            _gate_trap("tanh is missing: the candidate must lie between -1 and 1.", fault="no tanh"),
            _gate_trap("The candidate goes through a sigmoid, as if it were a gate. It goes through tanh.",
                       fault="sigmoid"),
            _gate_trap("The old state is missing: z · h has to be added.", fault="no old"),
            _gate_trap("The candidate comes in full. It has the weight 1 - z.", fault="whole new"),
            _gate_trap("`out` is the candidate. How much of the old state stays, z says.", fault="new"),
            _gate_trap("Old and new are mixed by r. That is what z is for.", fault="r for z"),
            _gate_trap("The old state comes in full. It has the weight z.", fault="whole old"),
            *(_gate_trap("r multiplies the old state in the mixture. It belongs to b_c alone, inside the tanh.",
                         fault=fault) for fault in ("r on the old", "r on the old only")),
            _gate_trap("r and z come from a alone. The sum a + b goes through the sigmoid.", fault="a only"),
            _gate_trap("r and z come from b alone. The sum a + b goes through the sigmoid.", fault="b only"),
            *(_gate_trap("The sigmoid is computed with whole numbers: a cast to int cuts off what is behind the point.",
                         fault=f"whole {which}") for which in ("r", "z", "rz")),
            _gate_trap("All examples take the state of the first: h has a row for each of them, at index `i`.",
                       fault="first state"),
            *(_gate_trap("A gate goes through tanh, as if it were the candidate. Gates go through the sigmoid.",
                         fault=f"tanh {which}") for which in ("r", "z", "rz")),
            *(_gate_trap("`1 / 1 + e` is 1 + e: the sum below the line needs parentheses.", fault=f"loose {which}")
              for which in ("r", "z", "rz")),
            *(_gate_trap("The minus in the exponent reaches a only: σ is taken of a - b. Put the sum in parentheses.",
                         fault=f"minus {which}") for which in ("r", "z", "rz")),
            KernelTrap(_interleaved, "The three gates are read as if they lay side by side for each number, at "
                                     "`3 * i`. In a row first come all of r, then all of z, then all of c."),
            KernelTrap(_three_blocks, "The gates are read as if all examples' r came first, then all z. Each *row* has "
                                      "its three parts: a row begins at `row * 3 * size`."),
            KernelTrap(_first_row, "All examples read the first row of a and b: `row` is missing in the index."),
            KernelTrap(_shared_start, "Row `row` of a is looked for at `row * size`. A row has 3 · size numbers."),
        ),
        limits=(
            Limit("global_load_requests", lambda launch: 8 * 32 * -(-launch.args["h"].size // 32),
                  "a, b and h are read by {found} requests of warps where {limit} would be plenty: seven numbers a "
                  "thread are enough."),
        ),
        once=True,
    ),
)  # fmt: skip

# -- 16.3 -------------------------------------------------------------------------------------------


def windows(values: Array, length: int, ahead: int) -> tuple[Array, Array]:
    """All windows (m, length) without a gap, and the value `ahead` hours after the last of each (m,), not missing."""
    return _cut(values, length, ahead)


def _cut(values: Array, length: int, ahead: int, fault: str = "", as_many: bool = True) -> tuple[Array, Array]:
    """`windows`, with a fault of WINDOW_FAULTS, and `as_many` as there should be or all that the target allows."""
    values = _made_whole(values, fault)
    target = {"inside": length - 2 + ahead, "one late": length + ahead, "fixed": length,
              "first": ahead - 1, "within": ahead}.get(fault, length - 1 + ahead)
    after = max(target, length - 1, length - 1 + ahead if as_many else 0)
    begins = range(0, len(values) - after, length if fault == "no overlap" else 1)
    if fault == "last lost":
        begins = begins[:-1]
    shift, more = ahead if fault == "moved on" else 0, ahead if fault == "too long" else 0
    rows = np.stack([values[i + shift : i + shift + length + more] for i in begins])
    ends = np.array([values[i + target] for i in begins])
    if fault == "filled":
        return np.nan_to_num(rows), np.nan_to_num(ends)
    kept = _whole(values, rows, ends, begins, target, fault)
    return (rows[kept][:, ::-1] if fault == "turned" else rows[kept]), ends[kept]


def _made_whole(values: Array, fault: str) -> Array:
    """The series with its gaps taken out or filled, by a fault; as it is by all others."""
    known = np.flatnonzero(~np.isnan(values))
    if fault == "squeezed":
        return values[known]
    if fault == "a line":
        return np.interp(np.arange(len(values)), known, values[known]).astype(np.float32)
    if fault == "the hour before":
        last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
        return np.where(last < 0, np.nan, values[last]).astype(np.float32)
    return values


def _whole(values: Array, rows: Array, ends: Array, begins: Sequence[int], target: int, fault: str) -> Array:
    """Which windows are kept."""
    inside, after = ~np.isnan(rows).any(axis=1), ~np.isnan(ends)
    strict = np.array([not np.isnan(values[i : i + target + 1]).any() for i in begins])
    last = ~np.isnan(rows[:, -1])
    return {"kept": inside | True, "target unseen": inside, "window unseen": after, "too strict": strict,
            "last only": last & after, "all of it": ~np.isnan(rows).all(axis=1) & after,
            "ends only": last & after & ~np.isnan(rows[:, 0]), "stops": np.logical_and.accumulate(inside & after),
            "no zeros": inside & after & rows.all(axis=1),
            "no zeros at all": inside & after & rows.all(axis=1) & (ends != 0),
            }.get(fault, inside & after)  # fmt: skip


WINDOW_FAULTS = {
    "squeezed": "The missing hours have been taken out first, and then windows were cut: so some of them bridge a gap, "
                "and what looks like the next hour may be weeks later. Cut first, then leave out.",
    "filled": "Missing values have become 0. A road without a record is no road without cars: leave these windows "
              "out.",
    "kept": "There are windows with nan in them, or with nan to forecast. One nan makes every weight nan. Leave them "
            "out.",
    "target unseen": "Windows are kept whose target is missing: each needs every hour of its own and a known target. "
                     "One mask, of both conditions, picks from x and from y.",
    "window unseen": "There is nan in a window: not only the target must be known, but every hour of the window.",
    "too strict": "Windows are left out that have no gap: what lies *between* the window and its target may be "
                  "missing.",
    "last only": "Only the window's last hour has been looked at. Every hour of a window must be known.",
    "all of it": "Windows are left out only if all of their hours are missing. One is enough.",
    "last lost": "The last window is missing, the one whose target is the last value of the series: is the count one "
                 "too small, or the target an hour too late? With ahead = 1 it is the hour right behind the window.",
    "no overlap": "Each window begins where the one before it ends. Let one begin at every hour.",
    "turned": "The hours of each window run backwards: the first column is the oldest.",
    "inside": "The value to forecast is the hour before the right one; with ahead = 1 it is the last of the window "
              "itself, so the network would be given the answer. `ahead` is counted from the last hour of the window.",
    "one late": "The value to forecast lies an hour too late: with ahead = 1 it is the hour right behind the window.",
    "fixed": "The value to forecast is always the hour right behind the window, whatever `ahead` is.",
    "first": "`ahead` is counted from the beginning of the window. Count it from the window's last hour.",
    "within": "The value to forecast lies `ahead` hours after the window's *first* hour, so within the window: the "
              "network would be given the answer. Count from its last hour.",
    "moved on": "Each window begins `ahead` hours too late and ends with the value that it has to forecast: the "
                "network is given the answer. It should end `ahead` hours before.",
    "too long": "Each window is `ahead` hours too long and holds the value that it has to forecast: the network is "
                "given the answer.",
    "a line": "Gaps are filled by straight lines. Nobody has measured these values, and a line knows how the gap will "
              "end. Leave the windows out.",
    "the hour before": "Gaps are filled with the last value before them, which nobody has measured. Leave the windows "
                       "out.",
    "ends only": "Only the first and the last hour of a window have been looked at. Every hour between must be known, "
                 "too.",
    "stops": "No window comes after the first gap. Leave out those that it has spoiled, and go on.",
    "no zeros": "Windows with a 0 in them are left out. Here 0 is a value like others; missing is what is nan.",
    "no zeros at all": "Windows with a 0, or with a 0 to forecast, are left out. Here 0 is a value like others; "
                       "missing is what is nan.",
}  # fmt: skip


def _rolled(values: Array, length: int, ahead: int) -> Array:
    """The windows, and those that run over the end of the series into its beginning."""
    x = np.stack([np.roll(values, -k) for k in range(length)], axis=1)
    return x[~np.isnan(x).any(axis=1) & ~np.isnan(np.roll(values, 1 - length - ahead))]


def _series(rng: np.random.Generator, n: int, *gaps: slice) -> Array:
    values = rng.uniform(100, 900, n).round(1).astype(np.float32)
    for gap in gaps:
        values[gap] = np.nan
    return values


def _full_series(rng: np.random.Generator) -> list[Case]:
    shapes = ((12, 4, 1), (15, 3, 3), (9, 5, 2), (8, 5, 1))
    return [Case(_series(rng, n), length, ahead, about=f"{n} hours without a gap") for n, length, ahead in shapes]


def _series_with_zeros(rng: np.random.Generator) -> list[Case]:
    values = _series(rng, 20, slice(12, 13))
    values[[5, 18]] = 0
    return [Case(values, 3, 1, about="two hours are 0, one is missing")]


def _broken_series(rng: np.random.Generator) -> list[Case]:
    return [
        Case(_series(rng, 20, slice(8, 9)), 4, 1, about="one hour is missing"),
        Case(_series(rng, 30, slice(5, 7), slice(17, 18)), 3, 3, about="two gaps, 3 hours ahead"),
        Case(_series(rng, 24, slice(0, 2), slice(12, 17)), 5, 2, about="the first hours are missing, and some later"),
        Case(_series(rng, 12, slice(0, 6)), 5, 1, about="one window is left"),
    ]


def _window_traps(part: int, *more: Trap) -> tuple[Trap, ...]:
    known = (Trap(lambda *args, how=(fault, as_many): _cut(*args, *how)[part], why)
             for fault, why in WINDOW_FAULTS.items() for as_many in (True, False))  # fmt: skip
    return _telling((*known, *more), ({28}, {20, 21, 34, 35})[part])


WINDOWS = Problem(
    id="16.3",
    title="Windows without a gap",
    task=(
        "Cut a series into windows and the values to forecast from them. Leave out what a gap has spoiled, and give no "
        "window the value that it has to forecast."
    ),
    spec=(
        "`values` is a float32 NumPy array (n,), one value an hour, nan where it is missing. Returns `x` (m, length) "
        "and `y` (m,), float32. A window is `length` hours in a row and may begin at any hour; its target is the value "
        "`ahead` hours after its last hour (1 is the next hour). All pairs without a nan, in the order of time: row i "
        "of x and number i of y. Hours between window and target may be missing, and a 0 is a value like others. Some "
        "window is always left."
    ),
    stub=(
        "def windows(values, length, ahead):\n"
        '    """The windows without a gap, and what is to be forecast from each."""\n'
        "    x, y = ..., ...\n"
        "    return x, y\n"
    ),
    answer="windows",
    lines=5,
    hints=(
        "First cut all windows of the series as it is, gaps and all, so that neighbors in a window are neighbors in "
        "time. Only then decide which to keep.",
        "`np.lib.stride_tricks.sliding_window_view(values, length)` has all windows; the target of window i is "
        "`values[i + length - 1 + ahead]`, so the last windows have none. A mask of two conditions picks the rest.",
        "`x = sliding_window_view(values, length)[: len(values) - ___]`, `y = values[length - 1 + ahead :]`, `kept = "
        "~np.isnan(x).any(axis=___) & ___`",
    ),
    solution='''def windows(values, length, ahead):
    """The windows without a gap, and what is to be forecast from each."""
    count = len(values) - length - ahead + 1
    x = np.lib.stride_tricks.sliding_window_view(values, length)[:count]
    y = values[length - 1 + ahead :]
    kept = ~np.isnan(x).any(axis=1) & ~np.isnan(y)
    x, y = x[kept], y[kept]
    return x, y
''',
    why=(
        "An hour's place in the array is its place in time, so cutting must come before leaving out. With ahead = 1 a "
        "gap of g hours inside the series costs length + g windows, and no value has been invented."
    ),
    judge=by_parts(windows, [_full_series, _broken_series, _series_with_zeros],
                   {"x": _window_traps(0, Trap(lambda *a: windows(*a)[1], "x and y have changed places."),
                                       Trap(_rolled, "The last windows run over the end of the series into its "
                                                     "beginning: `np.roll` brings back at one end what leaves at the "
                                                     "other.")),
                    "y": _window_traps(1, Trap(lambda *a: windows(*a)[0][:, -1], "y is the last hour of each window. "
                                                                                 "It is `ahead` hours later."),
                                       Trap(lambda *a: windows(*a)[1][:, None], "y has an axis too many: (m,) is asked "
                                                                                "for."))}),
)  # fmt: skip

# -- 16.4 -------------------------------------------------------------------------------------------

LINES = tuple("abcdefghij")
INNOCENT = {
    "a": "Line a marks zeros as missing. Each hour is looked at by itself, so nothing is learned from other hours.",
    "d": "Line d is a value of the past: a week before the hour to forecast it was known.",
    "e": "Line e is the clock and the calendar of the hour to forecast. These are known years ahead.",
    "g": "Line g cuts windows of the past and what follows them. Which part they then come into is another line's "
         "fault.",
    "h": "Line h changes the order in which windows are trained with, not that of the hours within them, and only "
         "among those to train with.",
    "j": "Line j turns scaled errors into cars. That is a factor, and it must be done.",
}  # fmt: skip
_GUILTY = {"b", "c", "f", "i"}
_NUDGES = (
    ({"b"}, "Think of an hour that was filled in: from which hours does its value come?"),
    ({"c"}, "Of which hours are the mean and the spread?"),
    ({"f"}, "Which hours may come to lie on both sides of the split?"),
    ({"i"}, "Who chooses, and by what?"),
)
_chosen = is_choice(_GUILTY, LINES, INNOCENT)


def _guilty(answer: Any, *, name: str = "your answer") -> None:
    """Say where to look for the missing ones; everything else is told by the choice."""
    try:
        _chosen(answer, name=name)
    except Wrong as wrong:
        named = set(answer) if isinstance(answer, set | frozenset | list | tuple) else set()
        nudge = next((text for lines, text in _NUDGES if lines - named), "")
        about_missing = "missing from" in str(wrong)
        raise Wrong(f"{wrong} {nudge}" if about_missing else str(wrong)) from None


LEAKS = Problem(
    id="16.4",
    title="A forecast that knows too much",
    task=(
        "This program reports an error for the next hour that nobody has reached since. Which lines let the network, "
        "or whoever chose it, know something of the future?\n\n"
        "a. `values[values == 0] = nan`, since the road is never empty\n\n"
        "b. fill each gap of the series by a straight line between its two ends\n\n"
        "c. `scaled = (values - values.mean()) / values.std()`\n\n"
        "d. for each hour: the value 168 hours before the hour to forecast\n\n"
        "e. for each hour: the hour of the day and the day of the week of the hour to forecast\n\n"
        "f. put a fifth of all windows, drawn at random, aside as the test set\n\n"
        "g. (before line f) cut windows of 24 hours at every hour, each with the hour after it as its target\n\n"
        "h. in each epoch, train with the windows that are left in a new order\n\n"
        "i. of 30 settings keep the one with the smallest error on the test set\n\n"
        "j. report that smallest error times `values.std()`"
    ),
    spec="`leaks` is a set of small letters, each as a string; a list or a tuple of them will do, too.",
    stub="leaks = ...\n",
    answer="leaks",
    lines=1,
    hints=(
        "Imagine that it is noon, and you forecast one o'clock. Which lines compute something that you cannot know at "
        "noon?",
        "Four lines. One makes values of hours from hours on both sides; one uses all hours for two numbers; after one "
        "of them the test's hours stand in windows to train with; one chooses.",
        "Not: a line that looks at single hours, at the past, at the calendar or at the order of training; not a "
        "factor. That leaves ___.",
    ),
    solution='leaks = {"b", "c", "f", "i"}\n',
    why=(
        "b: a value in the middle of a filled gap knows where the gap will end. c: mean and spread come from the "
        "test's hours, too. f: neighboring windows share 23 of 24 hours, so a window drawn at random has nearly the "
        "same ones among those to train with. i: a setting chosen by the test has seen it. Innocent: a looks at single "
        "hours, j is a factor, d looks at the past, e at the calendar, h mixes only what is trained with; g cuts, and "
        "who comes into which part is decided in f. Split by time, before anything is computed from values, and choose "
        "by the validation months."
    ),
    judge=_guilty,
)

# -- 16.5 -------------------------------------------------------------------------------------------


def errors(forecast: Array, values: Array, at: Array, mean: float, spread: float) -> tuple[float, float]:
    """The mean absolute error of the forecast and of "the same hour last week", in the values' unit, on equal hours."""
    return _errors("", forecast, values, at, mean, spread)


def _errors(fault: str, forecast: Array, values: Array, at: Array, mean: float, spread: float) -> tuple[float, float]:
    """`errors`, with a fault of ERROR_FAULTS."""
    at = at[0] + np.arange(len(at)) if fault == "in a row" else at
    truth = values[at]
    lag = {"day": 24, "week of hours": 167, "seven": 7}.get(fault, WEEK)
    before = values[at + WEEK] if fault == "next week" else values[at - lag]
    before = np.roll(truth, WEEK) if fault == "rolled" else before
    before = truth[np.maximum(np.arange(len(at)) - WEEK, 0)] if fault == "by place" else before
    shown = _shown(fault, forecast, values, mean, spread)
    if fault == "scaled":
        truth, before = (truth - mean) / spread, (before - mean) / spread
    if fault == "scaled twice":
        truth, before = truth * spread + mean, before * spread + mean
    ours, weekly = shown - truth, before - truth
    known = np.isfinite(ours) & np.isfinite(weekly)
    if fault == "apart":
        return _mean(abs(ours[np.isfinite(ours)])), _mean(abs(weekly[np.isfinite(weekly)]))
    if fault == "zeros":
        return _mean(abs(np.nan_to_num(shown) - np.nan_to_num(truth))), _mean(
            abs(np.nan_to_num(before) - np.nan_to_num(truth)))  # fmt: skip
    if fault == "nan as 0":
        return float(np.nansum(abs(ours))) / len(at), float(np.nansum(abs(weekly))) / len(at)
    of_both = [part if fault == "nan" else part[known] for part in (ours, weekly)]
    summary: Callable[[Array], float] = {
        "signed": _mean, "squared": lambda e: _mean(e**2), "root": lambda e: _mean(e**2) ** 0.5,
        "sum": lambda e: len(e) * _mean(abs(e)), "median": lambda e: float(np.median(abs(e))),
        "of all": lambda e: len(e) * _mean(abs(e)) / len(at),
        "percent": lambda e: 100 * _mean(abs(e) / truth[known]), "shares": lambda e: _mean(abs(e) / truth[known]),
        "of means": lambda e: abs(_mean(e)),
    }.get(fault, lambda e: _mean(abs(e)))  # fmt: skip
    return summary(of_both[0]), summary(of_both[1])


def _shown(fault: str, forecast: Array, values: Array, mean: float, spread: float) -> Array:
    """The forecast in real units, or what a fault takes for it."""
    ways = {
        "scaled": forecast, "left scaled": forecast, "no mean": forecast * spread, "divided": forecast / spread + mean,
        "mean first": (forecast + mean) * spread, "minus": forecast * spread - mean, "turned": forecast * mean + spread,
        "its own": forecast * np.nanstd(values) + np.nanmean(values),
    }  # fmt: skip
    return ways.get(fault, forecast * spread + mean)


def _mean(numbers: Array) -> float:
    return float(np.mean(numbers))


ERROR_FAULTS = {
    "scaled": "The error is that of scaled values: 0.1 of what? Put the forecast back into cars (times `spread`, plus "
              "`mean`) before you compare.",
    "left scaled": "The forecast is scaled still, and is compared with a truth in cars. Put it back first: times "
                   "`spread`, plus `mean`.",
    "apart": "The forecast's error is also over hours whose value a week before is missing, where last week has no "
             "forecast. Who is spared the hard hours looks better: use the hours in which the value and that of a week "
             "before are both known.",
    "nan": "nan in one hour makes the mean nan. Leave out the hours in which a value is missing, for both alike.",
    "zeros": "A missing value has become 0, and 0 cars were not counted there. Leave these hours out, for both.",
    "signed": "Errors above and below cancel out here: the absolute value is missing.",
    "squared": "These are mean *squares*, in cars². The mean absolute error is asked for.",
    "root": "This is the root of the mean square. The mean absolute error is asked for.",
    "sum": "These are sums. Divide by the number of hours.",
    "nan as 0": "An hour without a value counts as an hour without an error: the sum leaves it out, but it is divided "
                "by all of `at`.",
    "of all": "The sum is divided by all of `at`, also by the hours that were left out.",
    "median": "This is the median of the errors. Their mean is asked for.",
    "no mean": "The forecast is multiplied by `spread`, but `mean` has not been added.",
    "mean first": "Scaling was (value - mean) / spread. Undo it in the reverse order: first times `spread`, then plus "
                  "`mean`.",
    "divided": "Scaling divided by `spread`. To undo it, multiply.",
    "day": "This is the same hour *yesterday*. A Monday is not like a Sunday: a week has 168 hours.",
    "week of hours": "This is an hour off: a week has 168 hours.",
    "seven": "This is 7 hours before. The values are hourly: a week has 168 of them.",
    "next week": "This is the same hour *next* week, which nobody knows yet.",
    "rolled": "A week is counted within `at`, as if it held all hours one after the other. Take the week before in "
              "`values`, at the index at - 168.",
    "by place": "A week is counted within `at`, as if it held all hours one after the other. Take the week before in "
                "`values`, at the index at - 168.",
    "in a row": "The hours are taken as if `at` had no gaps, one after the other from `at[0]`. Take `values[at]`.",
    "scaled twice": "`values` are in real units already; only the forecast is scaled.",
    "minus": "`mean` is subtracted. Scaling has subtracted it; to undo it, add.",
    "turned": "`mean` and `spread` have changed places: times `spread`, plus `mean`.",
    "its own": "The forecast is put back by the mean and spread of `values`. It was scaled by those that are handed "
               "over.",
    "of means": "The absolute value is taken of the mean. Errors above and below have canceled out by then: take it of "
                "each error.",
    "percent": "This is an error in percent of the truth. It is asked for in the unit of the series.",
    "shares": "This is an error as a share of the truth. It is asked for in the unit of the series.",
}  # fmt: skip


def _forecasts(gaps: bool) -> Callable[..., list[Case]]:
    def cases(rng: np.random.Generator) -> list[Case]:
        found = []
        for n, m, mean, spread in ((600, 40, 3000.0, 1900.0), (500, 25, 0.05, 0.06)):
            values = (mean + spread * np.sin(np.arange(n) / 24 * 2 * np.pi) + spread * rng.normal(0, 0.3, n))
            at = np.sort(rng.choice(np.arange(WEEK + 1, n - WEEK), m, replace=False))
            forecast = (values[at] - mean) / spread + rng.normal(0.05, 0.2, m)
            if gaps:
                values[at[3:6]], values[at[9:14] - WEEK] = np.nan, np.nan
            about = f"{m} hours{', some unknown' * gaps}, mean {mean:g}, spread {spread:g}"
            found.append(Case(forecast, values, at, mean, spread, about=about))
        return found

    return cases


def _error_traps(part: int, *more: Trap) -> tuple[Trap, ...]:
    known = (Trap(lambda *args, fault=fault: _errors(fault, *args)[part], why) for fault, why in ERROR_FAULTS.items())
    return _telling((*more, *known), ({21, 23}, {4, 5, 13, 15, 16, 17, 26, 27, 28})[part])


ERRORS = Problem(
    id="16.5",
    title="Cars, and the same hours for both",
    task=(
        'Compare a forecast with "the same hour last week" by the mean absolute error, in the unit of the series. Both '
        "must be judged by the same hours."
    ),
    spec=(
        "`values` (n,) are in real units, nan where missing; `at` (m,) holds the indices of the hours that were "
        "forecast, each at least 168; `forecast` (m,) is scaled: (value - mean) / spread. Returns `model` and "
        "`weekly`, two floats: means over the hours in `at` whose value and whose value a week before are both known."
    ),
    stub=(
        "def errors(forecast, values, at, mean, spread):\n"
        '    """The mean absolute error of the forecast and of the same hour last week, in real units."""\n'
        "    model, weekly = ..., ...\n"
        "    return model, weekly\n"
    ),
    answer="errors",
    lines=4,
    hints=(
        "What was shifted and scaled must be put back first. Then there are three numbers for each hour: the truth, "
        "the forecast, and last week's value.",
        "`values[at]` is the truth, `values[at - 168]` last week's. One mask says in which hours both are known, and "
        "both means go over the hours of this mask.",
        "`truth, before = values[at], values[at - 168]`, `known = ~np.isnan(truth) & ~np.isnan(___)`, `model = "
        "np.abs(forecast * ___ + ___ - truth)[known].mean()`",
    ),
    solution='''def errors(forecast, values, at, mean, spread):
    """The mean absolute error of the forecast and of the same hour last week, in real units."""
    truth, before = values[at], values[at - 168]
    known = ~np.isnan(truth) & ~np.isnan(before)
    model = np.abs(forecast * spread + mean - truth)[known].mean()
    weekly = np.abs(before - truth)[known].mean()
    return model, weekly
''',
    why=(
        "An error in units of the spread cannot be told to anybody, and changes when the spread does. And hours around "
        "a gap are often the hard ones: a method that may skip them needs no skill to look good."
    ),
    judge=by_parts(
        errors, [_forecasts(False), _forecasts(True)],
        {
            "model": _error_traps(
                0,
                Trap(lambda *args: errors(*args)[1], "model and weekly have changed places."),
                Trap(lambda f, values, at, mean, spread: _mean(abs(f * spread + mean - values[at - WEEK])[
                    np.isfinite(values[at]) & np.isfinite(values[at - WEEK])]),
                     "model compares the forecast with *last week*. Compare it with the truth."),
                Trap(lambda f, values, at, mean, spread: errors(f, values, at, mean, spread)[0] + mean,
                     "`mean` is added to the error. It belongs to the forecast; in a difference it is gone."),
            ),
            "weekly": _error_traps(
                1,
                Trap(lambda *args: errors(*args)[0], "weekly is the error of the forecast once more."),
                Trap(lambda f, values, at, mean, spread: _mean(abs(f * spread + mean - values[at - WEEK])[
                    np.isfinite(values[at]) & np.isfinite(values[at - WEEK])]),
                     "weekly compares last week with the *forecast*. It is a forecast itself: compare it with the "
                     "truth."),
                Trap(lambda f, values, at, mean, spread: float(np.nanmean(abs(values[WEEK:] - values[:-WEEK]))),
                     "weekly is a mean over the whole series. It should be over the hours in `at`."),
            ),
        },
        dtype=False,
    ),
)  # fmt: skip

# -- 16.6 -------------------------------------------------------------------------------------------


def attend(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
    """Attention weights (steps, steps), 0 for later steps, and the mixed values (steps, size)."""
    return _attend("", q, k, v)


def _attend(fault: str, q: Array, k: Array, v: Array) -> tuple[Array, Array]:
    """`attend`, with a fault of ATTENTION_FAULTS."""
    steps, size = q.shape
    scale = {"no root": size, "not scaled": 1.0, "by steps": steps**0.5, "multiplied": size**-0.5}.get(fault, size**0.5)
    scores = {"keys ask": k @ q.T, "queries twice": q @ q.T, "keys twice": k @ k.T}.get(fault, q @ k.T) / scale
    scores = abs(scores) if fault == "absolute" else 0 * scores if fault == "plain mean" else scores
    seen = {"all": np.ones((steps, steps)), "turned": np.triu(np.ones((steps, steps))),
            "not itself": np.tril(np.ones((steps, steps)), -1), "one ahead": np.tril(np.ones((steps, steps)), 1),
            "itself": np.eye(steps)}.get(fault, np.tril(np.ones((steps, steps)))) > 0  # fmt: skip
    axis = 0 if fault == "columns" else 1
    if fault in ("masked after", "masked by 0"):
        weights = _softmax(scores if fault == "masked after" else scores * seen, axis)
        weights = weights * seen if fault == "masked after" else weights
    else:
        weights = _OTHER_SOFTMAX.get(fault, _softmax)(np.where(seen, scores, -np.inf), axis)
    if fault == "zeros first":
        before = np.where(np.tri(steps, k=-1) > 0, scores, -np.inf)[1:]
        weights = np.concatenate([np.zeros((1, steps)), _softmax(before, 1)])
    mixed = weights.T @ v if fault == "turned mix" else weights @ v
    return weights, mixed


def _softmax(scores: Array, axis: int) -> Array:
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _powers(scores: Array) -> Array:
    return np.exp(scores - scores.max(axis=1, keepdims=True))


def _shares(powers: Array) -> Array:
    return powers / powers.sum(axis=1, keepdims=True)


# of scores in which the future is -infinity, and an axis that does not matter
_OTHER_SOFTMAX: dict[str, Callable[[Array, int], Array]] = {
    "one for all": lambda scores, _: np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum(),
    "one sum": lambda scores, _: _powers(scores) / _powers(scores).sum(),
    "not divided": lambda scores, _: _powers(scores),
    "sums turned": lambda scores, _: _powers(scores) / _powers(scores).sum(axis=1),
    "largest turned": lambda scores, _: _shares(np.exp(scores - scores.max(axis=1))),
    "nan": lambda scores, _: np.full(scores.shape, np.nan),
}


def _of_other_largest(q: Array, k: Array, v: Array, way: str) -> Array:
    """The weights where the largest score is not that of the scores that a row may see; nan where all powers are 0."""
    seen, scores = np.tril(np.ones((len(q), len(q)))) > 0, q @ k.T / q.shape[1] ** 0.5
    largest = {"seen": scores[seen].max(), "all": scores.max(), "row": scores.max(axis=1, keepdims=True)}.get(way, 0)
    shown = np.minimum(scores, 80) if way == "cut off" else scores
    powers = np.exp(shown - largest) * seen
    return powers / powers.sum(axis=1, keepdims=True)


def _not_low_enough(low: float) -> Callable[..., Array]:
    def weights(q: Array, k: Array, v: Array) -> Array:
        return _softmax(np.where(np.tril(np.ones((len(q), len(q)))) > 0, q @ k.T / q.shape[1] ** 0.5, low), 1)

    return weights


def _naive(q: Array, k: Array, v: Array, mask_first: bool = True) -> Array:
    """The weights without the largest score subtracted."""
    seen, scores = np.tril(np.ones((len(q), len(q)))) > 0, q @ k.T / q.shape[1] ** 0.5
    powers = np.exp(np.where(seen, scores, -np.inf)) if mask_first else np.exp(scores) * seen
    return powers / powers.sum(axis=1, keepdims=True)


_OVERFLOW = (
    "exp of a score in the hundreds is infinite, and of a very negative one 0, so the weights become nan. Subtract "
    "each row's largest score before exp."
)
ATTENTION_FAULTS = {
    "all": "Every step sees all steps, those that come later as well: a model that must say what comes next would "
           "read it off. Shut them out.",
    "turned": "The mask is the wrong way round: each step sees itself and what comes *later*.",
    "not itself": "A step does not see itself. It may: what it must forecast is the step after it.",
    "one ahead": "Each step sees one step of the future: the diagonal of the mask is off by one.",
    "masked after": "The mask comes after the softmax: the weights of the future are 0, but those that are left add up "
                    "to less than 1. Shut the future out before, by a score of -infinity.",
    "masked by 0": "A score of 0 is no mask: exp(0) is 1, so the future gets a weight. Its score must be -infinity.",
    "not scaled": "The scores are not divided by √size.",
    "no root": "The scores are divided by size, not by its root.",
    "by steps": "The scores are divided by the root of the number of steps. It is that of size, the length of a query.",
    "multiplied": "The scores are multiplied by √size. Divide.",
    "columns": "The softmax runs down the columns. The weights of a step, a row, should add up to 1.",
    "keys ask": "Queries and keys have changed places: row t belongs to the query of step t, so `q @ k.T`.",
    "itself": "Each step sees itself only. The steps before it count, too.",
    "zeros first": "A step does not see itself. It may: what it must forecast is the step after it, and the first step "
                   "has nobody else to look at.",
    "queries twice": "Queries are scored against queries: the keys, k, are not used.",
    "keys twice": "Keys are scored against keys: the queries, q, are not used.",
    "absolute": "The absolute value of the scores is taken. A score below 0 means less than one of 0.",
    "plain mean": "All steps that are seen have the same weight: the scores are not used.",
    "one for all": "There is one softmax over the whole table. Each row is a softmax of its own and adds up to 1.",
    "one sum": "All powers are divided by the sum of the whole table. Each row adds up to 1 by itself.",
    "not divided": "The powers are not divided by their sum. The weights of a step add up to 1.",
    "sums turned": "Each column is divided by a sum, not each row: the sums (steps,) need `keepdims=True` to be a "
                   "column.",
    "largest turned": "From each column a largest score is subtracted, not from each row: the largest (steps,) need "
                      "`keepdims=True` to be a column.",
    "nan": "All weights are nan. Was the mask made by a product? 0 times infinity is nan: choose with `np.where`.",
}  # fmt: skip


OTHER_LARGEST = {
    "seen": "The largest score of the whole table is subtracted from all rows. In a row that lies hundreds below it "
            "every power is 0, and 0 / 0 is nan: subtract each row's own largest score.",
    "all": "The largest score of the whole table is subtracted from all rows. In a row that lies hundreds below it "
           "every power is 0, and 0 / 0 is nan: subtract each row's own largest score.",
    "row": "The largest score of a row is looked for among those that are shut out as well. If one of these is larger "
           "by hundreds, the powers of all others are 0, and 0 / 0 is nan: shut the future out first.",
    "cut off": "Scores are cut off at a limit: what lies above it becomes alike, and a row far below 0 still has "
               "powers of 0 only. Subtract each row's largest score instead.",
}


def _attentions(sizes: Sequence[tuple[int, int]], scale: float, what: str) -> Callable[..., list[Case]]:
    def cases(rng: np.random.Generator) -> list[Case]:
        found = []
        for steps, size in sizes:
            q, k, v = rng.standard_normal((3, steps, size))
            found.append(Case(scale * q, scale * k, v, about=f"{steps} steps, size {size}{what}"))
        return found

    return cases


def _attention_traps(part: int, *more: Trap) -> tuple[Trap, ...]:
    faults = ATTENTION_FAULTS.items()
    return (*(Trap(lambda *args, fault=fault: _attend(fault, *args)[part], why) for fault, why in faults), *more)


ATTEND = Problem(
    id="16.6",
    title="Attention that does not look ahead",
    task=(
        "Each step asks all steps up to itself and mixes their values. Compute the weights and the mixture; no step "
        "may learn anything of a later one."
    ),
    spec=(
        "`q`, `k`, `v` are NumPy arrays (steps, size): a query, a key and a value for each step. Score of step s for "
        "step t: q[t] · k[s] / √size; the weights of step t are the softmax of its scores over s ≤ t, and 0 for s > t. "
        "Returns `weights` (steps, steps), row t for step t, and `mixed` (steps, size), the sum of weight times value. "
        "Scores may be in the hundreds."
    ),
    stub=(
        "def attend(q, k, v):\n"
        '    """Weights that see no later step, and the values that they mix."""\n'
        "    weights, mixed = ..., ...\n"
        "    return weights, mixed\n"
    ),
    answer="attend",
    lines=6,
    hints=(
        "Three steps: all scores in one matrix product, the future shut out, a softmax of each row. Which score does a "
        "step need so that its weight becomes exactly 0, and the others still add up to 1?",
        "`q @ k.T` has all scores, still to be divided by √size. `np.tril` gives the part on and below the diagonal, "
        "so `np.tril(np.ones(...)) > 0` is the mask of what may be seen; elsewhere the score is `-np.inf`. Subtract "
        "each row's largest before `np.exp`.",
        "`scores = np.where(np.tril(np.ones((steps, steps))) > 0, ___, -np.inf)`, `powers = np.exp(scores - "
        "scores.max(axis=___, keepdims=True))`, `weights = powers / ___`, `mixed = ___ @ v`",
    ),
    solution='''def attend(q, k, v):
    """Weights that see no later step, and the values that they mix."""
    steps, size = q.shape
    scores = q @ k.T / size**0.5
    scores = np.where(np.tril(np.ones((steps, steps))) > 0, scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = powers / powers.sum(axis=1, keepdims=True)
    mixed = weights @ v
    return weights, mixed
''',
    why=(
        "exp(-infinity) is 0, so a step that is shut out has no weight and takes no share in the sum. All steps are "
        "computed at once, which no RNN can do, and the mask is what makes it honest."
    ),
    judge=by_parts(
        attend,
        [_attentions([(5, 3), (4, 6), (3, 2)], 1, ""), _attentions([(1, 4)], 1, ", a single one"),
         _attentions([(4, 4), (3, 5)], 30, ", scores in the hundreds")],
        {
            "weights": _attention_traps(
                0,
                *(Trap(lambda q, k, v, way=way: _of_other_largest(q, k, v, way), why)
                  for way, why in OTHER_LARGEST.items()),
                *(Trap(_not_low_enough(-low), "The future's scores are -50, -100 or the like, and scores may be in the "
                                              "hundreds: that is no mask. Only -infinity, or a number far below all "
                                              "scores, is.")
                  for low in (10, 50, 100, 500, 999, 1000)),
                Trap(lambda *args: attend(*args)[0] / args[0].shape[1] ** 0.5,
                     "The weights are divided by √size, so they no longer add up to 1. The scores are to be divided."),
                Trap(lambda *args: _attend("not scaled", *args)[0] / args[0].shape[1] ** 0.5,
                     "The weights are divided by √size, so they no longer add up to 1. The scores are to be divided."),
                Trap(_naive, _OVERFLOW),
                Trap(lambda q, k, v: _naive(q, k, v, False), _OVERFLOW),
                Trap(lambda q, k, v: np.where(np.tril(np.ones((len(q), len(q)))) > 0, q @ k.T / q.shape[1] ** 0.5,
                                              0.0), "These are scores. The softmax of each row is missing."),
                Trap(lambda q, k, v: np.where(np.tril(np.ones((len(q), len(q)))) > 0, q @ k.T / q.shape[1] ** 0.5,
                                              -np.inf), "These are scores. The softmax of each row is missing."),
                Trap(lambda q, k, v: attend(q, k, v)[1], "weights and mixed have changed places."),
                Trap(lambda q, k, v: attend(q, k, v)[0].T, "The weights are transposed: row t belongs to step t."),
            ),
            "mixed": (
                Trap(lambda q, k, v: _attend("turned mix", q, k, v)[1],
                     "The weights are transposed in the mixture: step t mixes with row t, `weights @ v`."),
                Trap(lambda q, k, v: _attend("all", q, k, v)[0] @ v,
                     "The weights are right; but those that are mixed with see later steps as well."),
                Trap(lambda q, k, v: attend(q, k, v)[0] @ k, "The keys are mixed. Mix the values, v."),
                Trap(lambda q, k, v: attend(q, k, v)[0] @ q, "The queries are mixed. Mix the values, v."),
                Trap(lambda q, k, v: attend(q, k, v)[0] @ v / q.shape[1] ** 0.5, "The mixture is divided by √size. The "
                                                                                 "scores are; the mixture is not."),
                Trap(lambda q, k, v: (attend(q, k, v)[0] @ v)[-1], "Only the last step's mixture is there. Each step "
                                                                   "has one."),
            ),
        },
        dtype=False,
        rtol=1e-5,
        atol=1e-9,
    ),
)  # fmt: skip

# -- 16.7 -------------------------------------------------------------------------------------------

CHUNKS_STUB = '''def train_pass(model, x, y, optimizer, length):
    """A step for each chunk of `length` characters; the mean loss of all characters, as a float."""
    for begin in range(0, x.shape[1], length):
        part = slice(begin, begin + length)
        state = None
        scores, state = model.step(x[:, part], state)
        loss = F.cross_entropy(scores.transpose(1, 2), y[:, part])
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
    return ...
'''
CHUNKS_SOLUTION = '''def train_pass(model, x, y, optimizer, length):
    """A step for each chunk of `length` characters; the mean loss of all characters, as a float."""
    state, total = None, 0.0
    for begin in range(0, x.shape[1], length):
        part = slice(begin, begin + length)
        scores, state = model.step(x[:, part], state)
        state = state.detach()
        loss = F.cross_entropy(scores.transpose(1, 2), y[:, part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * y[:, part].numel()
    return total / y.numel()
'''
STREAMS, STEPS, CHUNK = 3, 9, 4      # the last chunk is as short as can be


def _reader(seed: int) -> Any:
    """A small character model in float64, and an optimizer with a momentum, so that each step counts."""
    import torch

    from gpucourse.models.rnn import CharacterModel

    torch.manual_seed(seed)
    model = CharacterModel(5, size=6, embedding=4).double()
    return model, torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)


def _streams(seed: int) -> tuple[Any, Any]:
    import torch

    text = torch.tensor(np.random.default_rng(seed).integers(0, 5, (STREAMS, STEPS + 1)))
    return text[:, :-1], text[:, 1:]


def _weights(model: Any) -> Array:
    return np.concatenate([value.detach().numpy().ravel() for value in model.parameters()])


def _went(way: str, seed: int) -> tuple[Array, list[float]]:
    """The weights and losses after a pass gone through in that way, a key of CHUNK_FAULTS or "right"."""
    model, optimizer = _reader(seed)
    x, y = _streams(seed)
    state, losses = None, []
    y = {"shifted": y.roll(-1, 1), "x as target": x}.get(way, y)
    begins = range(0, STEPS - STEPS % CHUNK if way == "last dropped" else STEPS, CHUNK)
    for begin in reversed(begins) if way == "backward" else begins:
        part = slice(begin, begin + CHUNK + (way == "overlap"))
        state = None if way == "reset" else state
        scores, state = model.step(x[:, part], state)
        state = state.detach()
        loss = _chunk_loss(way, scores, y[:, part])
        losses.append(loss.item())
        _descended(way, loss, optimizer)
    if way in ("one step", "one step of all"):
        optimizer.step()
    return _weights(model), [*losses, _read_again(model, x, y)]


def _read_again(model: Any, x: Any, y: Any) -> float:
    """The loss of the whole text after the pass."""
    import torch
    from torch.nn import functional as F

    with torch.no_grad():
        return float(F.cross_entropy(model(x), y))


def _chunk_loss(way: str, scores: Any, y: Any) -> Any:
    from torch.nn import functional as F

    if way == "last character":
        return F.cross_entropy(scores[:, -1], y[:, -1])
    turned = scores.reshape(len(scores), scores.shape[2], -1) if way == "reshape" else scores.transpose(1, 2)
    loss = F.cross_entropy(turned, y, reduction="sum" if way == "sum" else "mean")
    return loss * y.shape[1] / STEPS if way == "one step of all" else loss


def _descended(way: str, loss: Any, optimizer: Any) -> None:
    if way not in ("gradients kept", "one step of all"):
        optimizer.zero_grad()
    loss.backward()
    if way not in ("one step", "one step of all"):
        optimizer.step()


def _whole_text(seed: int) -> Array:
    """The weights after one step along the loss of the whole text, without chunks."""
    from torch.nn import functional as F

    model, optimizer = _reader(seed)
    x, y = _streams(seed)
    loss: Any = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return _weights(model)


CHUNK_FAULTS = {
    "reset": "The model forgets everything at the beginning of each chunk: the state that it read to has not been "
             "handed on, or has been set back, to None or to zeros. A fresh state belongs before the loop only.",
    "last dropped": "The last chunk, which is shorter, has been left out.",
    "last character": "Only the last character of each chunk is in the loss. All of them are.",
    "sum": "The loss is the sum over the characters, so steps are much longer than they should be. Take the mean, as "
           "`F.cross_entropy` does by itself.",
    "gradients kept": "The gradients are not set to zero for each chunk, so each step goes along the sum of all "
                      "gradients so far.",
    "overlap": "Each chunk is one character too long: its last one is read again as the first of the next.",
    "one step": "There is one step at the end, and the gradients before it were set to zero for each chunk: only the "
                "last chunk's are in it. Make a step for each chunk.",
    "one step of all": "There is one step, for the chunks of the whole text together. Make one for each chunk.",
    "reshape": "`reshape` to (streams, letters, steps) mixes letters and steps: the numbers stay in their old order. "
               "Exchange the two axes, by `transpose(1, 2)`.",
    "x as target": "The scores are held against x, the characters that have just been read. y holds those that follow.",
    "backward": "The chunks are read from the last to the first. The state of a chunk belongs to the one that follows.",
    "shifted": "y holds the characters that follow already. It has been moved by one once more.",
}  # fmt: skip
_DETACH = (
    "The state that comes from the chunk before still carries its record, so `backward()` goes on into that chunk, "
    "whose record is gone or whose weights have changed since. Take the state as plain numbers: `.detach()`."
)
_RECORD_SIGNS = ("second time", "modified by an inplace operation")


def _chunks_are_trained(ask: Ask, seed: int) -> str:
    model, optimizer = _reader(seed)
    before = _weights(model)
    try:
        ask(model, *_streams(seed), optimizer, CHUNK)
    except guard.Raised as raised:
        if any(sign in str(raised.error) for sign in _RECORD_SIGNS):
            return f"PyTorch stops in the second chunk. {_DETACH}"
        raise
    got = _weights(model)
    if np.allclose(got, _went("right", seed)[0], rtol=1e-9, atol=1e-12):
        return ""
    return _chunk_cause(got, before, seed)


def _chunk_cause(got: Array, before: Array, seed: int) -> str:
    if np.allclose(got, before, rtol=0, atol=1e-15):
        return ("The weights are what they were. Is there a step, are the gradients still there when it comes, and "
                "does the loss still hang on the model?")  # fmt: skip
    if np.allclose(got, _whole_text(seed), rtol=1e-9, atol=1e-12):
        return "There is one step for the whole text, through all of its characters. Make one for each chunk."
    for way, message in CHUNK_FAULTS.items():
        if np.allclose(got, _went(way, seed)[0], rtol=1e-9, atol=1e-12):
            return message
    return ("After a pass the weights are others than they should be. In each chunk: read it, going on from the state "
            "before it; the mean loss of its characters; gradients to zero, backward, step.")  # fmt: skip


def _loss_is_the_mean(ask: Ask, seed: int) -> str:
    model, optimizer = _reader(seed)
    got = ask(model, *_streams(seed), optimizer, CHUNK)
    *losses, afterwards = _went("right", seed)[1]
    sizes = [CHUNK, CHUNK, STEPS - 2 * CHUNK]
    due = float(np.average(losses, weights=sizes))
    if got is None:
        return "The weights are right, but nothing is returned. Return the mean loss."
    if not isinstance(got, float | np.floating):
        return (f"The weights are right. The loss should be a Python float but is {type(got).__name__}: `.item()` "
                "makes one of a tensor, and lets go of its record.")  # fmt: skip
    found = float(got)
    if abs(found - due) < 1e-6:
        return ""
    known: dict[float, str] = {
        float(np.mean(losses)): "The mean of the chunks' losses: the last chunk has fewer characters, and each of them "
                                "counts for more here. Weight each chunk by its characters.",
        afterwards: "This is the loss after the pass, by the weights that the last step has left. Asked for are the "
                    "losses as they were when their chunk came.",
        float(np.sum(losses)) * CHUNK / STEPS: "The last chunk is shorter than `length`, and has been counted as if it "
                                               "had so many characters.",
        losses[-1]: "This is the last chunk's loss. The mean over all characters is asked for.",
        sum(losses): "This is the sum of the chunks' losses.",
        due * STREAMS * STEPS: "This is the sum over all characters. Divide by their number.",
        due * STREAMS: "The loss is divided by the characters of a stream only. There are as many for each stream.",
        due / STREAMS: "The loss is too small by the number of streams: is it divided by it twice?",
    }  # fmt: skip
    cause = next((text for value, text in known.items() if abs(found - value) < 1e-6), "")
    return f"The weights are right, the loss is not: {found:.4f}. {cause}".rstrip()


CHUNKS = Problem(
    id="16.7",
    title="A chunk, and then the next",
    task=(
        "A long text is read in chunks; what the model remembers should go on from chunk to chunk, and gradients "
        "should not. This loop forgets instead. To move `state = None` before the loop is not enough: PyTorch "
        "then stops in the second chunk, where `backward()` goes on into the first one. (Without the "
        "`retain_graph=True` that stands here it stops there, too, with another message.) Repair it, and let it return "
        "the mean loss."
    ),
    spec=(
        "`x`, `y`: int64 (streams, steps); each row, a stream, is a long text of its own, and y has what follows. "
        "`model.step(part, state)` returns scores (streams, steps, letters) and the state, a tensor, and takes None "
        "for the first. Chunks of `length` from left to right, the last may be shorter; one step of the optimizer for "
        "each, along the mean loss of its characters. "
        "Returns a Python float: the mean over all characters of their losses, as they were when their chunk came."
    ),
    stub=CHUNKS_STUB,
    answer="train_pass",
    lines=5,
    hints=(
        "Two things come out of a chunk: what the model knows now, and the record of how it came to know it. Which of "
        "the two does the next chunk need?",
        "`state = None` belongs before the loop. `.detach()` gives the same numbers without their record, and then "
        "`backward()` needs no `retain_graph`. The last chunk is shorter, so count characters.",
        "After `model.step`: `state = state.___()`. After the step: `total += loss.item() * y[:, part].___()`, and at "
        "the end divide by `y.___()`.",
    ),
    solution=CHUNKS_SOLUTION,
    why=(
        "The numbers of the state go on, so the model knows what came long before the chunk; the gradients end at the "
        "chunk's beginning, so memory and time stay those of one chunk. It is called truncated back-propagation "
        "through time."
    ),
    judge=by_probes(("model", "x", "y", "optimizer", "length"), _chunks_are_trained, _loss_is_the_mean),
    limit=60.0,     # the first optimizer of a process makes PyTorch import its compiler
)  # fmt: skip

PROBLEMS = (BACK, GATES, WINDOWS, LEAKS, ERRORS, ATTEND, CHUNKS)
