"""Plausible wrong answers to lesson 17's exercises, each with words of the message that names its cause."""

from gpucourse.exercises import n17_music_mood as n17
from tests.mutants.mutant import Mutant, kernel


def framed(count="(samples - size) // hop + 1", middle="(k * hop + size / 2) / rate"):
    return (
        "def frames_of(samples, size, hop, rate, k):\n"
        f"    count = {count}\n"
        f"    middle = {middle}\n"
        "    return count, middle\n"
    )


def loud(*lines):
    return "def decibel(power, quietest):\n" + "".join(f"    {line}\n" for line in lines)


def windowed(*replacements):
    return kernel(n17.WINDOWED.solution, *replacements)


def chroma(*replacements):
    return kernel(n17.CHROMA.solution, *replacements)


def folds(*replacements):
    return kernel(n17.FOLDS.solution, *replacements)


def pca(*replacements):
    return kernel(n17.PCA.solution, *replacements)


def balanced(*lines):
    return "def balanced_accuracy(counts):\n" + "".join(f"    {line}\n" for line in lines)


S = "int s = frame * hop + j - size / 2;"
OUT = "out[i] = s >= 0 && s < samples ? sound[s] * window[j] : 0.0f;"
FRAME = "int frame = i / size, j = i % size;"
ADDED = "chroma.index_add_(0, classes, power[heard])"
PITCH = "69 + 12 * torch.log2(hertz[heard] / 440)"
MEAN = "mean, spread = train.mean(dim=0), train.std(dim=0)"
SVD = "torch.linalg.svd(scaled, full_matrices=False).Vh[:k]"
LAST = "(x - mean) / spread @ directions.T"
LOOP = """    for mode in (True, False):
        names = rng.permutation(np.unique(tunes[minor == mode]))
        for i, name in enumerate(names):
            fold[tunes == name] = i % folds
"""

MUTANTS = {
    "17.1": [
        Mutant("no + 1", framed(count="(samples - size) // hop"), "One too few"),
        Mutant("hops in the sound", framed(count="samples // hop"), "So many hops fit"),
        Mutant("padded", framed(count="samples // hop + 1"), "half a frame of zeros"),
        Mutant("side by side", framed(count="samples // size"), "side by side"),
        Mutant("mixed up", framed(count="(samples - hop) // size + 1"), "`size` and `hop` have changed places"),
        Mutant("rounded up", framed(count="-(-(samples - size) // hop) + 1"), "You round up"),
        Mutant("a fraction", framed(count="(samples - size) / hop + 1"), "no part of a frame"),
        Mutant("every sample", framed(count="samples - size + 1"), "begins at every sample"),
        Mutant("places divided", framed(count="(samples - size + 1) // hop + 1"), "one sample less"),
        Mutant("last frame lost", framed(count="(samples - size - 1) // hop + 1"), "ends with the sound"),
        Mutant("a sample more", framed(count="(samples - size + 1) // hop"), "a frame, not a sample"),
        Mutant("two more", framed(count="(samples - size) // hop + 2"), "One too many"),
        Mutant("round", framed(count="round((samples - size) / hop) + 1"), "goes up from a half"),
        Mutant("hops, rounded up", framed(count="-(-samples // hop)"), "The hops in the whole sound"),
        Mutant("whole half", framed(middle="(k * hop + size // 2) / rate"), "where `size` is odd"),
        Mutant("middle sample", framed(middle="(k * hop + (size - 1) / 2) / rate"), "half a sample early"),
        Mutant("all halved", framed(middle="(k * hop + size) / 2 / rate"), "The whole sum is halved"),
        Mutant("minus", framed(middle="(k * hop - size / 2) / rate"), "Half a frame is subtracted"),
        Mutant("beginning", framed(middle="k * hop / rate"), "*begins*"),
        Mutant("end", framed(middle="(k * hop + size) / rate"), "frame k ends"),
        Mutant("half a hop", framed(middle="(k + 0.5) * hop / rate"), "Half a hop"),
        Mutant("k sizes", framed(middle="k * size / rate"), "not after k frames"),
        Mutant("k and a half sizes", framed(middle="(k * size + size / 2) / rate"), "not after k frames"),
        Mutant("size and hop", framed(middle="(k * size + hop / 2) / rate"), "changed places"),
        Mutant("samples", framed(middle="k * hop + size / 2"), "This is a sample"),
        Mutant("milliseconds", framed(middle="(k * hop + size / 2) / rate * 1000"), "milliseconds"),
        Mutant("whole seconds", framed(middle="(k * hop + size / 2) // rate"), "whole seconds only"),
        Mutant("from 1", framed(middle="((k - 1) * hop + size / 2) / rate"), "counted from 0"),
        Mutant("parentheses", framed(middle="k * hop + size / 2 / rate"), "parentheses"),
        Mutant("times the rate", framed(middle="(k * hop + size / 2) * rate"), "Multiplied by the rate"),
        Mutant("16,000", framed(middle="(k * hop + size / 2) / 16000"), "It is an argument"),
        Mutant("one result", "def frames_of(samples, size, hop, rate, k):\n    return (samples - size) // hop + 1\n",
               "2 results"),
    ],
    "17.2": [
        Mutant("no floor", loud("return 10 * torch.log10(power)"), "the logarithm of 0"),
        Mutant("added", loud("return 10 * torch.log10(power + quietest)"), "is added to every power"),
        Mutant("the loudest", loud("return 10 * torch.log10(power.max().clamp(min=quietest))"), "is one number"),
        Mutant("zeros only", loud("power = torch.where(power == 0, quietest, power)",
                                  "return 10 * torch.log10(power)"), "Only powers of exactly 0"),
        Mutant("after the logarithm", loud("return (10 * torch.log10(power)).clamp(min=quietest)"),
               "under the decibels"),
        Mutant("inf made 0", loud("return (10 * torch.log10(power)).nan_to_num(neginf=0.0)"), "louder than most"),
        Mutant("where", loud("return torch.where(power > quietest, 10 * torch.log10(power), 0.0)"), "louder than most"),
        Mutant("quietest itself", loud("return torch.where(power < quietest, quietest, 10 * torch.log10(power))"),
               "the number `quietest` itself"),
        Mutant("10 inside", loud("return torch.log10(10 * power.clamp(min=quietest))"), "inside of the logarithm"),
        Mutant("10 to the power", loud("return 10 ** torch.log10(power.clamp(min=quietest))"), "powers again"),
        Mutant("nan", loud("return 10 * torch.log10(torch.where(power < quietest, torch.nan, power))"), "become nan"),
        Mutant("fixed eps", loud("return 10 * torch.log10(power + 1e-12)"), "has no effect"),
        Mutant("1e-8", loud("return 10 * torch.log10(power.clamp(min=1e-8))"), "It is an argument"),
        Mutant("ceiling", loud("return 10 * torch.log10(power.clamp(quietest, 1))"), "no ceiling"),
        Mutant("20", loud("return 20 * torch.log10(power.clamp(min=quietest))"), "factor 20 is for amplitudes"),
        Mutant("natural", loud("return 10 * torch.log(power.clamp(min=quietest))"), "natural logarithm"),
        Mutant("bels", loud("return torch.log10(power.clamp(min=quietest))"), "these are bels"),
        Mutant("ln", loud("return torch.log(power.clamp(min=quietest))"), "natural logarithm alone"),
        Mutant("log1p", loud("return torch.log1p(power)"), "squeezed together"),
        Mutant("1 added", loud("return 10 * torch.log10(1 + power)"), "1 is added"),
        Mutant("max", loud("return 10 * torch.log10(power.clamp(max=quietest))"), "exchanged"),
        Mutant("fixed floor", loud("return 10 * torch.log10(power.clamp(min=1e-10))"), "It is an argument"),
        Mutant("relative", loud("return 10 * torch.log10((power / power.max()).clamp(min=quietest))"),
               "a scale of its own"),
        Mutant("largest subtracted", loud("db = 10 * torch.log10(power.clamp(min=quietest))", "return db - db.max()"),
               "a scale of its own"),
        Mutant("in place", loud("return 10 * torch.log10(power.clamp_(min=quietest))"), "in place"),
        Mutant("in place by a mask", loud("power[power < quietest] = quietest", "return 10 * torch.log10(power)"),
               "in place"),
        Mutant("an array", loud("return 10 * np.log10(np.maximum(power.numpy(), quietest))"), "torch tensor"),
        Mutant("no return", loud("10 * torch.log10(power.clamp(min=quietest))"), "`return`"),
    ],
    "17.3": [
        Mutant("no test", windowed((OUT, "out[i] = sound[s] * window[j];")), "No test keeps out"),
        Mutant("only behind tested", windowed(("s >= 0 && s < samples", "s < samples")), "number is negative"),
        Mutant("only before tested", windowed(("s >= 0 && s < samples", "s >= 0")), "behind the end"),
        Mutant("one more", windowed(("s < samples", "s <= samples")), "`samples` pass"),
        Mutant("without sample 0", windowed(("s >= 0", "s > 0")), "Sample 0 counts as 0"),
        Mutant("not around", windowed((" - size / 2", "")), "size / 2 before it"),
        Mutant("plus", windowed(("- size / 2", "+ size / 2")), "should be subtracted"),
        Mutant("half a hop", windowed(("- size / 2", "- hop / 2")), "Half a *hop*"),
        Mutant("every size", windowed(("frame * hop", "frame * size")), "begins every `size` samples"),
        Mutant("size and hop", windowed((FRAME, "int frame = i / hop, j = i % hop;"),
                                        ("frame * hop", "frame * size")), "changed places"),
        Mutant("rows of hop", windowed((FRAME, "int frame = i / hop, j = i % hop;")), "changed places"),
        Mutant("frame and place", windowed((FRAME, "int frame = i % size, j = i / size;")), "have changed places"),
        Mutant("columns", windowed((FRAME, "int frame = i % count, j = i / count;")), "(size, count)"),
        Mutant("window by sample", windowed(("window[j]", "window[s]")), "window"),
        Mutant("window by sample, in turn", windowed(("window[j]", "window[(s + size * size) % size]")),
               "by another index"),
        Mutant("window by element", windowed(("window[j]", "window[i]")), "window"),
        Mutant("backwards", windowed(("window[j]", "window[size - 1 - j]")), "backwards"),
        Mutant("no window", windowed((" * window[j]", "")), "no effect"),
        Mutant("added", windowed(("sound[s] * window", "sound[s] + window")), "a factor"),
        Mutant("an int", windowed((OUT, "int x = s >= 0 && s < samples ? sound[s] : 0; out[i] = x * window[j];")),
               "fractions are cut off"),
        Mutant("not written", windowed((OUT, "if (s >= 0 && s < samples) out[i] = sound[s] * window[j];")),
               "is never written"),
        Mutant("clamped", windowed((OUT, "out[i] = sound[min(max(s, 0), samples - 1)] * window[j];")),
               "are repeated"),
        Mutant("round", windowed((OUT, "out[i] = sound[(s % samples + samples) % samples] * window[j];")),
               "other side"),
        Mutant("no frame", windowed((S, "int s = j - size / 2;")), "Every frame is the same"),
        Mutant("no place", windowed((S, "int s = frame * hop - size / 2;")), "the place j is missing"),
    ],
    "17.4": [
        Mutant("down", chroma((".round()", "")), "rounded down"),
        Mutant("floor", chroma((".round()", ".floor()")), "rounded down"),
        Mutant("up", chroma((".round()", ".ceil()")), "rounded up"),
        Mutant("A first", chroma(("69 + 12", "12")), "Class 0 is A"),
        Mutant("natural", chroma(("log2", "log")), "natural logarithm"),
        Mutant("log10", chroma(("log2", "log10")), "a factor of 10"),
        Mutant("octaves", chroma(("12 * torch", "torch")), "counts octaves"),
        Mutant("bin numbers", chroma((PITCH, "torch.arange(len(hertz))[heard] * 1.0")), "*number* of the bin"),
        Mutant("hertz", chroma((PITCH, "hertz[heard]")), "taken modulo 12"),
        Mutant("all but 0", chroma(("hertz >= 27.5", "hertz > 0")), "below 27.5 Hz are counted"),
        Mutant("above 27.5", chroma(("hertz >= 27.5", "hertz > 27.5")), "exactly 27.5"),
        Mutant("by pitch", chroma(("hertz >= 27.5", "(69 + 12 * torch.log2(hertz / 440)).round() >= 21")),
               "limit is for the frequency itself"),
        Mutant("27", chroma(("hertz >= 27.5", "hertz >= 27")), "the limit is too low"),
        Mutant("20 Hz", chroma(("hertz >= 27.5", "hertz >= 20")), "the limit is too low"),
        Mutant("whole hertz", chroma(("hertz >= 27.5", "hertz.long() > 27.5")), "rounded before it is compared"),
        Mutant("C1", chroma(("hertz >= 27.5", "hertz >= 32")), "the limit is too high"),
        Mutant("a piano's notes", chroma(("hertz >= 27.5", "(hertz >= 27.5) & (hertz <= 4186)")), "highest note"),
        Mutant("rounded late", chroma(("pitches.round().long() % 12", "(pitches % 12).round().long().clamp(max=11)")),
               "whose remainder is 11.5"),
        Mutant("440 missing", chroma((" / 440", "")), "division by 440"),
        Mutant("whole hertz in the logarithm", chroma(("hertz[heard] /", "hertz[heard].round() /")),
               "rounded before the logarithm"),
        Mutant("clamped classes", chroma(("round().long() % 12", "round().long().clamp(0, 11)")), "modulo 12"),
        Mutant("the octave", chroma(("long() % 12", "long() // 12")), "number of the octave"),
        Mutant("nearest in hertz", chroma(("classes = pitches.round().long() % 12",
               "notes = 440 * 2 ** ((torch.arange(140) - 69) / 12)\n    "
               "classes = (hertz[heard][:, None] - notes).abs().argmin(dim=1) % 12")), "looked for in hertz"),
        Mutant("0, too", "def chroma_of(power, hertz):\n    pitches = 69 + 12 * torch.log2(hertz / 440)\n"
               "    classes = pitches.round().long() % 12\n"
               "    return torch.zeros(12, power.shape[1]).index_add_(0, classes, power)\n", "an accident"),
        Mutant("clamped", chroma(("hertz >= 27.5", "hertz >= 0"), (PITCH, "69 + 12 * torch.log2(hertz.clamp(min=27.5)"
                                                                          " / 440)")), "into one class"),
        Mutant("transposed", chroma((ADDED, ADDED + ".T")), "Rows and columns are exchanged"),
        Mutant("all frames", chroma((ADDED, ADDED + ".sum(dim=1)")), "Each frame has its own"),
        Mutant("mean frame", chroma((ADDED, ADDED + ".mean(dim=1)")), "mean of the frames"),
        Mutant("largest 1", chroma((f"return {ADDED}", f"c = {ADDED}\n    return c / c.amax(dim=0)")),
               "divided by its largest"),
        Mutant("shares", chroma((f"return {ADDED}", f"c = {ADDED}\n    return c / c.sum(dim=0)")),
               "divided by its sum"),
        Mutant("assigned", chroma((f"return {ADDED}", "chroma[classes] = power[heard]\n    return chroma")),
               "one bin only"),
        Mutant("added once", chroma((f"return {ADDED}", "chroma[classes] += power[heard]\n    return chroma")),
               "one bin only"),
        Mutant("means", chroma((f"return {ADDED}", "n = torch.bincount(classes, minlength=12)\n    return "
                                                   f"{ADDED} / n[:, None]")), "means over the bins"),
        Mutant("amplitudes", chroma(("power[heard]", "power[heard].sqrt()")), "roots"),
    ],
    "17.5": [
        Mutant("clips", "def fold_of(tunes, minor, folds, rng):\n"
               "    return rng.permutation(len(tunes)) % folds\n", "Deal out tunes, not clips"),
        Mutant("clips by mode", "def fold_of(tunes, minor, folds, rng):\n    fold = np.zeros(len(tunes), int)\n"
               "    for mode in (True, False):\n        at = rng.permutation(np.flatnonzero(minor == mode))\n"
               "        fold[at] = np.arange(len(at)) % folds\n    return fold\n", "Deal out tunes, not clips"),
        Mutant("modes together", folds((LOOP, "    for i, name in enumerate(rng.permutation(np.unique(tunes))):\n"
                                              "        fold[tunes == name] = i % folds\n")),
               "separately"),
        Mutant("by chance", folds((LOOP, "    for name in np.unique(tunes):\n"
                                         "        fold[tunes == name] = rng.integers(folds)\n")),
               "a draw of its own"),
        Mutant("no shuffle", folds(("rng.permutation(np.unique(tunes[minor == mode]))",
                                    "np.unique(tunes[minor == mode])")), "shuffle the tunes with `rng`"),
        Mutant("own generator", folds(("rng.permutation", "np.random.default_rng(0).permutation")),
               "shuffle the tunes with `rng`"),
        Mutant("global chance", folds(("rng.permutation", "np.random.permutation")), "all random numbers from it"),
        Mutant("number modulo", "def fold_of(tunes, minor, folds, rng):\n    return tunes % folds\n",
               "own number decides"),
        Mutant("in blocks", folds(("i % folds", "i // folds")), "gets no tune at all"),
        Mutant("one fold less", folds(("i % folds", "i % (folds - 1)")), "fold 3 gets no tune"),
        Mutant("from 1", folds(("i % folds", "i % folds + 1")), "numbered from 1"),
        Mutant("minor only", folds(("(True, False)", "(True,)")), "tunes of both modes"),
        Mutant("shuffled in place", "def fold_of(tunes, minor, folds, rng):\n    rng.shuffle(tunes)\n"
               "    return tunes % folds\n", "argument was changed"),
        Mutant("a list", folds(("return fold", "return fold.tolist()")), "array"),
        Mutant("a mask", folds(("return fold", "return fold == 0")), "whole numbers"),
        Mutant("one for each tune", folds(("return fold", "return fold[: len(np.unique(tunes))]")),
               "one for each clip"),
        Mutant("names not once", folds(("np.unique(tunes[minor == mode])", "tunes[minor == mode]")),
               "differ by more than one"),
    ],
    "17.6": [
        Mutant("nothing", pca(("scaled = (train - mean) / spread", "scaled = train"), (LAST, "x @ directions.T")),
               "not centered"),
        Mutant("not centered", pca(("scaled = (train - mean) / spread", "scaled = train / spread"),
                                   (LAST, "x / spread @ directions.T")), "not centered"),
        Mutant("directions not centered", pca(("scaled = (train - mean) / spread", "scaled = train / spread")),
               "not centered"),
        Mutant("raw directions", pca(("scaled = (train - mean) / spread", "scaled = train")), "not centered"),
        Mutant("not divided", pca(("scaled = (train - mean) / spread", "scaled = train - mean"),
                                  (LAST, "(x - mean) @ directions.T")), "not divided"),
        Mutant("mean and spread of both",
               pca(("train.mean(dim=0), train.std(dim=0)",
                    "torch.cat([train, x]).mean(dim=0), torch.cat([train, x]).std(dim=0)")), "of both sets together"),
        Mutant("x only centered", pca((LAST, "(x - mean) @ directions.T")), "only centered"),
        Mutant("x not centered", pca((LAST, "x / spread @ directions.T")), "mean of `train` is not taken away"),
        Mutant("divided first", pca(("(train - mean) / spread", "train / spread - mean"),
                                    (LAST, "(x / spread - mean) @ directions.T")), "Subtract first"),
        Mutant("from the second on", pca((".Vh[:k]", ".Vh[1 : k + 1]")), "first direction is left out"),
        Mutant("times S", pca((f"directions = {SVD}", "_, s, vh = torch.linalg.svd(scaled, full_matrices=False)"),
                              (LAST, "(x - mean) / spread @ vh[:k].T * s[:k]")), "multiplied by the singular values"),
        Mutant("normalized coordinates", pca((f"return {LAST}", f"z = {LAST}\n    return z / z.std(dim=0)")),
               "divided by their own spread"),
        Mutant("eigh upwards", pca((SVD, "torch.linalg.eigh(scaled.T @ scaled)[1].T[:k]")), "smallest spread first"),
        Mutant("x as it came", pca((LAST, "x @ directions.T")), "as it came"),
        Mutant("variance", pca(("train.std", "train.var")), "Divide by its root"),
        Mutant("x's own", pca((LAST, "(x - x.mean(dim=0)) / x.std(dim=0) @ directions.T")), "own mean or spread"),
        Mutant("x's own mean", pca((LAST, "(x - x.mean(dim=0)) / spread @ directions.T")), "own mean or spread"),
        Mutant("only x", pca((MEAN, "train = x\n    " + MEAN)), "`train` is not used"),
        Mutant("x's directions", pca(("scaled = (train - mean)", "scaled = (x - mean)")),
               "directions are those of `x`"),
        Mutant("both sets", pca((MEAN, "train = torch.cat([train, x])\n    " + MEAN)), "a leak"),
        Mutant("columns of Vh", pca((".Vh[:k]", ".Vh[:, :k].T")), "Its *rows* are"),
        Mutant("V for Vh", pca((SVD, "torch.linalg.svd(scaled, full_matrices=False).Vh.T[:k]")), "Its *rows* are"),
        Mutant("last ones", pca((".Vh[:k]", ".Vh[-k:]")), "differ least"),
        Mutant("the first columns", pca((LAST, "((x - mean) / spread)[:, :k]")), "first k columns"),
        Mutant("U", pca((f"directions = {SVD}", "u = torch.linalg.svd(scaled, full_matrices=False).U"),
                        (LAST, "u[: len(x), :k]")), "rows of U"),
        Mutant("whitened", pca((f"directions = {SVD}", "_, s, vh = torch.linalg.svd(scaled, full_matrices=False)"),
                               (LAST, "(x - mean) / spread @ vh[:k].T / s[:k]")), "divided by the singular values"),
        Mutant("all", pca((".Vh[:k]", ".Vh")), "first `k` are asked for"),
        Mutant("transposed", pca((LAST, "(" + LAST + ").T")), "Rows and columns are exchanged"),
        Mutant("of train", pca((LAST, "scaled @ directions.T")), "coordinates of `train`"),
        Mutant("one mean", pca(("mean(dim=0)", "mean()"), ("std(dim=0)", "std()")), "`dim=0`"),
        Mutant("mean of rows", pca(("mean(dim=0)", "mean(dim=1, keepdim=True)"),
                                   ("std(dim=0)", "std(dim=1, keepdim=True)"),
                                   (LAST, "(x - x.mean(dim=1, keepdim=True)) / x.std(dim=1, keepdim=True) "
                                          "@ directions.T")), "Each *row*"),
    ],
    "17.7": [
        Mutant("plain", balanced("return counts.trace() / counts.sum()"), "plain accuracy"),
        Mutant("columns", balanced("said = counts.sum(axis=0)",
                                   "return (counts.diagonal()[said > 0] / said[said > 0]).mean()"), "The rows are"),
        Mutant("columns, all", balanced("return (counts.diagonal() / np.maximum(counts.sum(axis=0), 1)).mean()"),
               "The rows are"),
        Mutant("columns with nan", balanced("return (counts.diagonal() / counts.sum(axis=0)).mean()"), "The rows are"),
        Mutant("absent as 0", balanced("return (counts.diagonal() / np.maximum(counts.sum(axis=1), 1)).mean()"),
               "leave it out of the mean"),
        Mutant("nan", balanced("return (counts.diagonal() / counts.sum(axis=1)).mean()"), "0 / 0"),
        Mutant("more than one", balanced("there = counts.sum(axis=1)",
                                         "return (counts.diagonal()[there > 1] / there[there > 1]).mean()"),
               "a single example"),
        Mutant("with a hit", balanced("there, right = counts.sum(axis=1), counts.diagonal()",
                                      "return (right[right > 0] / there[right > 0]).mean()"),
               "nothing is recognized is left out"),
        Mutant("there and said", balanced("ok = (counts.sum(axis=1) > 0) & (counts.sum(axis=0) > 0)",
                                          "return (counts.diagonal()[ok] / counts.sum(axis=1)[ok]).mean()"),
               "left out"),
        Mutant("whole numbers", balanced("there = counts.sum(axis=1)",
                                         "return (counts.diagonal()[there > 0] // there[there > 0]).mean()"), "`//`"),
        Mutant("trace by classes", balanced("return counts.trace() / (counts.sum(axis=1) > 0).sum()"),
               "divided by the number of classes"),
        Mutant("share of all", balanced("return (counts.diagonal() / counts.sum()).mean()"), "*all* examples"),
        Mutant("largest of a row", balanced("there = counts.sum(axis=1)",
                                            "return (counts.max(axis=1)[there > 0] / there[there > 0]).mean()"),
               "in the diagonal"),
        Mutant("rounded", balanced("there = counts.sum(axis=1)",
                                   "return round((counts.diagonal()[there > 0] / there[there > 0]).mean(), 2)"),
               "is rounded"),
        Mutant("percent", balanced("there = counts.sum(axis=1)",
                                   "return 100 * (counts.diagonal()[there > 0] / there[there > 0]).mean()"), "percent"),
        Mutant("errors", balanced("there = counts.sum(axis=1)",
                                  "return 1 - (counts.diagonal()[there > 0] / there[there > 0]).mean()"),
               "mean share of errors"),
        Mutant("sum", balanced("there = counts.sum(axis=1)",
                               "return (counts.diagonal()[there > 0] / there[there > 0]).sum()"), "added up"),
        Mutant("each class", balanced("there = counts.sum(axis=1)",
                                      "return counts.diagonal()[there > 0] / there[there > 0]"), "one for each class"),
        Mutant("counts", balanced("return counts.diagonal().mean()"), "a number of examples"),
        Mutant("median", balanced("there = counts.sum(axis=1)",
                                  "return np.median(counts.diagonal()[there > 0] / there[there > 0])"), "median"),
        Mutant("f1", balanced("there, said, right = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()",
                              "return (2 * right / np.maximum(there + said, 1))[there > 0].mean()"), "mean of F1"),
    ],
}  # fmt: skip
