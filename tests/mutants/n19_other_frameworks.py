"""Wrong answers to the exercises of lesson 19, and words that each must be told."""

from gpucourse.exercises import n19_other_frameworks as n19
from tests.mutants.mutant import Mutant, kernel

BATCH, NORM, CARRY, LOSS, KEYS, STEP = (problem.solution for problem in n19.PROBLEMS)


def x(expression):
    return kernel(BATCH, ("images.transpose(0, 2, 3, 1)", expression))


def y(expression):
    return kernel(BATCH, ("np.eye(classes)[labels]", expression))


def conv(expression):
    return kernel(CARRY, ("conv = kernel.transpose(2, 3, 1, 0)", f"conv = {expression}"))


def dense(expression):
    return kernel(CARRY, ("spread.transpose(2, 3, 1, 0).reshape(-1, len(weight))", expression))


def norm(*replacements):
    return kernel(NORM, *replacements)


def loss(*replacements):
    return kernel(LOSS, *replacements)


def step(*replacements):
    return kernel(STEP, *replacements)


LENGTH = "jnp.sqrt(sum((g ** 2).sum() for g in gradient.values()))"
SCALE = "    scale = limit / jnp.maximum(norm, limit)\n"
NEW = "    new = {name: weights[name] - rate * scale * gradient[name] for name in weights}\n"
NAME = '"sparse_categorical_crossentropy" if labels.ndim == 1 else "categorical_crossentropy"'
PROBABLE = "(outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)"

MUTANTS = {
    "19.1": (
        Mutant("reshape", x("images.reshape(len(images), *images.shape[2:], images.shape[1])"), "keeps their order"),
        Mutant("swapaxes", x("images.swapaxes(1, 3)"), "lies on its side"),
        Mutant("the way back", x("images.transpose(0, 3, 1, 2)"), "the way back"),
        Mutant("as they came", x("images"), "channels first"),
        Mutant("all around", x("images.T"), "turns all four"),
        Mutant("examples last", x("images.transpose(2, 3, 1, 0)"), "examples have become the last axis"),
        Mutant("an axis more", x("images[..., None]"), "An axis of size 1"),
        Mutant("one-hot of the wrong axis", y("np.eye(classes)[labels].T"), "a column for each example"),
        Mutant("labels as they are", y("labels"), "class numbers as they came"),
        Mutant("one-hot of the pictures", y("np.eye(classes)[images.astype(int)]"), "of the *pictures*"),
        Mutant("classes of the batch", y("np.eye(labels.max() + 1)[labels]"), "largest label"),
        Mutant("from one on", y("np.eye(classes)[labels - 1]"), "one class too early"),
        Mutant("only those present", """
def keras_batch(images, labels, classes):
    present, place = np.unique(labels, return_inverse=True)
    return np.moveaxis(images, 1, -1), np.eye(len(present))[place]
""", "in this batch"),
        Mutant("exchanged", kernel(BATCH, ("return x, y", "return y, x")), "The pictures come first"),
        Mutant("one place", x("np.moveaxis(images, 1, 2)"), "one place"),
        Mutant("the first channel", x("images[:, 0]"), "first channel"),
        Mutant("all labels in every row", y("np.isin(np.arange(classes), labels) * np.ones((len(labels), 1))"),
               "*each* label"),
        Mutant("numbered anew", y("np.eye(classes)[np.unique(labels, return_inverse=True)[1]]"), "anew"),
    ),
    "19.2": (
        Mutant("axes of channels first", norm(("axis=(0, 1, 2)", "axis=(0, 2, 3)")), "(0, 2, 3)"),
        Mutant("over the examples", norm(("axis=(0, 1, 2)", "axis=0")), "Every pixel"),
        Mutant("no axis", norm(("axis=(0, 1, 2)", "")), "share one mean"),
        Mutant("PyTorch's eps", norm(("1e-3", "1e-5")), "PyTorch's default"),
        Mutant("eps outside", norm(("np.sqrt(v + 1e-3)", "(np.sqrt(v) + 1e-3)")), "added to the root"),
        Mutant("no root", norm(("np.sqrt(v + 1e-3)", "(v + 1e-3)")), "by the variance"),
        Mutant("N - 1", norm(("x.var(axis=(0, 1, 2))", "x.var(axis=(0, 1, 2), ddof=1)")), "N - 1"),
        Mutant("running ones", norm(("(x - m)", "(x - mean)"), ("v + 1e-3", "variance + 1e-3")), "running"),
        Mutant("no beta", norm((" + beta", "")), "beta is missing"),
        Mutant("gamma and beta exchanged", norm(("gamma *", "beta *"), ("+ beta", "+ gamma")), "are exchanged"),
        Mutant("beta scaled", norm((" + beta", " + gamma * beta")), "multiplies beta"),
        Mutant("standard deviation kept", norm(("* v\n", "* np.sqrt(v)\n")), "standard deviation"),
        Mutant("about the running mean", norm(("* v\n", "* ((x - new_mean) ** 2).mean((0, 1, 2))\n")), "batch's own"),
        Mutant("variance first", norm(("new_mean, new_variance\n", "new_variance, new_mean\n")), "order is y, mean"),
        Mutant("PyTorch's momentum", norm(("momentum * mean + (1 - momentum) * m\n",
                                           "(1 - momentum) * mean + momentum * m\n")), "share of the *old*"),
        Mutant("PyTorch's momentum for the variance",
               norm(("momentum * variance + (1 - momentum) * v", "(1 - momentum) * variance + momentum * v")),
               "share of the *old*"),
        Mutant("default momentum", norm(("momentum * mean + (1 - momentum) * m\n", "0.99 * mean + 0.01 * m\n")),
               "whatever `momentum` says"),
        Mutant("in place", norm(("    new_mean = momentum * mean + (1 - momentum) * m\n",
                                 "    mean += (1 - momentum) * (m - mean)\n    new_mean = mean\n")), "mean"),
        Mutant("not moved", norm(("momentum * variance + (1 - momentum) * v", "variance")), "as it came"),
        Mutant("unbiased running variance", norm(("* v\n", "* x.var(axis=(0, 1, 2), ddof=1)\n")),
               "goes into the running variance"),
    ),
    "19.3": (
        Mutant("T for the kernel", conv("kernel.T"), "mirrored at its diagonal"),
        Mutant("out before in", conv("kernel.transpose(2, 3, 0, 1)"), "last two axes are exchanged"),
        Mutant("reshape", conv("kernel.reshape(*kernel.shape[2:], kernel.shape[1], kernel.shape[0])"),
               "moves none of them"),
        Mutant("flipped", conv("kernel.transpose(2, 3, 1, 0)[::-1, ::-1]"), "half a turn"),
        Mutant("unchanged", conv("kernel"), "as it came"),
        Mutant("out alone", conv("np.moveaxis(kernel, 0, -1)"), "that go out were moved"),
        Mutant("dense first", kernel(CARRY, ("return conv, dense", "return dense, conv")), "convolution's comes first"),
        Mutant("put in order, reshaped", dense("spread.transpose(0, 2, 3, 1).reshape(-1, len(weight))"),
               "must be *moved*"),
        Mutant("as a picture", conv("kernel.transpose(0, 2, 3, 1)"), "as in a picture"),
        Mutant("T for the dense one", dense("weight.T"), "channel by channel"),
        Mutant("not turned", dense("spread.transpose(0, 2, 3, 1).reshape(len(weight), -1)"), "(inputs, classes)"),
        Mutant("rows and columns exchanged", dense("spread.T.reshape(-1, len(weight))"), "Rows and columns"),
        Mutant("the way back", kernel(CARRY, ("len(weight), *shape", "len(weight), shape[1], shape[2], shape[0]"),
                                      ("spread.transpose(2, 3, 1, 0)", "spread.transpose(3, 1, 2, 0)")), "way back"),
        Mutant("reshaped", dense("weight.reshape(-1, len(weight))"), "moves none of them"),
        Mutant("left as it was", dense("weight"), "as they came"),
    ),
    "19.4": (
        Mutant("by type", loss(("labels.ndim == 1", "labels.dtype.kind in 'iu'")), "type of the labels"),
        Mutant("names exchanged", loss(("labels.ndim == 1", "labels.ndim == 2")), "exchanged"),
        Mutant("by the largest", loss(("labels.ndim == 1", "labels.max() > 1")), "largest label"),
        Mutant("always sparse", loss((NAME, '"sparse_categorical_crossentropy"')), "in every case"),
        Mutant("always one-hot", loss((NAME, '"categorical_crossentropy"')), "in every case"),
        Mutant("by the first axis", loss(("labels.ndim == 1", "labels.shape[0] != outputs.shape[1]")), "number of"),
        Mutant("inverted", loss(("not probabilities", "bool(probabilities)")), "wrong way round"),
        Mutant("always logits", loss(("not probabilities", "True")), "applied twice"),
        Mutant("never logits", loss(("not probabilities", "False")), "no probabilities"),
        Mutant("not negative", loss((PROBABLE, "(outputs >= 0).all()")), "positive throughout"),
        Mutant("from 0 to 1", loss((PROBABLE, "(outputs >= 0).all() and (outputs <= 1).all()")), "untrained network"),
        Mutant("sums alone", loss((PROBABLE, "np.allclose(outputs.sum(axis=1), 1, atol=1e-3)")), "by chance"),
        Mutant("exact sums", loss((PROBABLE, "(outputs >= 0).all() and (outputs.sum(axis=1) == 1).all()")), "exactly"),
        Mutant("columns", loss(("outputs.sum(axis=1)", "outputs.sum(axis=0)")), "columns"),
        Mutant("any row", loss((PROBABLE, "(outputs >= 0).all() and (abs(outputs.sum(axis=1) - 1) < 1e-3).any()")),
               "One row"),
        Mutant("no abs", loss((PROBABLE, "(outputs >= 0).all() and (outputs.sum(axis=1) - 1 < 1e-3).all()")),
               "A sum below 1"),
        Mutant("above 0", loss(("outputs >= 0", "outputs > 0")), "A 0 counts"),
        Mutant("too exact", loss(("1, atol=1e-3", "1, rtol=0, atol=1e-6")), "too small"),
        Mutant("too large", loss(("atol=1e-3", "atol=0.1")), "too large"),
        Mutant("sum of all", loss(("outputs.sum(axis=1)", "outputs.sum()")), "numbers together"),
        Mutant("first row", loss((PROBABLE, "(outputs[0] >= 0).all() and np.isclose(outputs[0].sum(), 1, atol=1e-3)")),
               "first row"),
        Mutant("mean of the sums", loss((PROBABLE,
               "(outputs >= 0).all() and np.isclose(outputs.sum(axis=1).mean(), 1, atol=1e-3)")), "make up for"),
    ),
    "19.5": (
        Mutant("one key for all", """
def start(key, sizes, split, normal):
    return [{"w": normal(key, (a, b)) * np.sqrt(2 / a), "b": np.zeros(b)} for a, b in zip(sizes, sizes[1:])]
""", "same numbers come again"),
        Mutant("draws with the key that was split", """
def start(key, sizes, split, normal):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        new, other = split(key)
        layers.append({"w": normal(key, (a, b)) * np.sqrt(2 / a), "b": np.zeros(b)})
        key = new
    return layers
""", "Once split, a key is spent"),
        Mutant("the same key split again", """
def start(key, sizes, split, normal):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        _, sub = split(key)
        layers.append({"w": normal(sub, (a, b)) * np.sqrt(2 / a), "b": np.zeros(b)})
    return layers
""", "the same new keys each time"),
        Mutant("the key goes on and draws", """
def start(key, sizes, split, normal):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers.append({"w": normal(key, (a, b)) * np.sqrt(2 / a), "b": np.zeros(b)})
        key, _ = split(key)
    return layers
""", "was split, and used to draw"),
        Mutant("NumPy's chance", """
def start(key, sizes, split, normal):
    rng = np.random.default_rng(0)
    return [{"w": rng.standard_normal((a, b)) * np.sqrt(2 / a), "b": np.zeros(b)} for a, b in zip(sizes, sizes[1:])]
""", "`normal` has not been called"),
        Mutant("not scaled", kernel(KEYS, (" * np.sqrt(2 / n_in)", "")), "as they were drawn"),
        Mutant("scaled by the outputs", kernel(KEYS, ("2 / n_in", "2 / n_out")), "√(2 / n_out)"),
        Mutant("no root", kernel(KEYS, ("np.sqrt(2 / n_in)", "2 / n_in")), "root is missing"),
        Mutant("Glorot's", kernel(KEYS, ("2 / n_in)", "2 / (n_in + n_out))")), "(n_in + n_out)"),
        Mutant("without the 2", kernel(KEYS, ("2 / n_in)", "1 / n_in)")), "√(1 / n_in)"),
        Mutant("whole numbers", kernel(KEYS, ("2 / n_in", "2 // n_in")), "all weights are 0"),
        Mutant("layer 0's factor", kernel(KEYS, ("2 / n_in", "2 / sizes[0]")), "that of layer 0"),
        Mutant("PyTorch's order", kernel(KEYS, ("normal(k, (n_in, n_out))", "normal(k, (n_out, n_in))")),
               "PyTorch's order"),
        Mutant("one layer too many", kernel(KEYS, ("len(sizes) - 1", "len(sizes)"),
                                            ("sizes, sizes[1:]", "sizes, (*sizes[1:], 1)")), "make"),
        Mutant("b drawn", kernel(KEYS, ("np.zeros(n_out)", "normal(k, (n_out,))")), "should be zeros"),
        Mutant("a list of keys", kernel(KEYS, ("normal(k,", "normal(split(k),")), "one key"),
        Mutant("a dict of all", kernel(KEYS, ("return layers", "return dict(enumerate(layers))")), "A list of dicts"),
    ),
    "19.6": (
        Mutant("norms added", step((LENGTH, "sum(jnp.sqrt((g ** 2).sum()) for g in gradient.values())")), "are added"),
        Mutant("mean of squares", step(("(g ** 2).sum()", "(g ** 2).mean()")), "mean of the squares"),
        Mutant("norm of the weights", step(("gradient.values()", "weights.values()")), "norm of the *weights*"),
        Mutant("absolute values", step((LENGTH, "sum(abs(g).sum() for g in gradient.values())")), "absolute values"),
        Mutant("upside down", step((SCALE, "    scale = jnp.where(norm > limit, norm / limit, 1.0)\n")), "upside down"),
        Mutant("if", step((SCALE, "    scale = limit / norm if norm > limit else 1.0\n")), "do not exist yet"),
        Mutant("min of Python", step((SCALE, "    scale = min(1, limit / (norm + 1e-30))\n")), "do not exist yet"),
        Mutant("math", "import math\n" + step(("jnp.sqrt(", "math.sqrt(")), "float()"),
        Mutant("NumPy in place of jnp", step(("jnp.maximum", "np.maximum")), "NumPy asks"),
        Mutant("in place", step(
               (NEW, "    for name in weights:\n        weights[name] -= rate * scale * gradient[name]\n"
               "    new = weights\n")), "pure function"),
        Mutant("entries in place", step(("    new = {", "    gradient['b'][:] = scale * gradient['b']\n    new = {")),
               "`gradient`"),
        Mutant("a copy written into", step(
               (NEW, "    new = {name: 0 * weights[name] for name in weights}\n    for name in weights:\n"
               "        new[name][...] = weights[name] - rate * scale * gradient[name]\n")), "cannot be changed"),
        Mutant("always shortened", step(("jnp.maximum(norm, limit)", "(norm + 1e-30)")), "made longer"),
        Mutant("never shortened", step((SCALE, "    scale = 1.0\n")), "not shortened"),
        Mutant("each by itself", step(
               (SCALE, ""), ("rate * scale * gradient[name]", "rate * gradient[name] * limit / "
                             "jnp.maximum(jnp.sqrt((gradient[name] ** 2).sum()), limit)")), "by its own norm"),
        Mutant("uphill", step(("weights[name] - rate", "weights[name] + rate")), "uphill"),
        Mutant("no rate", step(("rate * scale", "scale")), "`rate` is missing"),
        Mutant("clipped entries", step(("rate * scale * gradient[name]", "rate * gradient[name].clip(-limit, limit)")),
               "by itself"),
        Mutant("0 by 0", step((SCALE, "    scale = jnp.minimum(norm, limit) / norm\n")), "not finite"),
        Mutant("norm after", step(("return new, norm", "return new, jnp.minimum(norm, limit)")), "before that"),
        Mutant("norm squared", step(("return new, norm", "return new, norm ** 2")), "square of the norm"),
        Mutant("the weights alone", step(("return new, norm", "return new")), "Two results"),
        Mutant("norms of arrays", step(("sum((g ** 2).sum() for g in gradient.values())",
               "jnp.stack([(g ** 2).sum() for g in gradient.values()])")), "broadcast"),
    ),
}
