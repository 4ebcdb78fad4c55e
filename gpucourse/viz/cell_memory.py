"""The memory-of-a-cell explorer: how strongly the last state still depends on each earlier input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError
from gpucourse.show import here
from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    Trained = nn.RNNBase | Mapping[str, nn.RNNBase]

Norms = NDArray[np.float64]

STEPS = (10, 20, 50, 100, 200)
SIZE, EXAMPLES = 32, 2      # units of an untrained cell's state, sequences of random inputs
MATTERS = 0.01              # of the largest gradient: an input with less no longer matters
EXPLODES = 100              # times the last input's gradient: one larger than this explodes
CHAOS = 1e6                 # times: rounding errors have grown as well, and depend on the machine
FLOOR = 1e-10               # of the largest: less is not drawn
AT_ONCE = 1024              # sequences in a batch
CHOICES = 50                # examples that the explorer lets choose from


@dataclass(frozen=True)
class Kind:
    """A kind of cell: its name in torch.nn, its blocks of rows, and the one whose bias keeps the state, if any."""

    name: str
    blocks: int
    gate: str = ""
    keeps: int = 0


KINDS = {"rnn": Kind("RNN", 1), "gru": Kind("GRU", 3, "update gate", 1), "lstm": Kind("LSTM", 4, "forget gate", 1)}
_LOOKS = (("red", "--"), ("green", "-."), ("blue", "-"), ("purple", ":"), ("orange", "-"))


def memory(layer: nn.RNNBase, x: Any) -> Norms:
    """Return the norm of the gradient of the last state by the input k steps earlier, (steps,), k = 0 first.

    `layer`: a torch.nn RNN, GRU or LSTM, trained or not, of which nothing is changed. `x`: (n, steps, inputs), whatever
    the layer's batch_first says, or (steps, inputs). The gradient is the matrix dh_last/dx, (size, inputs); its norm is
    the square root of the sum of its squares, and the mean over the n examples is returned. CourseError for what cannot
    be.
    """
    import torch

    from gpucourse.scores import in_eval_mode

    _refuse(layer)
    size = layer.proj_size or layer.hidden_size
    with in_eval_mode(layer), torch.inference_mode(False), torch.enable_grad():
        parts = _inputs(layer, x).split(max(1, AT_ONCE // size))
        with torch.backends.cudnn.flags(enabled=False):      # it cannot go back through a layer in eval mode
            norms = [_norms(layer, part, size) for part in parts]
    mean: Norms = torch.cat(norms).mean(0).flip(0).cpu().numpy()
    return mean


def _norms(layer: nn.RNNBase, inputs: Tensor, size: int) -> Tensor:
    """All rows of the matrices in one backward pass: a copy of each example for each unit of the state; (n, steps)."""
    import torch

    copies = inputs.repeat_interleave(size, 0).requires_grad_()
    states, _ = layer(copies if layer.batch_first else copies.transpose(0, 1))
    last = states[:, -1] if layer.batch_first else states[-1]
    units = torch.arange(size, device=last.device).repeat(len(inputs))
    (gradient,) = torch.autograd.grad(last.gather(1, units[:, None]).sum(), copies)
    squares: Tensor = gradient.double().square().reshape(len(inputs), size, *inputs.shape[1:])
    return squares.sum((1, 3)).sqrt()


def _refuse(layer: Any) -> None:
    import torch

    if not isinstance(layer, torch.nn.RNNBase) or layer.bidirectional:
        what = "a bidirectional layer" if isinstance(layer, torch.nn.RNNBase) else type(layer).__name__
        raise CourseError(f"cell_memory: found {what}; give a torch.nn RNN, GRU or LSTM that reads forward, such as "
                          "model.rnn")  # fmt: skip


def _inputs(layer: nn.RNNBase, x: Any) -> Tensor:
    """Return x as the layer's dtype on its device, (n, steps, inputs)."""
    import torch

    found = torch.as_tensor(x).detach().to(next(layer.parameters()), copy=True)
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3 or found.shape[-1] != layer.input_size or not found.shape[0] * found.shape[1]:
        raise CourseError(f"cell_memory: x has shape {tuple(found.shape)}; give (n, steps, {layer.input_size}), what "
                          "the recurrent layer itself reads")  # fmt: skip
    if not found.isfinite().all():
        raise CourseError(f"cell_memory: {int((~found.isfinite()).sum()):,} of {found.numel():,} numbers of x are nan "
                          "or infinite; choose windows without gaps")  # fmt: skip
    return found


def fresh(kind: str, inputs: int = 1, radius: float = 1.0, bias: float = 0.0, seed: int = 0) -> nn.RNNBase:
    """Return an untrained layer in float64, batch first: each block of its recurrent weights has the spectral radius.

    All biases are 0 but that of the gate that keeps the state. Raises CourseError for another kind or a radius below 0.
    """
    import torch

    if kind not in KINDS or radius < 0:
        raise CourseError(f"cell_memory: cell={kind!r}, radius={radius}; there are {', '.join(KINDS)}, and a radius is "
                          "0 or more")  # fmt: skip
    what, rng = KINDS[kind], np.random.default_rng(seed)
    blocks = rng.standard_normal((what.blocks, SIZE, SIZE))
    blocks *= radius / np.abs(np.linalg.eigvals(blocks)).max(axis=1)[:, None, None]
    biases = np.zeros((what.blocks, SIZE))
    biases[what.keeps] = bias if what.gate else 0
    layer: nn.RNNBase = getattr(torch.nn, what.name)(inputs, SIZE, batch_first=True, dtype=torch.float64)
    weights = {"weight_ih_l0": rng.standard_normal((what.blocks * SIZE, inputs)) / 4, "weight_hh_l0": blocks,
               "bias_ih_l0": biases, "bias_hh_l0": 0 * biases}  # fmt: skip
    shapes = layer.state_dict()
    layer.load_state_dict({name: torch.from_numpy(w).reshape(shapes[name].shape) for name, w in weights.items()})
    return layer


def reach(norms: Norms) -> int:
    """Return how many steps back the oldest input lies whose gradient is at least 1% of the largest; -1 for none."""
    found = np.flatnonzero(norms >= MATTERS * norms.max()) if norms.max() > 0 else np.array([-1])
    return int(found[-1])


def norms_of(
    steps: int | None = None, radius: float = 1.0, bias: float = 0.0, seed: int = 0, trained: Trained | None = None,
    x: Any = None, example: int | None = None,
) -> dict[str, Norms]:
    """Return what `memory` finds for each cell, by its name; arguments as `cell_memory`."""
    if trained is not None and x is None:
        raise CourseError("cell_memory: a trained layer is asked about inputs of its own: give x, (n, steps, inputs)")
    part = _part(x, steps, seed, example)
    if trained is None:
        trained = {kind: fresh(kind, part.shape[-1], radius, bias, seed) for kind in KINDS}
    layers = trained if isinstance(trained, Mapping) else {"trained": trained}
    return {name: memory(layer, part) for name, layer in layers.items()}


def _part(x: Any, steps: int | None, seed: int, example: int | None) -> Any:
    """Return the last steps of all examples, or of one."""
    if x is None:
        steps = 50 if steps is None else steps
        x = _random(seed, steps)
    found = x if hasattr(x, "detach") else np.asarray(x)
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3:
        raise CourseError(f"cell_memory: x has shape {tuple(found.shape)}; give (n, steps, inputs)")
    count, there = found.shape[:2]
    steps = there if steps is None else steps
    if not (1 <= steps <= there and (example is None or 0 <= example < count)):
        raise CourseError(f"cell_memory: steps={steps}, example={example}; x has {count:,} examples of {there:,} "
                          "steps, and the first example is 0")  # fmt: skip
    return found[:, -steps:] if example is None else found[example : example + 1, -steps:]


def _random(seed: int, steps: int) -> NDArray[np.float64]:
    """Random inputs: whatever the number of steps that is asked for, the last ones are the same."""
    return np.random.default_rng(seed + 1).standard_normal((EXAMPLES, max(STEPS[-1], steps), 1))


# --- words and picture -------------------------------------------------------------------------------


def said(norms: Norms) -> str:
    """Say how far back the gradients of one cell reach."""
    back, oldest, largest = reach(norms), len(norms) - 1, norms.max()
    if back < 0:
        return "no input matters for the last state: all gradients are 0"
    if largest > EXPLODES * norms[0]:
        return (f"the gradient explodes: {_times(largest / norms[0])} that of the last input at the one "
                f"{_steps(int(norms.argmax()))} back")  # fmt: skip
    which = "all inputs matter" if back == oldest else f"the inputs up to {_steps(back)} back matter"
    which = "only the last input matters" if back == 0 else which
    return f"{which} for the last state; the gradient of the oldest is {_share(norms[-1] / largest)}"


def _steps(number: int) -> str:
    return f"{number:,} step{'' if number == 1 else 's'}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio < CHAOS else f"{ratio:.0e} times"


def _share(ratio: float) -> str:
    if ratio == 1:
        return "the largest"
    return f"{ratio:.2g} of the largest" if ratio >= FLOOR else f"less than {FLOOR:g} of the largest"


def _short(norms: Norms) -> str:
    back = reach(norms)
    return "none" if back < 0 else "all" if back == len(norms) - 1 else f"up to {_steps(back)} back"


def _sentence(found: dict[str, Norms], cell: str, how: str, own: bool) -> str:
    """First the cell that is asked about, then the others' reach; what depends on the machine between ⟨ and ⟩."""
    others = ", ".join(f"{_title(name, own)} {_short(norms)}" for name, norms in found.items() if name != cell)
    facts = said(found[cell]) + (f". Beside it: {others}" if others else "")
    sure = own and all(norms.max() < CHAOS * norms[0] for norms in found.values())
    return (f"{_title(cell, own)}, {_steps(len(found[cell]))}{how}: {facts if sure else here(facts)}. An input matters "
            f"if its gradient is at least {MATTERS:.0%} of the largest.")  # fmt: skip


def _title(name: str, own: bool) -> str:
    return KINDS[name].name if own else name


def _how(cell: str, radius: float, bias: float, example: int | None) -> str:
    """Say how an untrained cell was made, and which example is asked about."""
    gate = KINDS[cell].gate
    return f", spectral radius {radius:g}" + (f", bias {bias:g} of the {gate}" if gate else "") + _which(example)


def _which(example: int | None) -> str:
    return "" if example is None else f", example {example:,}"


def draw(
    cell: str | None = None, steps: int | None = None, radius: float = 1.0, bias: float = 0.0, seed: int = 0,
    trained: Trained | None = None, x: Any = None, example: int | None = None,
) -> tuple[Figure, str]:
    """Return the figure and the sentence; arguments as `cell_memory`."""
    found, own = norms_of(steps, radius, bias, seed, trained, x, example), trained is None
    cell = next(iter(found)) if cell is None else cell
    if cell not in found:
        raise CourseError(f"cell_memory: cell={cell!r}; there are {', '.join(found)}")
    fig, (left, right) = picture.new(8.4, 3.5, columns=2, width_ratios=(1.7, 1))
    for number, (name, norms) in enumerate(found.items()):
        color, dash = _LOOKS[number % len(_LOOKS)]
        _curve(left, norms, _title(name, own), picture.COLORS[color], dash, name == cell)
        right.barh([number], [reach(norms)], height=0.6, color=picture.COLORS[color], alpha=1 if name == cell else 0.5)
    _axes(left, right, [_title(name, own) for name in found], len(found[cell]))
    return fig, _sentence(found, cell, _how(cell, radius, bias, example) if own else _which(example), own)


def _curve(ax: Axes, norms: Norms, label: str, color: str, dash: str, chosen: bool) -> None:
    """Each gradient as a share of the largest, a dot at the last input; a gradient of 0 ends the line."""
    share = norms / (norms.max() or 1)
    ax.plot(np.where(share > 0, share, np.nan), dash, color=color, label=label, linewidth=3 if chosen else 1.4,
            alpha=1 if chosen else 0.7, zorder=3 if chosen else 2, marker="o", markevery=[0])  # fmt: skip


def _axes(left: Axes, right: Axes, names: list[str], steps: int) -> None:
    """Time runs to the right in the curves: the last input is at the right end."""
    left.axhline(MATTERS, color=picture.COLORS["black"], linestyle=":", linewidth=1.2, zorder=0.9)
    left.set(yscale="log", ylim=(FLOOR, 4), xlim=(steps - 1 + 0.02 * steps, -0.02 * steps), xlabel="steps back")
    left.set_yticks([1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
    left.minorticks_off()
    left.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    left.set_title("gradient of the last state by each input (largest: 1)", loc="left", fontsize=11)
    left.figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set(xlim=(0, max(steps - 1, 1)), xlabel="steps back")
    right.xaxis.get_major_locator().set_params(integer=True, nbins=4)
    right.grid(axis="y", visible=False)
    right.set_title(f"at least {MATTERS:.0%} of the largest", loc="left", fontsize=11)


def cell_memory(
    cell: str | None = None, steps: int | None = None, radius: float = 1.0, bias: float = 0.0, seed: int = 0,
    trained: Trained | None = None, x: Any = None, example: int | None = None,
) -> None:
    """Print how far back the last state remembers, and show the norm of its gradient by each earlier input.

    `cell`: "rnn", "gru" or "lstm", the one that is spoken of; the others are drawn beside it. `steps`: inputs, by
    default 50. `radius`: spectral radius of the recurrent weights, of each gate's block. `bias`: of the gate that keeps
    the state: the LSTM's forget gate, the GRU's update gate. `seed` makes the weights and the random inputs.

    `trained`: a torch.nn RNN, GRU or LSTM, such as `model.rnn`, or several by name, and `x`, their inputs, (n, steps,
    inputs): these are then shown, `cell` is a name among them, `steps` the last so many of x, and radius, bias and seed
    mean nothing. `example`: one of x instead of the mean over all. CourseError for what cannot be.

    >>> cell_memory("lstm", bias=3)                            # doctest: +SKIP
    >>> cell_memory(trained=model.rnn, x=windows[:64])         # doctest: +SKIP
    """
    explorer.show(draw, cell=cell, steps=steps, radius=radius, bias=bias, seed=seed, trained=trained, x=x,
                  example=example)  # fmt: skip


def explore(trained: Trained | None = None, x: Any = None) -> explorer.Explorer | None:
    """The same with a control for cell, steps, radius and bias; of trained ones for cell, steps and the example."""
    if trained is not None:
        return _of_trained(trained, x)
    return explorer.explorer(
        "memory of a cell",
        draw,
        cell=explorer.choice("rnn", [(kind.name, key) for key, kind in KINDS.items()], "cell"),
        steps=explorer.steps(50, list(STEPS), "steps"),
        radius=explorer.slider(1.0, 0.0, 3.0, 0.1, "spectral radius", ".1f"),
        bias=explorer.slider(0.0, -3.0, 6.0, 0.5, "bias of the keeping gate", ".1f"),
    )


def _of_trained(trained: Trained, x: Any) -> explorer.Explorer | None:
    """One cell needs no control to choose it, and one example neither."""
    found = norms_of(trained=trained, x=x)
    names, (count, steps) = list(found), np.shape(x)[:2] if np.ndim(x) == 3 else (1, len(x))

    def shown(steps: int, cell: str = names[0], example: int | None = None) -> tuple[Figure, str]:
        return draw(cell, steps, trained=trained, x=x, example=example)

    controls = {
        "cell": explorer.choice(names[0], names, "cell"),
        "steps": explorer.slider(steps, 1, steps, 1, "last steps"),
        "example": explorer.choice(None, [("mean of all", None), *range(min(count, CHOICES))], "example"),
    }
    spare = {"cell": len(names) == 1, "example": count == 1}
    return explorer.explorer("memory of a cell", shown, **{k: c for k, c in controls.items() if not spare.get(k)})
