"""Lesson 14: other right answers pass, PyTorch agrees with the references, the prose with the data."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import n14_training_fast as n14
from gpucourse.exercises import registry
from tests.mutants.mutant import answer_of

torch = pytest.importorskip("torch")
TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "14_training_fast.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())
CHECKPOINT = "torch.utils.checkpoint.checkpoint"

ALSO_RIGHT = {
    "14.1 one wait between two parts": """
        def time_parts(parts, wait, clock):
            wait()
            times, last = {}, clock()
            for name in parts:
                parts[name]()
                wait()
                now = clock()
                times[name], last = now - last, now
            return times
        """,
    "14.1 one part as a function": """
        def time_parts(parts, wait, clock):
            def timed(part):
                wait()
                start = clock()
                part()
                wait()
                return clock() - start
            return {name: timed(part) for name, part in parts.items()}
        """,
    "14.1 an ordered dict, more waits": """
        from collections import OrderedDict
        def time_parts(parts, wait, clock):
            found = OrderedDict()
            for name, part in list(parts.items()):
                wait(); wait()
                found[name] = -clock()
                part()
                wait()
                found[name] += clock()
            return found
        """,
    "14.1 readings first, differences later": """
        def time_parts(parts, wait, clock):
            wait()
            read = [clock()]
            for part in parts.values():
                part()
                wait()
                read.append(clock())
            return {name: b - a for name, a, b in zip(parts, read, read[1:])}
        """,
    "14.1 NumPy's numbers": """
        def time_parts(parts, wait, clock):
            times = {}
            for name, part in parts.items():
                wait()
                start = clock()
                part()
                wait()
                times[name] = np.float64(clock()) - start
            return times
        """,
    "14.2 not detached": """
        def train(model, batches, optimizer):
            losses = []
            for x, y in batches:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                losses.append(loss)
            return torch.stack(losses).tolist()
        """,
    "14.2 by the CPU and NumPy": """
        def train(model, batches, optimizer):
            losses = []
            for x, y in batches:
                loss = F.cross_entropy(model(x), y)
                model.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            return [float(loss) for loss in torch.stack(losses).tolist()]
        """,
    "14.2 written into one tensor": """
        def train(model, batches, optimizer):
            losses, n = torch.zeros(1000), 0
            for x, y in batches:
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                losses[n] = loss.detach()
                n += 1
            return losses[:n].tolist()
        """,
    "14.2 concatenated": """
        def train(model, batches, optimizer):
            losses = []
            for x, y in batches:
                loss = torch.nn.CrossEntropyLoss()(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses += [loss.data.reshape(1)]
            return torch.cat(losses).tolist()
        """,
    "14.2 hstack": """
        def train(model, batches, optimizer):
            losses = ()
            for x, y in batches:
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses += (loss.detach().clone(),)
            return list(torch.hstack(losses).tolist())
        """,
    "14.2 stack, cpu, tolist": n14.WAIT.solution.replace("losses).", "losses).cpu()."),
    "14.2 stack, cpu, numpy, tolist": n14.WAIT.solution.replace("losses).", "losses).detach().cpu().numpy()."),
    "14.2 to the CPU once, one by one from there": n14.WAIT.solution.replace(
        "torch.stack(losses).tolist()", '[loss.item() for loss in torch.stack(losses).to("cpu")]'),
    "14.2 a tensor before the loop, batches to the device": """
        def train(model, batches, optimizer):
            device = next(model.parameters()).device
            losses = torch.zeros(0).to(device)
            for x, y in batches:
                x, y = x.to(device), y.to(device)
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses = torch.cat([losses, loss.detach()[None]])
            on_host = losses.cpu()
            return [float(on_host[i]) for i in range(len(on_host))]
        """,
    "14.3 math.ceil": """
        import math
        def larger_batch(n, epochs, batch, rate, larger, fixed, each):
            an_epoch = math.ceil(n / larger)
            return epochs * an_epoch, rate * (larger / batch), epochs * (an_epoch * fixed + n * each)
        """,
    "14.3 a remainder, a list": """
        def larger_batch(n, epochs, batch, rate, larger, fixed, each):
            steps = n // larger + (n % larger > 0)
            return [steps * epochs, rate / batch * larger, epochs * n * each + epochs * steps * fixed]
        """,
    "14.3 counted": """
        def larger_batch(n, epochs, batch, rate, larger, fixed, each):
            steps = seconds = 0
            for _ in range(epochs):
                for start in range(0, n, larger):
                    steps += 1
                    seconds += fixed + each * min(larger, n - start)
            return steps, larger * rate / batch, seconds
        """,
    "14.3 rounded up by adding": """
        def larger_batch(n, epochs, batch, rate, larger, fixed, each):
            steps = (n + larger - 1) // larger * epochs
            factor = larger / batch
            return steps, factor * rate, fixed * steps + each * n * epochs
        """,
    "14.3 ceil of NumPy": """
        def larger_batch(n, epochs, batch, rate, larger, fixed, each):
            steps = epochs * int(np.ceil(n / larger))
            return steps, rate * larger / batch, steps * fixed + epochs * n * each
        """,
    "14.4 zero_grad at the end, too": n14.HALF.solution.replace(
        "    return loss", "    optimizer.zero_grad()\n    return loss"),
    "14.4 the model's zero_grad": n14.HALF.solution.replace("optimizer.zero_grad()", "model.zero_grad()"),
    "14.4 clipped by hand": n14.HALF.solution.replace(
        "    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)\n",
        "    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()\n"
        "    for p in model.parameters():\n        p.grad *= torch.clamp(largest / (norm + 1e-6), max=1)\n"),
    "14.4 scaled loss by name": n14.HALF.solution.replace(
        "    scaler.scale(loss).backward()\n", "    scaled = scaler.scale(loss)\n    scaled.backward()\n"),
    "14.4 zero_grad just before backward, a copy returned": n14.HALF.solution.replace(
        "loss.detach()", "loss.detach().clone()").replace("zero_grad()", "zero_grad(set_to_none=False)"),
    "14.4 a scaled limit in place of unscale_": n14.HALF.solution.replace(
        "    scaler.unscale_(optimizer)\n", "").replace(
        "largest)\n    scaler", "largest * scaler.get_scale())\n    scaler"),
    "14.5 bytes by parts": """
        def largest_batch(memory, parameters, moments, saved, width):
            weights = gradients = 4 * parameters
            left = memory - weights - gradients - moments * 4 * parameters
            return left // (saved * width) if left > 0 else 0
        """,
    "14.5 int of a quotient": """
        def largest_batch(memory, parameters, moments, saved, width):
            return int(max(0, memory - 4 * (parameters + parameters + moments * parameters)) / (saved * width))
        """,
    "14.5 divmod": """
        def largest_batch(memory, parameters, moments, saved, width):
            whole, rest = divmod(memory - (8 + 4 * moments) * parameters, saved * width)
            return max(whole, 0)
        """,
    "14.5 floor": """
        import math
        def largest_batch(memory, parameters, moments, saved, width):
            return max(0, math.floor((memory - 4 * parameters * (moments + 2)) / (width * saved)))
        """,
    "14.5 searched": """
        def largest_batch(memory, parameters, moments, saved, width):
            low, high = 0, memory + 1
            fits = lambda n: 4 * parameters * (2 + moments) + n * saved * width <= memory
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if fits(middle) else (low, middle)
            return low
        """,
    "14.6 a function for a group": f"""
        def recompute(blocks, x, every):
            def group(start, h):
                for block in blocks[start : start + every]:
                    h = block(h)
                return h
            for start in range(0, len(blocks), every):
                x = {CHECKPOINT}(group, start, x, use_reentrant=False)
            return x
        """,
    "14.6 a default argument": f"""
        def recompute(blocks, x, every):
            i = 0
            while i < len(blocks):
                x = {CHECKPOINT}(lambda h, i=i: torch.nn.Sequential(*blocks[i : i + every])(h), x, use_reentrant=False)
                i += every
            return x
        """,
    "14.6 by recursion": f"""
        def recompute(blocks, x, every):
            if not len(blocks):
                return x
            first = torch.nn.Sequential(*blocks[:every])
            return recompute(blocks[every:], {CHECKPOINT}(first, x, use_reentrant=False), every)
        """,
    "14.6 checkpoint_sequential's idea": f"""
        from functools import reduce
        def recompute(blocks, x, every):
            groups = [blocks[i : i + every] for i in range(0, len(blocks), every)]
            for group in groups:
                run = lambda h, group=group: reduce(lambda out, block: block(out), group, h)
                x = {CHECKPOINT}(run, x, use_reentrant=False, preserve_rng_state=False)
            return x
        """,
    "14.6 an own Function": """
        class Recomputed(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, group, anchor):
                ctx.group = group
                ctx.save_for_backward(x)
                return group(x)

            @staticmethod
            def backward(ctx, dy):
                x = ctx.saved_tensors[0].detach().requires_grad_()
                with torch.enable_grad():
                    y = ctx.group(x)
                y.backward(dy)
                return x.grad, None, None

        def recompute(blocks, x, every):
            anchor = torch.zeros((), requires_grad=True)
            for i in range(0, len(blocks), every):
                x = Recomputed.apply(x, torch.nn.Sequential(*blocks[i : i + every]), anchor)
            return x
        """,
    "14.7 sorted": """
        def prune(model, share):
            with torch.no_grad():
                weights = {name: p for name, p in model.named_parameters() if p.dim() >= 2}
                order = torch.cat([p.abs().reshape(-1) for p in weights.values()]).sort().values
                limit = order[int(share * len(order))]
                masks = {}
                for name, p in weights.items():
                    masks[name] = p.abs() >= limit
                    p[~masks[name]] = 0
            return masks
        """,
    "14.7 topk, data": """
        def prune(model, share):
            every = [(name, p) for name, p in model.named_parameters() if len(p.shape) > 1]
            flat = torch.cat([p.data.abs().view(-1) for _, p in every])
            limit = torch.topk(flat, int(share * flat.numel()), largest=False).values.max()
            masks = {name: p.data.abs() > limit for name, p in every}
            for name, p in every:
                p.data.mul_(masks[name])
            return masks
        """,
    "14.7 the first that stays": """
        def prune(model, share):
            state = {name: p for name, p in model.named_parameters() if p.ndim >= 2}
            sizes = torch.cat([p.detach().abs().flatten() for p in state.values()]).sort().values
            limit = sizes[int(share * len(sizes))]
            masks = {name: p.detach().abs() >= limit for name, p in state.items()}
            with torch.no_grad():
                for name in state:
                    state[name].copy_(torch.where(masks[name], state[name], 0))
            return masks
        """,
    "14.7 masked_fill": """
        @torch.no_grad()
        def prune(model, share):
            weights = [(n, p) for n, p in model.named_parameters() if "weight" in n and p.ndim != 1]
            sizes = torch.cat([p.abs().ravel() for _, p in weights])
            gone = torch.zeros(len(sizes), dtype=torch.bool)
            gone[sizes.argsort()[: int(share * len(sizes))]] = True
            masks = {}
            for (name, p), lost in zip(weights, gone.split([p.numel() for _, p in weights])):
                lost = lost.view_as(p)
                p.masked_fill_(lost, 0)
                masks[name] = ~lost
            return masks
        """,
    "14.7 the layers' types": """
        def prune(model, share):
            weights = {name + ".weight": layer.weight for name, layer in model.named_modules()
                       if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))}
            sizes = np.sort(np.concatenate([p.detach().abs().numpy().ravel() for p in weights.values()]))
            limit = float(sizes[int(share * len(sizes)) - 1])
            masks = {name: p.detach().abs() > limit for name, p in weights.items()}
            for name, p in weights.items():
                p.data = p.data * masks[name]
            return masks
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    found = problem.check(answer_of(textwrap.dedent(ALSO_RIGHT[name]), problem.answer, np=np, cp=cupy_sim))
    assert found.state == "right", found


def cell(words):
    """The source of the lesson's first cell that holds `words`."""
    return next(c for c in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if words in c)


def scope():
    """The names that the lesson's cells need."""
    names = {"device": torch.device("cpu")}
    exec("\n".join(line for line in cell("import torch").splitlines() if not line.startswith("%")), names)
    return names


def run(*wanted, **given):
    names = scope() | given
    for words in wanted:
        exec(cell(words), names)
    return names


def test_the_trap_weights_by_hand_are_pytorchs():
    half = n14._half(3)
    due = n14._by_hand(half)
    for p in half.model.parameters():
        p.grad = None
    torch.nn.functional.cross_entropy(half.model(half.x), half.y).backward()
    torch.nn.utils.clip_grad_norm_(half.model.parameters(), half.largest)
    half.optimizer.step()
    np.testing.assert_allclose(n14._weights(half.model), due, atol=1e-6)


def test_the_pruning_by_hand_is_pytorchs():
    from torch.nn.utils import prune

    model = n14._network(5)
    due = n14._kept(n14._sizes(n14._matrices(model)), 0.5)
    layers = [(model[i], "weight") for i in (0, 4, 6)]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.5)
    for i in (0, 4, 6):
        assert np.array_equal(model[i].weight_mask.numpy().astype(bool), due[f"{i}.weight"])


def test_the_activations_by_hand_are_what_the_hooks_see():
    names = run("def saved_bytes(", "maps = [(16, 28)")
    model, x, y = names["DigitsCNN"](16), torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    saved = names["saved_bytes"](model, x, y)
    assert names["by_hand"] == 15_498_240
    assert names["by_hand"] < saved < 1.001 * names["by_hand"]          # the normalizations' small vectors
    assert saved / sum(p.nbytes for p in model.parameters()) > 100      # "Over a hundred times as much"


def test_the_spy_sees_each_kind_of_waiting():
    names = run("class Waits(")
    x = torch.tensor(2.0)
    for waits in (x.item, x.tolist, x.cpu, x.numpy, lambda: float(x), lambda: bool(x), lambda: f"{x}"):
        with names["Waits"]() as spy:
            waits()
        assert spy.count == 1, waits
    with names["Waits"]() as spy:
        torch.stack([x, x]).sum().detach()
    assert spy.count == 0


def test_the_figures_of_the_prose():
    from gpucourse.models.cnn import DigitsCNN, Textbook

    parameters = [sum(p.numel() for p in net.parameters()) for net in (Textbook(), DigitsCNN(16))]
    assert f"{parameters[0] / parameters[1]:.0f} times fewer parameters" in PROSE
    assert f"{11_992_448 / 1_924_992:.0f} times fewer multiply-adds" in PROSE
    assert f"which has {64 * 32 * 9 + 64:,} parameters" in PROSE
    assert f"work on {14 * 14} and {7 * 7} places" in PROSE
    assert f"{parameters[1]:,} parameters and batches of 64" in PROSE
    assert torch.finfo(torch.float16).max == 65504 and "largest number is 65,504" in PROSE
    assert "1/128 apart" in PROSE and torch.finfo(torch.bfloat16).eps == 1 / 128
    assert torch.finfo(torch.float16).smallest_normal * 2**-10 == pytest.approx(6e-8, rel=0.01)
    assert "smallest number is 6e-8, and gradients below half of that become 0" in PROSE
    assert [torch.tensor(g).half().item() > 0 for g in (2.9e-8, 3.1e-8)] == [False, True]


def test_what_the_prose_says_about_the_timelines():
    from gpucourse.viz.step_timeline import plan

    steps = {name: round(plan(**how).period) for name, how in {
        "workers": {"data": "workers"}, "device": {"data": "device"},
        "unread": {"data": "device", "read": False}, "128": {"data": "device", "batch": 128},
        "128 unread": {"data": "device", "batch": 128, "read": False},
        "graph": {"data": "device", "graph": True}, "graph unread": {"data": "device", "graph": True, "read": False},
    }.items()}
    assert steps["workers"] == steps["device"] == 378
    assert f"from {plan().period:,.0f} to {steps['device']} µs" in PROSE
    assert f"reading adds {steps['device'] - steps['unread']} µs to each step, 3 %" in PROSE
    assert f"at {steps['128 unread']} µs a step. Reading makes that {steps['128']}" in PROSE
    assert f"would take {steps['graph']} µs in place of {steps['graph unread']}" in PROSE
    for batch in (128, 256, 2048):                    # "from 128 on they load too slowly", and reading costs nothing
        read, unread = (plan("workers", batch, read=read) for read in (True, False))
        assert read.period == pytest.approx(unread.period) and "a batch is loaded" in read.idle
    for batch in (16, 32, 64):
        made = plan("workers", batch)
        assert made.busy < 0.95 * made.period
    assert all(plan("device", batch, read=False).busy > 0.999 * plan("device", batch, read=False).period
               for batch in (128, 256))
    assert plan("device", 64, read=False).busy < 0.95 * plan("device", 64, read=False).period


def test_one_of_model_and_batch_is_enough_for_channels_last():
    for channels in (1, 3):
        x = torch.randn(4, channels, 12, 12)
        net = torch.nn.Sequential(torch.nn.Conv2d(channels, 16, 3), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
                                  torch.nn.MaxPool2d(2))
        assert not net(x).is_contiguous(memory_format=torch.channels_last)
        assert net(x.to(memory_format=torch.channels_last)).is_contiguous(memory_format=torch.channels_last)
        assert net.to(memory_format=torch.channels_last)(x).is_contiguous(memory_format=torch.channels_last)
    assert torch.randn(4, 1, 12, 12).is_contiguous(memory_format=torch.channels_last)    # "both layouts are one"


def test_a_step_asks_for_more_than_50_operators_and_half_only_look():
    names = run("class Operators(")
    x, y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    first = names["DigitsCNN"](16)
    run("one_step()", Operators=names["Operators"], first=first, x=x, train_y=y)
    optimizer = torch.optim.Adam(first.parameters(), 0.01, foreach=True)
    looks = ("detach", "t.", "view", "empty", "slice", "_local_scalar_dense", "profiler", "lift_fresh")
    found = []

    class Names(names["Operators"]):
        def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
            found.append(str(operator).removeprefix("aten."))
            return super().__torch_dispatch__(operator, types, args, kwargs)

    def one_step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(first(x), y).backward()
        optimizer.step()

    one_step()
    with Names():
        one_step()
    looking = sum(name.startswith(looks) for name in found)
    assert len(found) > 75 and 0.4 < looking / len(found) < 0.65


def test_the_suspicious_step_stands_still_with_sgd_and_learns_with_adam():
    names = run("def suspicious_step(")
    x = torch.randn(256, 20)
    y = x[:, :3].argmax(dim=1)
    losses = {}
    for kind, rate in ((torch.optim.SGD, 1.0), (torch.optim.Adam, 0.01)):
        torch.manual_seed(0)
        model = torch.nn.Linear(20, 3)
        optimizer, scaler = kind(model.parameters(), rate), torch.amp.GradScaler("cpu")
        before = torch.nn.functional.cross_entropy(model(x), y).item()
        for _ in range(100):
            names["suspicious_step"](model, optimizer, scaler, x, y, 1.0)
        losses[kind] = torch.nn.functional.cross_entropy(model(x), y).item() / before
    assert losses[torch.optim.SGD] > 0.98 and losses[torch.optim.Adam] < 0.6


