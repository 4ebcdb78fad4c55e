"""Plausible wrong answers to lesson 15's exercises, each with words of the message that names its cause."""

from tests.mutants.mutant import Mutant


def shift(body):
    return f"def shifted(images, right, down, fill):\n    {body}\n    return moved\n"


def rolled(**other):
    """The solution with some of its lines replaced."""
    lines = {
        "moved": "images.roll((down, right), dims=(2, 3))",
        "rows": "slice(0, down) if down >= 0 else slice(down, None)",
        "columns": "slice(0, right) if right >= 0 else slice(right, None)",
        "fill": "fill",
    } | other
    return (
        "def shifted(images, right, down, fill):\n"
        f"    moved = {lines['moved']}\n"
        f"    rows = {lines['rows']}\n"
        f"    columns = {lines['columns']}\n"
        f"    moved[:, :, rows] = {lines['fill']}\n"
        f"    moved[:, :, :, columns] = {lines['fill']}\n"
        "    return moved\n"
    )


def stop(better="loss < losses[best]", since="i - best >= patience", start="best, evaluations = 0, 0",
         more="", result="best, evaluations"):  # fmt: skip
    return (
        "def early_stop(losses, patience):\n"
        f"    {start}\n"
        "    for i, loss in enumerate(losses):\n"
        "        evaluations = i + 1\n"
        f"        if {better}:\n"
        "            best = i\n"
        f"        {more or 'pass'}\n"
        f"        if {since}:\n"
        "            break\n"
        f"    return {result}\n"
    )


def waiting(condition, reset="waited = 0", step="waited += 1"):
    """With a counter in place of the difference of indices."""
    return (
        "def early_stop(losses, patience):\n"
        "    best, waited = 0, 0\n"
        "    for i, loss in enumerate(losses):\n"
        f"        if i == 0 or {condition}:\n"
        f"            {reset}\n"
        "        else:\n"
        f"            {step}\n"
        "        if loss < losses[best]:\n"
        "            best = i\n"
        "        if waited >= patience:\n"
        "            return best, i + 1\n"
        "    return best, len(losses)\n"
    )


def prf(**other):
    lines = {
        "right": "np.bincount(labels[said == labels], minlength=classes)",
        "said": "np.bincount(said, minlength=classes)",
        "there": "np.bincount(labels, minlength=classes)",
        "precision": "right / np.maximum(times_said, 1)",
        "recall": "right / np.maximum(times_there, 1)",
        "f1": "2 * right / np.maximum(times_said + times_there, 1)",
    } | other
    return (
        "def precision_recall_f1(said, labels, classes):\n"
        f"    right = {lines['right']}\n"
        f"    times_said = {lines['said']}\n"
        f"    times_there = {lines['there']}\n"
        f"    precision = {lines['precision']}\n"
        f"    recall = {lines['recall']}\n"
        f"    f1 = {lines['f1']}\n"
        "    return precision, recall, f1\n"
    )


def weights(result, counts="np.bincount(labels, minlength=classes)"):
    return (
        "def class_weights(labels, classes):\n"
        f"    counts = {counts}\n"
        "    n, safe = len(labels), np.maximum(counts, 1)\n"
        f"    return {result}\n"
    )


def groups(share="own.mean()", condition="len(own) >= least", wrong="said != labels", over="groups", other=""):
    lines = f"        else:\n            shares[group] = {other}\n" if other else ""
    return (
        "def errors_by_group(said, labels, groups, least):\n"
        f"    wrong, shares = {wrong}, {{}}\n"
        f"    for group in np.unique({over}):\n"
        f"        own = wrong[{over} == group]\n"
        f"        if {condition}:\n"
        f"            shares[group] = {share}\n"
        f"{lines}"
        "    return shares\n"
    )


def split(*lines):
    return "def split_by_writer(writers, share, rng):\n" + "".join(f"    {line}\n" for line in lines)


NAMES = "names = np.unique(writers)"

MUTANTS = {
    "15.1": [
        Mutant("roll", shift("moved = images.roll((down, right), dims=(2, 3))"), expect="what `roll` does"),
        Mutant("slices that end at -0", "def shifted(images, right, down, fill):\n"
               "    out = torch.full_like(images, fill)\n"
               "    out[:, :, down:, right:] = images[:, :, :-down, :-right]\n    return out\n",
               expect="ends at -0"),
        Mutant("axes exchanged", rolled(moved="images.roll((right, down), dims=(2, 3))",
               rows="slice(0, right) if right >= 0 else slice(right, None)",
               columns="slice(0, down) if down >= 0 else slice(down, None)"), expect="Axis 2 counts rows"),
        Mutant("the wrong way", rolled(moved="images.roll((-down, -right), dims=(2, 3))",
               rows="slice(-down, None) if down > 0 else slice(0, -down)",
               columns="slice(-right, None) if right > 0 else slice(0, -right)"), expect="move the wrong way"),
        Mutant("rolled the wrong way, filled the right one", rolled(moved="images.roll((-down, -right), dims=(2, 3))"),
               expect="the pixel in row"),
        Mutant("zeros", rolled(fill="0"), expect="0 is a gray"),
        Mutant("the border repeated",
               "def shifted(images, right, down, fill):\n    h, w = images.shape[2:]\n"
               "    rows = [min(max(i - down, 0), h - 1) for i in range(h)]\n"
               "    columns = [min(max(j - right, 0), w - 1) for j in range(w)]\n"
               "    return images[:, :, rows][:, :, :, columns]\n", expect="border are repeated"),
        Mutant("right and down only", rolled(rows="slice(0, max(down, 0))", columns="slice(0, max(right, 0))"),
               expect="Nothing is filled for negative numbers"),
        Mutant("right, down and up only", rolled(columns="slice(0, max(right, 0))"), expect="for a negative `right`"),
        Mutant("right, down and left only", rolled(rows="slice(0, max(down, 0))"), expect="for a negative `down`"),
        Mutant("slices for positive numbers", shift("moved = torch.full_like(images, fill)\n"
               "    h, w = images.shape[2:]\n"
               "    moved[:, :, down:, right:] = images[:, :, : h - down, : w - right]"),
               expect="a negative number counts from the end"),
        Mutant("all is filled where nothing moves",
               rolled(columns="slice(0, right) if right > 0 else slice(right, None)"),
               expect="With right = 0 everything"),
        Mutant("all is filled where no row moves", rolled(rows="slice(0, down) if down > 0 else slice(down, None)"),
               expect="With down = 0 everything"),
        Mutant("all is filled where either is 0",
               rolled(rows="slice(0, down) if down > 0 else slice(down, None)",
                      columns="slice(0, right) if right > 0 else slice(right, None)"),
               expect="right = 0 or down = 0 everything"),
        Mutant("grows", shift("moved = F.pad(images, (abs(right), 0, abs(down), 0), value=fill)"),
               expect="shape should stay"),
        Mutant("in place", rolled(moved="images").replace("moved = images\n", "moved = images\n    "
               "moved[:] = images.roll((down, right), dims=(2, 3))\n"), expect="handed over have changed"),
        Mutant("one channel", shift("moved = rolled = images.roll((down, right), dims=(2, 3))[:, :1]"),
               expect="shape should stay"),
        Mutant("NumPy", shift("moved = np.roll(images.numpy(), (down, right), axis=(2, 3))"), expect="torch tensor"),
        Mutant("float32 always", "def shifted(images, right, down, fill):\n"
               "    padded = F.pad(images, (28, 28, 28, 28), value=fill).float()\n"
               "    h, w = images.shape[2:]\n"
               "    return padded[:, :, 28 - down : 28 - down + h, 28 - right : 28 - right + w]\n",
               expect="the type should stay"),
    ],
    "15.2": [
        Mutant("argmin of all", stop(result="int(np.argmin(losses)), evaluations"), expect="after the end"),
        Mutant("counted from 1", stop(result="best + 1, evaluations"), expect="counted from 1"),
        Mutant("the loss itself", stop(result="losses[best], evaluations"), expect="should be its index"),
        Mutant("the last one", stop(result="evaluations - 1, evaluations"), expect="best is the last evaluation"),
        Mutant("changed places", stop(result="evaluations, best"), expect="changed places"),
        Mutant("one early, also with a patience of 1", "def early_stop(losses, patience):\n"
               "    best = 0\n    for i, loss in enumerate(losses):\n        if loss < losses[best]:\n"
               "            best = i\n        elif i - best >= patience - 1:\n            return best, i + 1\n"
               "    return best, len(losses)\n", expect="ends an evaluation too early"),
        Mutant("ties", stop(better="loss <= losses[best]"), expect="equal loss counts as better"),
        Mutant("previous loss", waiting("loss < losses[i - 1]"), expect="the one before it"),
        Mutant("best moves along", stop(better="i and loss < losses[i - 1]"), expect="the one before it"),
        Mutant("last of several", stop(result="max(i for i in range(evaluations) if losses[i] == losses[best]), "
                                       "evaluations"), expect="last of several"),
        Mutant("never reset", waiting("loss < losses[best]", reset="pass"), expect="over the whole training"),
        Mutant("one too many", stop(since="i - best > patience"), expect="one evaluation too many"),
        Mutant("one too few", stop(since="i - best + 1 >= patience and i"), expect="an evaluation too early"),
        Mutant("index of the last", stop(result="best, evaluations - 1"), expect="how many there were, one more"),
        Mutant("never ends", stop(since="False"), expect="after the end"),
        Mutant("never ends, the right best", stop(result="best, len(losses)"), expect="never ends early"),
        Mutant("up to the best", stop(result="best, best + 1"), expect="those after it, too"),
    ],
    "15.3": [
        Mutant("pages", split("mask = np.zeros(len(writers), bool)",
               "mask[rng.permutation(len(writers))[: round(share * len(writers))]] = True", "return mask"),
               expect="Draw writers, not pages"),
        Mutant("each page by chance", split("return rng.random(len(writers)) < share"),
               expect="Draw writers, not pages"),
        Mutant("always the first", split(NAMES, "return np.isin(writers, names[: round(share * len(names))])"),
               expect="the same writers are chosen"),
        Mutant("a seed of its own", split(NAMES,
               "chosen = np.random.default_rng(0).permutation(names)[: round(share * len(names))]",
               "return np.isin(writers, chosen)"), expect="draw them with `rng`"),
        Mutant("True for training", split(NAMES, "chosen = rng.permutation(names)[: round(share * len(names))]",
               "return ~np.isin(writers, chosen)"), expect="True stands for the test"),
        Mutant("rounded down", split(NAMES, "chosen = rng.permutation(names)[: int(share * len(names))]",
               "return np.isin(writers, chosen)"), expect="rounded is 3"),
        Mutant("each writer by chance", split(NAMES, "return np.isin(writers, names[rng.random(len(names)) < share])"),
               expect="each one by a chance of its own"),
        Mutant("more pages, more chance",
               split("shuffled = rng.permutation(writers)",
                     "names = shuffled[np.sort(np.unique(shuffled, return_index=True)[1])]",
                     "return np.isin(writers, names[: round(share * len(names))])"), expect="the same chance"),
        Mutant("until enough pages", split("mask = np.zeros(len(writers), bool)",
               "for name in rng.permutation(np.unique(writers)):", "    if mask.sum() < share * len(writers):",
               "        mask |= writers == name", "return mask"), expect="however many pages each has"),
        Mutant("drawn twice", split(NAMES, "chosen = rng.choice(names, round(share * len(names)))",
               "return np.isin(writers, chosen)"), expect="drawn twice"),
        Mutant("numbers without a writer", split("count = round(share * len(np.unique(writers)))",
               "return np.isin(writers, rng.permutation(writers.max() + 1)[:count])"), expect="who has no page"),
        Mutant("indices", split(NAMES, "chosen = rng.permutation(names)[: round(share * len(names))]",
               "return np.flatnonzero(np.isin(writers, chosen))"), expect="50 True or False"),
        Mutant("the writers", split(NAMES, "return rng.permutation(names)[: round(share * len(names))]"),
               expect="50 True or False"),
        Mutant("shuffled in place", split("rng.shuffle(writers)", NAMES,
               "return np.isin(writers, names[: round(share * len(names))])"), expect="shuffled in place"),
        Mutant("share of the pages", split(NAMES, "chosen = rng.permutation(names)[: round(share * len(writers))]",
               "return np.isin(writers, chosen)"), expect="not of the pages"),
    ],
    "15.4": [
        Mutant("shuffling", 'guilty = {"a", "b", "c", "h", "i"}\n', expect="only shuffles"),
        Mutant("the split", 'guilty = {"b", "c", "d", "h", "i"}\n', expect="What came before it"),
        Mutant("augmentation", 'guilty = {"b", "c", "e", "h", "i"}\n', expect="after the split"),
        Mutant("weights", 'guilty = {"c", "f", "h", "i"}\n', expect="counts the labels to train with"),
        Mutant("validation", 'guilty = {"b", "c", "g", "h", "i"}\n', expect="validation digits"),
        Mutant("the report", 'guilty = {"b", "c", "h", "i", "j"}\n', expect="only reports"),
        Mutant("only the choice", 'guilty = {"h", "i"}\n', expect="2 are missing. Look at what happened before"),
        Mutant("without the filter", 'guilty = {"b", "c", "i"}\n', expect="Who chooses, and by what?"),
        Mutant("some of each", 'guilty = {"b", "i"}\n', expect="2 are missing from"),
        Mutant("without the mean", 'guilty = {"c", "h", "i"}\n', expect="1 is missing"),
        Mutant("a string", 'guilty = "bchi"\n', expect="should be a set"),
    ],
    "15.5": [
        Mutant("exchanged", prf(precision="right / np.maximum(times_there, 1)",
               recall="right / np.maximum(times_said, 1)"), expect="that is the recall"),
        Mutant("recall exchanged", prf(recall="right / np.maximum(times_said, 1)"), expect="that is the precision"),
        Mutant("of all examples", prf(precision="right / len(said)"), expect="divided by the number of all examples"),
        Mutant("counts", prf(precision="1.0 * right"), expect="is a count"),
        Mutant("accuracy of each class",
               prf(precision="np.array([((said == k) == (labels == k)).mean() for k in range(classes)])"),
               expect="rightly denied"),
        Mutant("one accuracy", prf(precision="np.full(classes, (said == labels).mean())"), expect="over all classes"),
        Mutant("missed", prf(recall="1 - right / np.maximum(times_there, 1)"), expect="share that was missed"),
        Mutant("nan", prf(precision="right / times_said"), expect="precision is nan"),
        Mutant("nan in f1", prf(f1="2 * precision * recall / (precision + recall)"), expect="f1 is nan"),
        Mutant("whole numbers", prf(precision="right // np.maximum(times_said, 1)"), expect="one of whole numbers"),
        Mutant("means", prf(precision="(right / np.maximum(times_said, 1)).mean()"), expect="mean of the classes"),
        Mutant("1 for a class never said",
               prf(precision="np.where(times_said > 0, right / np.maximum(times_said, 1), 1)"),
               expect="never dares"),
        Mutant("plain mean", prf(f1="(precision + recall) / 2"), expect="harmonic"),
        Mutant("geometric mean", prf(f1="np.sqrt(precision * recall)"), expect="geometric"),
        Mutant("no factor 2", prf(f1="right / np.maximum(times_said + times_there, 1)"), expect="factor 2"),
        Mutant("no minlength", prf(right="np.bincount(labels[said == labels])", said="np.bincount(said)",
               there="np.bincount(labels)"), expect="raised ValueError"),
        Mutant("classes that are there", prf().replace("return precision, recall, f1",
               "return tuple(a[np.unique(labels)] for a in (precision, recall, f1))"),
               expect="have a place in precision"),
        Mutant("one f1", prf(f1="np.full(classes, (2 * right / np.maximum(times_said + times_there, 1)).mean())"),
               expect="Each class has its own"),
    ],
    "15.6": [
        Mutant("for each example", weights("(n / (classes * safe))[labels]"), expect="for each example"),
        Mutant("whole numbers as floats", weights("(n // (classes * safe) * (counts > 0)).astype(float)"),
               expect="cuts the fractions off"),
        Mutant("shares", weights("counts / n"), expect="frequent ones get the largest"),
        Mutant("turned over", weights("classes * counts / n"), expect="Turn the fraction over"),
        Mutant("one over count", weights("np.where(counts > 0, 1 / safe, 0)"), expect="makes the loss small"),
        Mutant("n over count", weights("np.where(counts > 0, n / safe, 0)"), expect="would be `classes`, not 1"),
        Mutant("largest count", weights("np.where(counts > 0, counts.max() / safe, 0)"), expect="average size"),
        Mutant("sum 1", weights("np.where(counts > 0, 1 / safe, 0) / np.where(counts > 0, 1 / safe, 0).sum()"),
               expect="add up to 1"),
        Mutant("mean 1 over the classes",
               weights("classes * np.where(counts > 0, 1 / safe, 0) / np.where(counts > 0, 1 / safe, 0).sum()"),
               expect="mean 1 over the classes"),
        Mutant("root", weights("np.where(counts > 0, np.sqrt(n / (classes * safe)), 0)"), expect="square root"),
        Mutant("only those there", weights("np.where(counts > 0, n / ((counts > 0).sum() * safe), 0)"),
               expect="Only classes that are there"),
        Mutant("infinite", weights("n / (classes * counts)"), expect="infinite weight"),
        Mutant("as if one", weights("n / (classes * safe)"), expect="a class with one"),
        Mutant("weight 1", weights("np.where(counts > 0, n / (classes * safe), 1.0)"), expect="gets the weight 1"),
        Mutant("no minlength", weights("np.where(counts > 0, n / (classes * safe), 0.0)", "np.bincount(labels)"),
               expect="`minlength` makes room"),
        Mutant("unique", weights("n / (classes * counts)", "np.unique(labels, return_counts=True)[1]"),
               expect="no weight at all"),
        Mutant("whole numbers", weights("n // (classes * safe) * (counts > 0)"), expect="cuts the fractions off"),
    ],
    "15.7": [
        Mutant("right answers", groups(wrong="said == labels"), expect="share of right answers"),
        Mutant("numbered", groups().replace("shares[group]", "shares[len(shares)]"), expect="groups themselves"),
        Mutant("words", groups().replace("shares[group]", "shares[str(group)]"), expect="Numbers have become words"),
        Mutant("of all examples", groups("own.sum() / len(labels)"), expect="because it is small"),
        Mutant("of all errors", groups("own.sum() / wrong.sum()"), expect="share of all errors"),
        Mutant("counts", groups("own.sum()"), expect="These are counts"),
        Mutant("everybody's", groups("wrong.mean()"), expect="over all examples"),
        Mutant("more than least", groups(condition="len(own) > least"), expect="exactly `least`"),
        Mutant("all groups", groups(condition="True"), expect="Leave them out"),
        Mutant("only those with errors", groups(condition="len(own) >= least and own.any()"), expect="worth knowing"),
        Mutant("at least so many errors", groups(condition="own.sum() >= least"), expect="few errors"),
        Mutant("by label", groups(over="labels"), expect="groups are the labels"),
        Mutant("None", groups(other="None"), expect="with None"),
        Mutant("zero", groups(other="0.0"), expect="as if nothing had been wrong"),
    ],
}
