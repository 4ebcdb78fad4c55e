"""Plausible wrong answers to the exercises of lesson 13, each with words that its message must contain."""

from gpucourse.exercises import n13_cnn_digits as n13
from tests.mutants.mutant import Mutant, kernel

NORMALIZE, EPOCH = n13.NORMALIZE_SOLUTION, n13.EPOCH_SOLUTION
EVALUATE, CONFUSION, NORM = n13.EVALUATE_SOLUTION, n13.CONFUSION_SOLUTION, n13.NORM_SOLUTION
BOTH = "((images[:, None] - mean) / spread).astype(np.float32)"
STATISTICS = "mean, spread = train.mean(), train.std()"
SCORES = "F.cross_entropy(scores, labels)"
FORWARD = "        scores = model(images)\n"
ZERO, BACK, STEP = "        optimizer.zero_grad()\n", "        loss.backward()\n", "        optimizer.step()\n"
COUNT = "right += (model(images).argmax(dim=1) == labels).sum().item()"
AXES = "    m, v, gamma, beta = (c[:, None, None] for c in (m, v, gamma, beta))\n"
M, V = "x.mean(dim=(0, 2, 3))", "x.var(dim=(0, 2, 3), correction=0)"
Y = "gamma * (x - m) / (v + 1e-5).sqrt() + beta"


def inputs(**changed):
    """The right dict of 13.1 with some values changed."""
    keys = dict(zip(("color", "large", "stride", "pooled", "wide"), n13.INPUTS, strict=True))
    return f"inputs = {dict(n13.INPUTS) | {keys[key]: value for key, value in changed.items()}}\n"


def normal(*changes):
    return kernel(NORMALIZE, *changes)


def epoch(*changes):
    return kernel(EPOCH, *changes)


def look(*changes):
    return kernel(EVALUATE, *changes)


def norm(*changes):
    return kernel(NORM, *changes)


def each(train, test):
    """An answer to 13.2 with an expression for each set."""
    return f"def normalize(train, test):\n    a, b = {train}, {test}\n    return a, b\n"


def share(expression):
    """An answer to 13.5 that goes through all batches rightly and then computes `expression` of shares and sizes."""
    return kernel(
        EVALUATE, ("right, n = model.training, 0, 0", "shares, sizes = model.training, [], []"),
        (COUNT, "shares.append((model(images).argmax(dim=1) == labels).float().mean().item())"),
        ("n += len(labels)", "sizes.append(len(labels))"), ("return right / n", f"return {expression}"),
    )  # fmt: skip


OTHERS = "((test[:, None] - test.mean()) / test.std()).astype(np.float32)"
OWN = "((train[:, None] - train.mean()) / train.std()).astype(np.float32)"

MUTANTS = {
    "13.1": (
        Mutant("three colors", inputs(color=27648), "makes one picture of them"),
        Mutant("padding in mind", inputs(large=65536), "Without padding each takes two rows"),
        Mutant("no pooling", inputs(large=230400), "pooling is forgotten"),
        Mutant("always 9216", inputs(large=9216), "from larger ones more rows"),
        Mutant("stride with padding", inputs(stride=3136), "fits (26 - 3) // 2 + 1 times"),
        Mutant("stride or pooling", inputs(stride=9216), "halves them once more"),
        Mutant("rounded up", inputs(pooled=2304), "Neither 12 halved nor 11 rounded up"),
        Mutant("half rows", inputs(pooled=1936.0), "no half row"),
        Mutant("two poolings", inputs(pooled=3136), "28 becomes 7"),
        Mutant("wide kernels eat", inputs(wide=6400), "adds two rows above"),
        Mutant("padding, no pooling", inputs(wide=50176), "still halves it"),
        Mutant("no channels", inputs(color=144, large=900, stride=36, pooled=25, wide=196), "places of one channel"),
        Mutant("32 channels", inputs(color=4608, large=28800, stride=1152, pooled=800, wide=6272), "not 32"),
        Mutant("one missing", 'inputs = {"color pictures of 28 x 28": 9216}\n', "lacks"),
    ),
    "13.2": (
        Mutant("each its own", each(OWN, OTHERS), "normalized by its own mean and spread"),
        Mutant("both together", normal((STATISTICS, "every = np.concatenate([train, test])\n"
                                        "    mean, spread = every.mean(), every.std()")), "from both sets together"),
        Mutant("of the test set", normal(("train.mean(), train.std()", "test.mean(), test.std()")),
               "other way round"),
        Mutant("variance", normal(("train.std()", "train.var()")), "divided by the variance"),
        Mutant("mean only", normal((" / spread", " / 1")), "not divided by the standard deviation"),
        Mutant("0 to 1", normal((BOTH, "(images[:, None] / 255).astype(np.float32)")), "from 0 to 1"),
        Mutant("0 to 1, minus the mean of 0 to 255", normal(("(images[:, None] - mean)", "(images[:, None] / 255 - "
                                                                                         "mean)")),
               "mean and spread are not"),
        Mutant("numbers of 0 to 1, pixels not", normal((STATISTICS, "mean, spread = train.mean() / 255, train.std() / "
                                                                    "255")), "pixels here are not divided"),
        Mutant("uint8 wraps", normal(("(images[:, None] - mean)", "(images[:, None] - np.uint8(mean))")),
               "wraps round"),
        Mutant("test from 0 to 255", each("(((train / 255)[:, None] - (train / 255).mean()) / (train / 255).std())"
                                          ".astype(np.float32)",
                                          "((test[:, None] - train.mean() / 255) / (train.std() / 255))"
                                          ".astype(np.float32)"), "still go from 0 to 255"),
        Mutant("each pixel", normal(("train.mean(), train.std()", "train.mean(axis=0), train.std(axis=0)")),
               "of its own (axis 0)"),
        Mutant("MNIST's numbers", normal((STATISTICS, "mean, spread = 255 * 0.1307, 255 * 0.3081")),
               "numbers of MNIST"),
        Mutant("no channel", normal(("images[:, None]", "images")), "axis of length 1"),
        Mutant("float64", normal((BOTH, "(images[:, None] - mean) / spread")), "float64"),
        Mutant("channel last", normal(("images[:, None]", "images[..., None]")), "channel is the last axis"),
        Mutant("test left alone", each(OWN, "test[:, None].astype(np.float32)"), "not normalized at all"),
        Mutant("test's own mean", each(OWN, "((test[:, None] - test.mean()) / train.std()).astype(np.float32)"),
               "own mean is subtracted"),
        Mutant("train twice", each(OWN, OWN), "Both results are the training set"),
    ),
    "13.3": (
        Mutant("all but the plain one", f"wrong = {set(n13.LOSSES[1:])}\n", "Superfluous"),
        Mutant("two steps", 'wrong = {"nll_loss of log_softmax"}\n', "in two steps"),
        Mutant("twice a logarithm", f"wrong = {set(n13.LOSSES[i] for i in (1, 3, 4, 5))}\n", "Superfluous, and right"),
        Mutant("without the ReLU", 'wrong = {"cross_entropy of softmax", "nll_loss of softmax"}\n', "negative scores"),
        Mutant("no log overlooked", f"wrong = {set(n13.LOSSES[i] for i in (1, 5))}\n", "take its logarithm"),
        Mutant("softmax overlooked", f"wrong = {set(n13.LOSSES[i] for i in (3, 5))}\n", "cannot come near 0"),
        Mutant("the complement", f"wrong = {set(n13.LOSSES[::2])}\n", "those that *do* compute"),
        Mutant("softmax only", 'wrong = {"cross_entropy of softmax"}\n', "2 are missing"),
        Mutant("the plain one", 'wrong = {"cross_entropy of scores"}\n', "asked for"),
        Mutant("lists in a list", 'wrong = [["nll_loss of softmax"]]\n', "an item of wrong should be"),
        Mutant("a string", 'wrong = "nll_loss of softmax"\n', "should be a set"),
        Mutant("another name", 'wrong = {"softmax"}\n', "the options are"),
    ),
    "13.4": (
        Mutant("softmax left in", epoch((SCORES, "F.cross_entropy(scores.softmax(dim=1), labels)")),
               "given probabilities"),
        Mutant("softmax over the batch", epoch((SCORES, "F.cross_entropy(scores.softmax(dim=0), labels)")),
               "over the batch, dim 0"),
        Mutant("batches times the last size", epoch(("n += len(labels)", "n += 1"),
                                                    ("total / n", "total / (n * len(labels))")), "3 times 3"),
        Mutant("sum over the batch", epoch((SCORES, 'F.cross_entropy(scores, labels, reduction="sum")')),
               "sum over the batch"),
        Mutant("no logarithm", epoch((SCORES, "F.nll_loss(scores.softmax(dim=1), labels)")), "no logarithm itself"),
        Mutant("the loss once more", epoch((STEP, STEP + "        loss = F.cross_entropy(model(images), labels)\n")),
               "called 6 times in training mode"),
        Mutant("no zero_grad", epoch((ZERO, "")), "not set to zero for each batch"),
        Mutant("zero_grad between", epoch((ZERO, ""), (BACK, BACK + ZERO)), "thrown away"),
        Mutant("zero_grad once", epoch((ZERO, ""), ("    model.train()\n", "    model.train()\n    "
                                                                           "optimizer.zero_grad()\n")),
               "not set to zero for each batch"),
        Mutant("step first", epoch((STEP, ""), (ZERO, STEP + ZERO)), "between the forward pass and"),
        Mutant("step first, gradients gone", epoch((STEP, ""), (ZERO, ZERO + STEP)), "thrown away"),
        Mutant("step at the beginning", epoch((STEP, ""), (FORWARD, STEP + FORWARD), (ZERO, ""), (BACK, ZERO + BACK)),
               "gradients of the batch before"),
        Mutant("not in training mode", epoch(("    model.train()\n", "")), "came in `eval()` mode"),
        Mutant("eval", epoch(("model.train()", "model.eval()")), "came in `eval()` mode"),
        Mutant("no step", epoch((STEP, "")), "no step is made"),
        Mutant("one step at the end", epoch((STEP, ""), ("    return", "    optimizer.step()\n    return")),
               "1 step is made"),
        Mutant("only the mean", kernel(n13.EPOCH_STUB, ("    return ...", "    return loss.item()")),
               "And it is not the only mistake"),
        Mutant("mean of the batches", epoch((" * len(labels)", ""), ("n += len(labels)", "n += 1")),
               "Each batch counts the same"),
        Mutant("sum of the batches", epoch((" * len(labels)", ""), ("return total / n", "return total")),
               "sum of the batches' losses"),
        Mutant("mean of means by examples", epoch((" * len(labels)", "")), "divide it by their number once more"),
        Mutant("last loss", epoch(("return total / n", "return loss.item()")), "last batch's loss"),
        Mutant("sum", epoch(("return total / n", "return total")), "sum over all examples"),
        Mutant("the tensor", epoch(("loss.item()", "loss")), "carries the record"),
        Mutant("the tensor without record", epoch(("loss.item()", "loss.detach()")), "A tensor is returned"),
        Mutant("no return", epoch(("    return total / n\n", "")), "Nothing is returned"),
        Mutant("return inside the loop", epoch(("    return total", "        return total")), "1 step is made"),
        Mutant("other parameters", epoch(("model, batches, optimizer", "model, batches")), "The exercise calls"),
    ),
    "13.5": (
        Mutant("no eval", look(("    model.eval()\n", "")), "in training mode while"),
        Mutant("no no_grad", look(("with torch.no_grad():", "if True:")), "kept a record"),
        Mutant("eval too late", look(("    model.eval()\n", ""), (COUNT, COUNT + "\n            model.eval()")),
               "in training mode while"),
        Mutant("mean of shares", share("sum(shares) / len(shares)"), "Each batch counts the same"),
        Mutant("last share", share("shares[-1]"), "share of the last batch"),
        Mutant("sum of shares", share("sum(shares)"), "added up"),
        Mutant("percent", look(("return right / n", "return 100 * right / n")), "These are percent"),
        Mutant("a count", look(("return right / n", "return right")), "number of right answers"),
        Mutant("errors", look(("== labels", "!= labels")), "share of wrong answers"),
        Mutant("a tensor", look((".sum().item()", ".sum()")), "A tensor is returned"),
        Mutant("by the batches", look(("n += len(labels)", "n += 1")), "by the number of batches"),
        Mutant("full batches", look(("n += len(labels)", "n += 5")), "taken to have 5 examples"),
        Mutant("mode not put back", look(("    model.train(was_training)\n", "")), "came in training mode"),
        Mutant("always training afterwards", look(("model.train(was_training)", "model.train()")),
               "came in `eval()` mode"),
        Mutant("argmin", look(("argmax", "argmin")), "smallest score"),
        Mutant("argmax of the batch", look(("argmax(dim=1)", "argmax()")), "without `dim`"),
        Mutant("the score, not its place", look(("argmax(dim=1)", "max(dim=1).values")), "*place*"),
        Mutant("switched off for ever", look(("with torch.no_grad():", "torch.set_grad_enabled(False)\n    if True:")),
               "never on again"),
        Mutant("down the batch", look(("dim=1", "dim=0")), "Axis 0 counts the examples"),
        Mutant("return in the loop", look(("            n += len(labels)", "            n += len(labels)\n"
                                           "            return right / n")), "batches"),
    ),
    "13.6": (
        Mutant("exchanged", kernel(CONFUSION, ("counts[label, answer]", "counts[answer, label]")), "exchanged"),
        *(Mutant(f"counted in {dtype}", kernel(CONFUSION, ("classes), int)", f"classes), np.{dtype})")),
                 f"kept as {dtype}") for dtype in ("int8", "uint8")),
        Mutant("indexed at once", "def confusion(labels, said, classes):\n"
               "    counts = np.zeros((classes, classes), int)\n    counts[labels, said] += 1\n    return counts\n",
               "at most once"),
        Mutant("only classes that occur", "def confusion(labels, said, classes):\n"
               "    there = sorted({*labels, *said})\n"
               "    return np.array([[((labels == i) & (said == k)).sum() for k in there] for i in there])\n",
               "has its row and column, too"),
        Mutant("ten classes", "def confusion(labels, said, classes):\n"
               "    counts = np.bincount(labels * 10 + said, minlength=classes * classes)[:classes * classes]\n"
               "    return counts.reshape(classes, classes)\n", "factor 10"),
        Mutant("shares of rows", kernel(CONFUSION, ("return counts", "return counts / np.maximum("
                                                    "counts.sum(axis=1, keepdims=True), 1)")), "shares of each row"),
        Mutant("shares", kernel(CONFUSION, ("return counts", "return counts / len(labels)")), "shares of all"),
        Mutant("mistakes only", kernel(CONFUSION, ("counts[label, answer] += 1",
                                                   "counts[label, answer] += label != answer")), "diagonal is empty"),
        Mutant("hits only", kernel(CONFUSION, ("counts[label, answer] += 1",
                                               "counts[label, answer] += label == answer")), "Only right answers"),
        Mutant("labels only", kernel(CONFUSION, ("counts[label, answer]", "counts[label, label]")), "`said` does not"),
        Mutant("as many as occur", kernel(CONFUSION, ("(classes, classes), int", "(said.max() + 1, classes), int")),
               "confusion"),
        Mutant("both ways", kernel(CONFUSION, ("+= 1", "+= 1\n        counts[answer, label] += 1")), "counts twice"),
    ),
    "13.7": (
        Mutant("running ones in training", norm((f"m, v = {M}, {V}", f"m, v = {M}, {V}; keep = mean.clone(), "
                                                                     "variance.clone()"),
                                                ("    else:", "        m, v = keep\n    else:")), "Here the running "
                                                                                                  "ones do"),
        Mutant("n - 1", norm(("correction=0", "correction=1"), (" * n / (n - 1)", "")), "computes by default"),
        Mutant("over the examples", norm((M, "x.mean(dim=0)"), (V, "x.var(dim=0, correction=0)"),
                                         ("with torch.no_grad():", "if True:"), ("mean += 0.1 * (m - mean)", "pass"),
                                         ("variance += 0.1 * (v * n / (n - 1) - variance)", "pass"),
                                         ("m, v, gamma, beta = (c[:, None, None] for c in (m, v, gamma, beta))",
                                          "gamma, beta = gamma[:, None, None], beta[:, None, None]")),
               "every pixel is normalized by itself"),
        *(Mutant(f"kept account of with {axes}", norm((M, f"x.mean({axes})"), (V, f"x.var({axes}, correction=0)")),
                 "must have one number for each channel")
          for axes in ("dim=1", "dim=(2, 3)", "dim=(0, 2, 3), keepdim=True")),
        Mutant("divided by the variance", norm((".sqrt()", "")), "Divide by its root"),
        Mutant("eps outside", norm(("(v + 1e-5).sqrt()", "(v.sqrt() + 1e-5)")), "stands under it"),
        Mutant("no eps", norm(("(v + 1e-5)", "v")), "eps is missing"),
        Mutant("no gamma, no beta", norm((Y, "(x - m) / (v + 1e-5).sqrt()")), "gamma and beta are missing"),
        Mutant("no beta", norm((Y, "gamma * (x - m) / (v + 1e-5).sqrt()")), "beta is missing"),
        Mutant("sum first", norm((Y, "gamma * ((x - m) / (v + 1e-5).sqrt() + beta)")), "without parentheses"),
        Mutant("always the batch", norm(("    else:\n        m, v = mean, variance\n", f"    else:\n        m, v = "
                                                                                       f"{M}, {V}\n")),
               "depends on its neighbors"),
        Mutant("account in both modes", norm(("    else:\n        m, v = mean, variance\n",
                                              "    else:\n        m, v = mean.clone(), variance.clone()\n"
                                              f"        mean += 0.1 * ({M} - mean)\n")), "must leave both alone"),
        Mutant("not in place", norm(("mean += 0.1 * (m - mean)", "mean = mean + 0.1 * (m - mean)")),
               "must change in place"),
        Mutant("the other way round", norm(("mean += 0.1 * (m - mean)", "mean.mul_(0.1).add_(0.9 * m)")),
               "nine tenths are the new one"),
        Mutant("never kept", norm(("mean += 0.1 * (m - mean)", "pass"),
                                  ("            variance += 0.1 * (v * n / (n - 1) - variance)\n", "")),
               "has not changed"),
        Mutant("running variance with n", norm((" * n / (n - 1)", "")), "It is computed with N"),
        Mutant("n pictures", norm(("x.numel() / x.shape[1]", "len(x)")), "N counts the numbers"),
        Mutant("replaced", norm(("mean += 0.1 * (m - mean)", "mean.copy_(m)")), "becomes the batch's own"),
        Mutant("a record on the running ones", norm(("with torch.no_grad():", "if True:")), "grows with every batch"),
        Mutant("no record at all", norm((f"    return {Y}", f"    return ({Y}).detach()")), "y carries none"),
        Mutant("mean without record", norm((f"m, v = {M}, {V}", f"m, v = {M}.detach(), {V}.detach()")),
               "the gradient that goes back to x is not"),
        Mutant("without the axes", norm((AXES, "")), "with `[:, None, None]` along the channels"),
        Mutant("whole picture", norm((M, "x.mean()"), (V, "x.var(correction=0)"),
                                     ("c[:, None, None] for c in (m, v, gamma, beta)",
                                      "c[:, None, None] if c.ndim else c for c in (m, v, gamma, beta)")),
               "All channels share one"),
    ),
}  # fmt: skip
