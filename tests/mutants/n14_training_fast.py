"""Wrong answers to the exercises of lesson 14, and words that each must be told."""

from gpucourse.exercises import n14_training_fast as n14
from tests.mutants.mutant import Mutant, kernel

TIME, WAIT, LARGER, HALF, BATCH, RECOMPUTE, PRUNE = (problem.solution for problem in n14.PROBLEMS)
STEP_LINES = """        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


def wait(*replacements):
    return kernel(WAIT, *replacements)


def larger(steps="steps", rate="rate * larger / batch", seconds="steps * fixed + epochs * n * each"):
    return kernel(LARGER, ("return steps, rate * larger / batch, steps * fixed + epochs * n * each",
                           f"return {steps}, {rate}, {seconds}"))  # fmt: skip


def batch(expression):
    return kernel(BATCH, ("max(0, (memory - 4 * parameters * (2 + moments)) // (saved * width))", expression))


CLIP = "    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)\n"
UNSCALE = "    scaler.unscale_(optimizer)\n"
STEP = "    scaler.step(optimizer)\n"
CHECKPOINT = "torch.utils.checkpoint.checkpoint(group, x, use_reentrant=False)"

MUTANTS = {
    "14.1": (
        Mutant("no wait", kernel(TIME, ("        wait()\n", "")), "times to ask for the work"),
        Mutant("waits only before", kernel(TIME, ("        part()\n        wait()\n", "        part()\n")),
               "between the work and the second look"),
        Mutant("waits only after", kernel(TIME, ("        wait()\n        start", "        start")),
               "queued before it"),
        Mutant("one start for all", kernel(TIME, ("    times = {}\n",
               "    times = {}\n    wait()\n    start = clock()\n"),
                                           ("        wait()\n        start = clock()\n", "")), "since the first part"),
        Mutant("waits at the very end", """
def time_parts(parts, wait, clock):
    wait()
    times, start = {}, clock()
    for name, part in parts.items():
        part()
        times[name], start = clock() - start, clock()
    wait()
    times[name] += clock() - start
    return times
""", "waits only once, at the end"),
        Mutant("clock before the wait", kernel(TIME, ("        wait()\n        start = clock()\n",
                                                      "        start = clock()\n        wait()\n")),
               "read before the wait"),
        Mutant("shares", kernel(TIME, ("return times", "return {k: t / sum(times.values()) for k, t in "
                                                       "times.items()}")),
               "add up to 1"),
        Mutant("milliseconds", kernel(TIME, ("clock() - start", "1000 * (clock() - start)")), "milliseconds"),
        Mutant("a warm-up call", kernel(TIME,
               ("        wait()\n        start", "        part()\n        wait()\n        start")),
               "should run once"),
        Mutant("another clock", "import time\n" + kernel(TIME, ("clock()", "time.perf_counter()")), "`clock` has not"),
        Mutant("a list", kernel(TIME, ("return times", "return list(times.values())")), "A dict is due"),
        Mutant("start minus end", kernel(TIME, ("clock() - start", "start - clock()")), "negative"),
        Mutant("all in one", """
def time_parts(parts, wait, clock):
    wait()
    start = clock()
    for part in parts.values():
        part()
    wait()
    return {"step": clock() - start}
""", "your dict has the keys step"),
    ),
    "14.2": (
        Mutant("item", wait(("loss.detach()", "loss.item()"), ("torch.stack(losses).tolist()", "losses")), ".item()"),
        Mutant("float", wait(("loss.detach()", "float(loss)"), ("torch.stack(losses).tolist()", "losses")), "float()"),
        Mutant("to the CPU", wait(("loss.detach()", "loss.detach().cpu()")), ".cpu()"),
        Mutant("to the CPU by to", wait(("loss.detach()", 'loss.detach().to("cpu")')), 'step 1 (.to("cpu"))'),
        Mutant("to the CPU, no waiting", wait(("loss.detach()", 'loss.detach().to("cpu", non_blocking=True)')),
               "nothing says when the number has come"),
        Mutant("one by one after cpu", wait(("torch.stack(losses).tolist()", "[float(loss.cpu()) for loss in losses]")),
               "fetches 6 times (.cpu())"),
        Mutant("one by one", wait(("torch.stack(losses).tolist()", "[loss.item() for loss in losses]")),
               "fetches 6 times (.item())"),
        Mutant("one by one, hidden", wait(("torch.stack(losses)", "torch.tensor(losses)")), "asks each of its tensors"),
        Mutant("return in the loop", wait(("    return", "        return")), "1 step is made"),
        Mutant("the mean in a list", wait(("torch.stack(losses).tolist()", "[torch.stack(losses).mean().item()]")),
               "the list has 1 loss."),
        Mutant("tensors", wait(("torch.stack(losses).tolist()", "losses")), "Python's numbers"),
        Mutant("a tensor", wait((".tolist()", "")), "A list of numbers is due"),
        Mutant("a condition", wait(("        losses", "        if loss > 100:\n            break\n        losses")),
               "condition on a tensor"),
        Mutant("prints", wait(("        losses", "        print(f'{loss:.3f}')\n        losses")),
               "a tensor in a text"),
        Mutant("zero_grad lost", wait(("        optimizer.zero_grad()\n", "")), "other weights"),
        Mutant("no step", wait(("        optimizer.step()\n", "")), "have not changed"),
        Mutant("the mean", wait(("torch.stack(losses).tolist()", "torch.stack(losses).mean().item()")),
               "A list of numbers is due"),
        Mutant("the sum so far", wait(("    losses = []\n", "    losses, total = [], 0\n"),
               ("        losses.append(loss.detach())",
                "        total = total + loss.detach()\n        losses.append(total)")),
               "sum of the losses so far"),
        Mutant("the same tensor", wait(("    losses = []\n", "    losses, last = [], torch.zeros(())\n"),
               ("append(loss.detach())", "append(last.copy_(loss.detach()))")), "last step's loss"),
    ),
    "14.3": (
        Mutant("floor", kernel(LARGER, ("-(-n // larger)", "(n // larger)")), "is a step, too"),
        Mutant("across epochs", kernel(LARGER, ("epochs * -(-n // larger)", "-(-n * epochs // larger)")), "next epoch"),
        Mutant("one epoch's steps", larger("-(-n // larger)"), "one epoch"),
        Mutant("always one more", kernel(LARGER, ("-(-n // larger)", "(n // larger + 1)")),
               "divide the examples evenly"),
        Mutant("old rate", larger(rate="rate"), "fewer steps lead less far"),
        Mutant("turned round", larger(rate="rate * batch / larger"), "turned round"),
        Mutant("square root", larger(rate="rate * (larger / batch) ** 0.5"), "square-root rule"),
        Mutant("no fixed cost", larger(seconds="epochs * n * each"), "its fixed cost"),
        Mutant("fixed cost only", larger(seconds="steps * fixed"), "that of each example"),
        Mutant("whole batches", larger(seconds="steps * (fixed + larger * each)"), "smaller, and costs less"),
        Mutant("one epoch's time", larger(seconds="-(-n // larger) * fixed + n * each"), "time of one epoch"),
        Mutant("examples of one epoch", larger(seconds="steps * fixed + n * each"), "in one epoch only"),
        Mutant("old steps' cost", larger(seconds="epochs * (-(-n // batch) * fixed + n * each)"), "old batch size"),
    ),
    "14.4": (
        Mutant("clipped before unscale", kernel(HALF, (UNSCALE, ""), (CLIP, CLIP + UNSCALE)), "What undoes the scale?"),
        Mutant("no unscale", kernel(HALF, (UNSCALE, "")), "What undoes the scale?"),
        Mutant("no clipping", kernel(HALF, (CLIP, "")), "not clipped before the step"),
        Mutant("clipped after the step", kernel(HALF, (CLIP, ""), (STEP, STEP + CLIP)), "not clipped before the step"),
        Mutant("loss not scaled", kernel(HALF, ("scaler.scale(loss).backward()", "loss.backward()"), (CLIP, "")),
               "never multiplied"),
        Mutant("the optimizer's own step", kernel(HALF, ("scaler.step(optimizer)", "optimizer.step()")),
               "scaler's own `step`"),
        Mutant("nothing unscaled", kernel(HALF, (UNSCALE + CLIP, ""), ("scaler.step(optimizer)", "optimizer.step()"),
                                          ("    scaler.update()\n", "")),
               "nobody divided"),
        Mutant("no zero_grad", kernel(HALF, ("    optimizer.zero_grad()\n", "")), "step before"),
        Mutant("zero_grad too late", kernel(HALF, ("    optimizer.zero_grad()\n", ""),
               (STEP, "    optimizer.zero_grad()\n" + STEP)),
               "still there by then"),
        Mutant("no update", kernel(HALF, ("    scaler.update()\n", "")), "by `update`"),
        Mutant("no step", kernel(HALF, (STEP, ""), ("    scaler.update()\n", "")), "Does the scaler make"),
        Mutant("scaled loss returned", kernel(HALF, ("loss.detach()", "scaler.scale(loss).detach()")),
               "multiplied by the scale"),
        Mutant("loss with its record", kernel(HALF, ("loss.detach()", "loss")), "`detach`"),
        Mutant("loss as a number", kernel(HALF, ("loss.detach()", "loss.item()")), "as a tensor"),
        Mutant("update before step", kernel(HALF, ("    scaler.update()\n", ""),
               (STEP, "    scaler.update()\n" + STEP)),
               "divided by the scale twice"),
        Mutant("update before step, no unscale", kernel(HALF, ("    scaler.update()\n", ""), (UNSCALE, ""),
               (STEP, "    scaler.update()\n" + STEP)), "comes after its `step`"),
        Mutant("neither scaled nor unscaled", kernel(HALF, ("scaler.scale(loss).backward()", "loss.backward()"),
               (UNSCALE, "")), "never multiplied by the scale"),
        Mutant("unscaled before the backward pass", kernel(HALF, (UNSCALE, ""),
               ("    scaler.scale", UNSCALE + "    scaler.scale")), "no gradients yet"),
        Mutant("zero_grad after backward", kernel(HALF, ("    optimizer.zero_grad()\n", ""),
               (UNSCALE, "    optimizer.zero_grad()\n" + UNSCALE)), "does `zero_grad` come before it?"),
        Mutant("no scaler", kernel(HALF, ("scaler.scale(loss)", "loss"), (UNSCALE, ""),
               ("scaler.step(optimizer)", "optimizer.step()"), ("    scaler.update()\n", "")),
               "`scaler` is not used"),
        Mutant("each parameter clipped", kernel(HALF, (CLIP, "    for p in model.parameters():\n"
               "        torch.nn.utils.clip_grad_norm_(p, largest)\n")), "Each parameter's gradient is clipped"),
        Mutant("each number clipped", kernel(HALF, ("clip_grad_norm_", "clip_grad_value_")), "cut off by itself"),
    ),
    "14.5": (
        Mutant("no gradients", batch("max(0, (memory - 4 * parameters * (1 + moments)) // (saved * width))"),
               "you count one less"),
        Mutant("to the nearest", batch("max(0, round((memory - 4 * parameters * (2 + moments)) / (saved * width)))"),
               "to the nearest"),
        Mutant("moments once", batch("max(0, (memory - 4 * (2 * parameters + moments)) // (saved * width))"),
               "for each weight, not once"),
        Mutant("at least one", batch("max(1, (memory - 4 * parameters * (2 + moments)) // (saved * width))"),
               "0, not 1"),
        Mutant("no moments", batch("max(0, (memory - 8 * parameters) // (saved * width))"),
               "optimizer's numbers are forgotten"),
        Mutant("only weights", batch("max(0, (memory - 4 * parameters) // (saved * width))"), "Only the weights"),
        Mutant("memory for itself", batch("memory // (saved * width)"), "for themselves"),
        Mutant("numbers as bytes", batch("max(0, (memory - parameters * (2 + moments)) // (saved * width))"),
               "four bytes"),
        Mutant("width for all", batch("max(0, (memory - width * parameters * (2 + moments)) // (saved * width))"),
               "for the saved numbers only"),
        Mutant("always four bytes", batch("max(0, (memory - 4 * parameters * (2 + moments)) // (saved * 4))"),
               "need not be 4"),
        Mutant("below zero", batch("(memory - 4 * parameters * (2 + moments)) // (saved * width)"), "negative"),
        Mutant("weights for each example", batch("memory // (4 * parameters * (2 + moments) + saved * width)"),
               "there once"),
        Mutant("rounded up", batch("max(0, -(-(memory - 4 * parameters * (2 + moments)) // (saved * width)))"),
               "round up"),
        Mutant("a float", batch("max(0, (memory - 4 * parameters * (2 + moments)) / (saved * width))"), "round down"),
    ),
    "14.6": (
        Mutant("no recomputing", kernel(RECOMPUTE, (CHECKPOINT, "group(x)")), "no block is computed again"),
        Mutant("the rest not recomputed", kernel(RECOMPUTE, (CHECKPOINT,
               f"{CHECKPOINT} if i + every <= len(blocks) else group(x)")), "does not compute block 6 again"),
        Mutant("checkpoint_sequential", """
def recompute(blocks, x, every):
    groups = -(-len(blocks) // every)
    return torch.utils.checkpoint.checkpoint_sequential(nn.Sequential(*blocks), groups, x, use_reentrant=False)
""", "blocks 4, 5, 6 again"),
        Mutant("groups too large", kernel(RECOMPUTE, ("    for i", "    every += 1\n    for i")), "has each of your"),
        Mutant("`every` groups, all blocks", kernel(RECOMPUTE,
               ("    for i", "    every = -(-len(blocks) // every)\n    for i")),
               "only 2 are. `every` says"),
        Mutant("one group", kernel(RECOMPUTE, ("range(0, len(blocks), every)", "range(1)"), ("i : i + every", ":")),
               "one group"),
        Mutant("each block", kernel(RECOMPUTE, ("len(blocks), every", "len(blocks), 1"), ("i + every", "i + 1")),
               "group of its own"),
        Mutant("reentrant", kernel(RECOMPUTE, ("=False", "=True")), "use_reentrant"),
        Mutant("a late function", kernel(RECOMPUTE,
               ("(group, x", "(lambda h: torch.nn.Sequential(*blocks[i : i + every])(h), x")),
               "loop's variables"),
        Mutant("the last group lost", kernel(RECOMPUTE, ("len(blocks), every", "len(blocks) // every * every, every")),
               "block 6 was called 0 times"),
        Mutant("`every` groups", kernel(RECOMPUTE, ("range(0, len(blocks), every)", "range(every)"),
               ("i : i + every", "i * every : (i + 1) * every")), "2 groups of 2. `every` says"),
        Mutant("the last block twice", kernel(RECOMPUTE, ("i : i + every]", "i : i + every] or blocks[-1:]"),
               ("len(blocks), every", "len(blocks) + 1, every")), "block 5 was called 2 times"),
        Mutant("no gradient", kernel(RECOMPUTE, ("    for i", "    for i", ), (f"        x = {CHECKPOINT}",
               "        with torch.no_grad():\n            x = group(x)")), "No gradient can come back"),
        Mutant("always from x", kernel(RECOMPUTE, (f"        x = {CHECKPOINT}", f"        y = {CHECKPOINT}"),
                                       ("return x", "return y")), "differs from that of the blocks"),
        Mutant("computed twice", kernel(RECOMPUTE,
               (f"        x = {CHECKPOINT}", f"        group(x)\n        x = {CHECKPOINT}")),
               "was called 2 times"),
    ),
    "14.7": (
        Mutant("each layer", """
def prune(model, share):
    masks = {}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim > 1:
                threshold = p.abs().flatten().kthvalue(max(1, int(share * p.numel()))).values
                masks[name] = p.abs() > threshold
                p *= masks[name]
    return masks
""", "Each layer loses the same share"),
        Mutant("signed", kernel(PRUNE, ("p.abs().flatten()", "p.flatten()"), ("p.abs() >", "p >")), "absolute value"),
        Mutant("the largest", kernel(PRUNE, ("int(share * len(sizes))", "len(sizes) - int(share * len(sizes))"),
                                     ("p.abs() > threshold", "p.abs() <= threshold")), "largest weights are gone"),
        Mutant("share kept", kernel(PRUNE, ("int(share * len(sizes))", "len(sizes) - int(share * len(sizes))")),
               "share has been kept"),
        Mutant("biases too", kernel(PRUNE, (" if p.ndim > 1", "")), "has one axis"),
        Mutant("threshold among all", kernel(PRUNE, ("for p in weights.values()]", "for p in model.parameters()]")),
               "biases or the batch normalization"),
        Mutant("share of the maximum", kernel(PRUNE,
               ("sizes.kthvalue(int(share * len(sizes))).values", "share * sizes.max()")),
               "share of the largest weight"),
        Mutant("share as threshold", kernel(PRUNE, ("sizes.kthvalue(int(share * len(sizes))).values", "share")),
               "taken as the threshold"),
        Mutant("not in place", kernel(PRUNE, ("p *= masks[name]", "p = p * masks[name]")), "in place"),
        Mutant("masks turned round", kernel(PRUNE,
               ("return masks", "return {name: ~mask for name, mask in masks.items()}")),
               "True means"),
        Mutant("mask applied wrongly", kernel(PRUNE, ("p *= masks[name]", "p *= ~masks[name]")), "wrong way round"),
        Mutant("masks of numbers", kernel(PRUNE, ("p.abs() > threshold", "(p.abs() > threshold).float()")),
               "True and False"),
        Mutant("a list of masks", kernel(PRUNE, ("return masks", "return list(masks.values())")), "A dict of masks"),
        Mutant("one too few", kernel(PRUNE, ("> threshold", ">= threshold")), "at the threshold stay, or go"),
        Mutant("rounded", kernel(PRUNE, ("int(share", "round(share")), "of which `int` keeps"),
        Mutant("quantile", kernel(PRUNE, ("sizes.kthvalue(int(share * len(sizes))).values",
                                          "torch.quantile(sizes, share)")), "of which `int` keeps"),
        Mutant("linear layers only", kernel(PRUNE, ("p.ndim > 1", "p.ndim == 2")), "has four axes"),
    ),
}  # fmt: skip
