"""Plausible wrong answers to the exercises of lesson 10, each with words that its message must contain."""

from textwrap import indent

from tests.mutants.mutant import Mutant

LEAKY = """def leaky_relu(x, slope):
    xp = cp.get_array_module(x)
    y = {y}
    derivative = {derivative}
    return y, derivative
"""


def leaky(y="xp.where(x > 0, x, slope * x)", derivative="xp.where(x > 0, 1, slope).astype(x.dtype)"):
    return LEAKY.format(y=y, derivative=derivative)


LOSS = """def cross_entropy(logits, labels):
    xp = cp.get_array_module(logits)
    rows = xp.arange(len(labels))
    z = {shifted}
    log_p = {log_p}
    loss = {loss}
    gradient = {gradient}
    {subtract}
    {divide}
    return loss, gradient
"""


def loss(
    shifted="logits - logits.max(axis=1, keepdims=True)",
    log_p="z - xp.log(xp.exp(z).sum(axis=1, keepdims=True))",
    loss="-float(log_p[rows, labels].mean())",
    gradient="xp.exp(log_p)",
    subtract="gradient[rows, labels] -= 1",
    divide="gradient /= len(labels)",
):
    return LOSS.format(
        shifted=shifted, log_p=log_p, loss=loss, gradient=gradient, subtract=subtract, divide=divide
    )


def layer(dx="dy @ w", dw="dy.T @ x", db="dy.sum(axis=0)", result="dx, dw, db"):
    head = "def linear_backward(x, w, dy):\n    xp = cp.get_array_module(x)\n"
    return f"{head}    dx = {dx}\n    dw = {dw}\n    db = {db}\n    return {result}\n"


CHAIN = """def backward(x, z, h, w2, dlogits):
    xp = cp.get_array_module(x)
    dw2 = {dw2}
    db2 = {db2}
    dh = {dh}
    dz = {dz}
    dw1 = {dw1}
    db1 = {db1}
    return {result}
"""


def chain(
    dw2="dlogits.T @ h", db2="dlogits.sum(axis=0)", dh="dlogits @ w2", dz="dh * (z > 0)", dw1="dz.T @ x",
    db1="dz.sum(axis=0)", result="dw2, db2, dw1, db1",
):  # fmt: skip
    return CHAIN.format(dw2=dw2, db2=db2, dh=dh, dz=dz, dw1=dw1, db1=db1, result=result)


PASS_HEAD = "def one_pass(parameters, gradients, x, y, order, size, lr):\n"


def one_pass(
    range_="0, len(order), size", at="order[start : start + size]", batch="x[at], y[at]", step="p -= lr * g",
    after="pass",
):  # fmt: skip
    body = (
        f"for start in range({range_}):\n    at = {at}\n    found = gradients(parameters, {batch})\n"
        f"    for p, g in zip(parameters, found):\n        {step}\n    {after}\n"
    )
    return PASS_HEAD + indent(body, "    ")


def named(*names):
    return f"wrong = {{{', '.join(map(repr, names))}}}\n"


MUTANTS = {
    "10.1": (
        Mutant("plain ReLU", leaky(y="xp.maximum(x, 0)"), expect="y is the plain ReLU"),
        Mutant("slope everywhere", leaky(y="slope * x"), expect="slope · x everywhere"),
        Mutant("sides of y", leaky(y="xp.where(x > 0, slope * x, x)"), expect="sides of y have changed places"),
        Mutant("minimum for maximum", leaky(y="xp.minimum(x, slope * x)"), expect="sides of y have changed places"),
        Mutant("slope instead of slope times x", leaky(y="xp.where(x > 0, x, slope).astype(x.dtype)"),
               expect="constant `slope`"),
        Mutant("a minus", leaky(y="xp.where(x > 0, x, -slope * x)"), expect="y has the wrong sign"),
        Mutant("derivative of ReLU", leaky(derivative="(x > 0).astype(x.dtype)"),
               expect="derivative of the plain ReLU"),
        Mutant("derivative is float64", leaky(derivative="xp.where(x > 0, 1.0, slope)"), expect="`.astype(x.dtype)`"),
        Mutant("at zero", leaky(derivative="xp.where(x >= 0, 1, slope).astype(x.dtype)"), expect="At exactly 0"),
        Mutant("sides of the derivative", leaky(derivative="xp.where(x > 0, slope, 1).astype(x.dtype)"),
               expect="sides of the derivative"),
        Mutant("slope everywhere in the derivative", leaky(derivative="xp.full_like(x, slope)"),
               expect="derivative is slope everywhere"),
        Mutant("half a derivative", leaky(derivative="((xp.sign(x) + 1) / 2).astype(x.dtype)"),
               expect="made of the sign of x alone"),
        Mutant("y again", leaky(derivative="y"), expect="This is y, not its derivative"),
        Mutant("keeps x below zero", leaky(derivative="xp.where(x > 0, 1, slope * x).astype(x.dtype)"),
               expect="Below 0 your derivative is slope · x"),
        Mutant("y divided by x", leaky(derivative="y / x"), expect="0 / 0 is nan"),
        Mutant("leak on both sides", leaky(y="xp.maximum(x, 0) + slope * x"), expect="(1 + slope) · x"),
        Mutant("all() for every element", "def leaky_relu(x, slope):\n    if (x > 0).all():\n"
               "        return x * 1, x * 0 + 1\n    return slope * x, x * 0 + slope\n", expect="One decision"),
        Mutant("any() for every element", "def leaky_relu(x, slope):\n    if (x > 0).any():\n"
               "        return x * 1, x * 0 + 1\n    return slope * x, x * 0 + slope\n", expect="One decision"),
        Mutant("an if", "def leaky_relu(x, slope):\n    return (x, 1) if x > 0 else (slope * x, slope)\n",
               expect="truth value"),
        Mutant("changed places", "def leaky_relu(x, slope):\n    xp = cp.get_array_module(x)\n"
               "    return xp.where(x > 0, 1, slope).astype(x.dtype), xp.where(x > 0, x, slope * x)\n",
               expect="y and derivative have changed places"),
        Mutant("always NumPy", leaky(y="np.asarray(np.where(x > 0, x, slope * x))"), expect="NumPy array"),
        Mutant("in place", "def leaky_relu(x, slope):\n    positive = x > 0\n    x[~positive] *= slope\n"
               "    return x, (positive + ~positive * slope).astype(x.dtype)\n", expect="changes its argument x"),
        Mutant("a scalar", leaky(derivative="1"), expect="derivative of leaky_relu"),
    ),
    "10.2": (
        Mutant("sum", loss(loss="-float(log_p[rows, labels].sum())"), expect="sum over the batch"),
        Mutant("sign", loss(loss="float(log_p[rows, labels].mean())"), expect="loss has the wrong sign"),
        Mutant("softmax over the examples",
               loss("logits - logits.max(axis=0, keepdims=True)", "z - xp.log(xp.exp(z).sum(axis=0, keepdims=True))"),
               expect="softmax runs over the examples"),
        Mutant("softmax over everything", loss("logits - logits.max()", "z - xp.log(xp.exp(z).sum())"),
               expect="softmax runs over the whole batch"),
        Mutant("no logarithm", loss(loss="-float(xp.exp(log_p)[rows, labels].mean())"), expect="logarithm is missing"),
        Mutant("no softmax", loss(log_p="logits"), expect="softmax is missing"),
        Mutant("base 2", loss(loss="-float(xp.log2(xp.exp(log_p[rows, labels])).mean())"), expect="base 2"),
        Mutant("base 2 for the sum only", loss(log_p="z - xp.log2(xp.exp(z).sum(axis=1, keepdims=True))"),
               expect="do not undo each other"),
        Mutant("base 10 for the sum only", loss(log_p="z - xp.log10(xp.exp(z).sum(axis=1, keepdims=True))"),
               expect="do not undo each other"),
        Mutant("no keepdims", loss("logits - logits.max(axis=1)", "z - xp.log(xp.exp(z).sum(axis=1))"),
               expect="`keepdims=True` is missing"),
        Mutant("no keepdims in the sum", loss(log_p="z - xp.log(xp.exp(z).sum(axis=1))"),
               expect="`keepdims=True` is missing"),
        Mutant("no keepdims in the maximum", loss("logits - logits.max(axis=1)"), expect="`keepdims=True` is missing"),
        Mutant("no keepdims in the gradient", loss(gradient="xp.exp(z - xp.log(xp.exp(z).sum(axis=1)))"),
               expect="`keepdims=True` is missing"),
        Mutant("maximum taken off once", loss(log_p="logits - xp.log(xp.exp(z).sum(axis=1, keepdims=True))"),
               expect="the same z twice"),
        Mutant("mean of 1 - p", loss(loss="1 - float(xp.exp(log_p[rows, labels]).mean())"), expect="mean of 1 - p"),
        Mutant("squared", loss(loss="float(((xp.exp(log_p) - xp.eye(log_p.shape[1])[labels]) ** 2).mean())"),
               expect="a squared error"),
        Mutant("minimum", loss("logits - logits.min(axis=1, keepdims=True)"), expect="smallest logit"),
        Mutant("gradient at the labels", loss(gradient="0 * logits",
               subtract="gradient[rows, labels] = xp.exp(log_p[rows, labels]) - 1"), expect="at the labels only"),
        Mutant("logits cut off", loss(shifted="xp.clip(logits, -500, 500)"), expect="Large logits are cut off"),
        Mutant("logits cut off above", loss(shifted="xp.minimum(logits, 700)"), expect="Large logits are cut off"),
        Mutant("no labels", loss(loss="-float(log_p.mean())"), expect="labels do not count"),
        Mutant("columns of all labels", loss(loss="-float(log_p[:, labels].mean())"), expect="*all* labels"),
        Mutant("mean of a one-hot product", loss(loss="-float((log_p * xp.eye(log_p.shape[1])[labels]).mean())"),
               expect="number of classes too"),
        Mutant("overflow", loss(shifted="logits"), expect="exp of a large logit is infinite"),
        Mutant("one maximum for all", loss(shifted="logits - logits.max()"), expect="each row's own maximum"),
        Mutant("log of p", loss(log_p="xp.log(xp.exp(z) / xp.exp(z).sum(axis=1, keepdims=True))"),
               expect="log 0 is infinite"),
        Mutant("p kept above a small number",
               loss(log_p="xp.log(xp.exp(z) / xp.exp(z).sum(axis=1, keepdims=True) + 1e-12)",
                    gradient="xp.exp(z) / xp.exp(z).sum(axis=1, keepdims=True)"), expect="stops growing"),
        Mutant("a very small number",
               loss(log_p="xp.log(xp.exp(z) / xp.exp(z).sum(axis=1, keepdims=True) + 1e-300)"),
               expect="stops growing"),
        Mutant("clipped", loss(loss="-float(xp.log(xp.clip(xp.exp(log_p[rows, labels]), 1e-7, 1)).mean())"),
               expect="stops growing"),
        Mutant("labels counted from 1", loss(loss="-float(log_p[rows, labels - 1].mean())"), expect="should be"),
        Mutant("gradient not divided", loss(divide="pass"), expect="gradient is not divided by the number of rows"),
        Mutant("gradient without the one-hot", loss(subtract="pass"), expect="1 at each row's label is not subtracted"),
        Mutant("gradient is p", loss(subtract="pass", divide="pass"), expect="p alone"),
        Mutant("gradient's sign", loss(gradient="-xp.exp(log_p)", subtract="gradient[rows, labels] += 1"),
               expect="gradient has the wrong sign"),
        Mutant("gradient divided by all", loss(divide="gradient /= gradient.size"), expect="divided by all elements"),
        Mutant("gradient's columns", loss(subtract="gradient[:, labels] -= 1"), expect="*all* labels"),
        Mutant("gradient of log p", loss(gradient="log_p.copy()"), expect="(log p - y) / n"),
        Mutant("gradient made of logits", loss(gradient="logits.copy()"), expect="(logits - y) / n"),
        Mutant("gradient of overflow",
               loss(gradient="xp.exp(logits) / xp.exp(logits).sum(axis=1, keepdims=True)"),
               expect="exp of a large logit is infinite"),
        Mutant("loss stays on the device", loss(loss="-log_p[rows, labels].mean()"), expect="`float(...)`"),
        Mutant("only the loss", loss().replace("return loss, gradient", "return loss"), expect="2 results"),
        Mutant("no return", loss().replace("return loss, gradient", "pass"), expect="is a `return` missing?"),
        Mutant("logits changed", loss(shifted="logits").replace("z = logits", "logits -= logits.max(axis=1, "
               "keepdims=True)\n    z = logits"), expect="changes its argument logits"),
    ),
    "10.3": (
        Mutant("dx with a transpose", layer(dx="dy @ w.T"), expect="dx is dy Wᵀ"),
        Mutant("factors of dx", layer(dx="w @ dy"), expect="changed places"),
        Mutant("dx turned over", layer(dx="w @ dy.T"), expect="dx is W dyᵀ"),
        Mutant("both turned over", layer(dx="dy.T @ w.T"), expect="Both are transposed"),
        Mutant("weights summed over the inputs", layer(dx="dy * w.sum(axis=1)"), expect="sums W over the inputs"),
        Mutant("dx of the output", layer(dx="x @ w.T @ w"), expect="made of the layer's output"),
        Mutant("dw of the output", layer(dw="dy.T @ (x @ w.T)"), expect="made with the layer's output"),
        Mutant("dw of the output brought back", layer(dw="dy.T @ (x @ w.T) @ w"), expect="brought back"),
        Mutant("db of dx", layer(db="(dy @ w).sum(axis=0)"), expect="db sums dx"),
        Mutant("columns as examples", layer(dx="w.T @ dy"), expect="where examples are columns"),
        Mutant("elementwise", layer(dx="dy * w"), expect="elementwise product"),
        Mutant("dx without weights", layer(dx="dy"), expect="weights are missing"),
        Mutant("dw transposed", layer(dw="x.T @ dy"), expect="dw is transposed"),
        Mutant("dw without a transpose", layer(dw="dy @ x"), expect="inner axis is not the examples"),
        Mutant("pairs of examples", layer(dw="dy @ x.T"), expect="each pair of examples"),
        Mutant("dw is a mean", layer(dw="dy.T @ x / len(x)"), expect="dw is divided by the number of rows"),
        Mutant("dw of w", layer(dw="dy.T @ w"), expect="made of dy and W"),
        Mutant("db over the outputs", layer(db="dy.sum(axis=1)"), expect="summed over the outputs"),
        Mutant("db is a mean", layer(db="dy.mean(axis=0)"), expect="db is divided by the number of rows"),
        Mutant("db keeps its axis", layer(db="dy.sum(axis=0, keepdims=True)"), expect="leave out `keepdims`"),
        Mutant("db is dy", layer(db="dy"), expect="shares add up"),
        Mutant("db is one number", layer(db="dy.sum()"), expect="one number"),
        Mutant("db is ones", layer(db="xp.ones(w.shape[0])"), expect="db is 1"),
        Mutant("order of the results", layer(result="dw, dx, db"), expect="dx and dw have changed places"),
        Mutant("two mistakes", layer(dw="x.T @ dy", db="dy.mean(axis=0)"), expect="dw is transposed"),
        Mutant("for one size only", layer(dx="dy @ w.reshape(3, 3)"), expect="reshape"),
    ),
    "10.4": (
        Mutant("dw2 transposed", chain(dw2="h.T @ dlogits"), expect="dw2 is transposed"),
        Mutant("the first layer as the second",
               "def back(x, w, dy):\n    return dy @ w, dy.T @ x, dy.sum(axis=0)\n\n"
               "def backward(x, z, h, w2, dlogits):\n    dh, dw2, db2 = back(h, w2, dlogits)\n"
               "    _, dw1, db1 = back(x, w2, dh * (z > 0))\n    return dw2, db2, dw1, db1\n",
               expect="Line 6 of the answer, `_, dw1, db1 = back(x, w2, dh * (z > 0))`, led there"),
        Mutant("before the ReLU", chain(dw2="dlogits.T @ z"), expect="dw2 is made with z"),
        Mutant("dw2 of x", chain(dw2="dlogits.T @ x"), expect="dw2 is made with x"),
        Mutant("db2 over the classes", chain(db2="dlogits.sum(axis=1)"), expect="db2 is summed over the classes"),
        Mutant("no ReLU", chain(dz="dh"), expect="ReLU is missing on the way back"),
        Mutant("h >= 0", chain(dz="dh * (h >= 0)"), expect="true everywhere"),
        Mutant("ReLU of the gradient", chain(dz="xp.maximum(dh, 0)"), expect="where dh itself is negative"),
        Mutant("times h", chain(dz="dh * h"), expect="dh is multiplied by h"),
        Mutant("times z", chain(dz="dh * z"), expect="dh is multiplied by z"),
        Mutant("mask turned round", chain(dz="dh * (z <= 0)"), expect="mask is turned round"),
        Mutant("mask turned round, without 0", chain(dz="dh * (z < 0)"), expect="mask is turned round"),
        Mutant("the corner lets through", chain(dz="dh * (z >= 0)"), expect="Where z is exactly 0, dh passes"),
        Mutant("the corner, for db1 only", chain(db1="(dh * (z >= 0)).sum(axis=0)"),
               expect="Where z is exactly 0, dh passes"),
        Mutant("half at the corner", chain(dz="dh * (1 + xp.sign(z)) / 2"), expect="half of dh passes"),
        Mutant("dw2 of h squared", chain(dw2="dlogits.T @ h**2"), expect="dw2 is made with h times z"),
        Mutant("a ReLU at the logits", chain(dw2="xp.maximum(dlogits, 0).T @ h"), expect="no ReLU at the logits"),
        Mutant("a ReLU at the logits for b2", chain(db2="xp.maximum(dlogits, 0).sum(axis=0)"),
               expect="no ReLU at the logits"),
        Mutant("db2 of dz", chain(db2="(dlogits @ w2 * (z > 0)).sum(axis=0)"), expect="db2 sums dz"),
        Mutant("weights before biases", chain(result="dw2, dw1, db2, db1"), expect="second result is dw1"),
        Mutant("w2 moved before it is used", chain().replace("    dh =", "    w2 -= 0.1 * dw2\n    dh ="),
               expect="It also changes its argument w2"),
        Mutant("z made the mask", chain().replace("    dz =", "    z[z < 0] = 0\n    dz ="),
               expect="right, but backward(x, z, h, w2, dlogits) changes its argument z"),
        Mutant("mask alone", chain(dz="(z > 0) * 1.0"), expect="derivative alone"),
        Mutant("w2 transposed", chain(dh="dlogits @ w2.T"), expect="dh is made with w2ᵀ"),
        Mutant("w2 missing", chain(dh="dlogits"), expect="w2 is missing"),
        Mutant("dw1 transposed", chain(dw1="x.T @ dz"), expect="dw1 is transposed"),
        Mutant("dw1 of h", chain(dw1="dz.T @ h"), expect="dw1 is made with h"),
        Mutant("dw1 is a mean", chain(dw1="dz.T @ x / len(x)"), expect="dw1 is divided"),
        Mutant("db1 without the ReLU", chain(db1="dh.sum(axis=0)"), expect="dw1 is right, but db1"),
        Mutant("db1 over the units", chain(db1="dz.sum(axis=1)"), expect="db1 is summed over the hidden units"),
        Mutant("db1 is db2", chain(db1="db2"), expect="the same as db2"),
        Mutant("first layer first", chain(result="dw1, db1, dw2, db2"), expect="first layer's gradient comes first"),
    ),
    "10.5": (
        Mutant("what failed the check", named("mean square", "relu", "penalty"), expect="rounded by a percent"),
        Mutant("without the float32", named("mean square", "relu"), expect="on the corner"),
        Mutant("missed by luck", named("mean square"), expect="1 is missing"),
        Mutant("one too many", named("mean square", "cube", "tanh"), expect="tanh is right"),
        Mutant("softmax too", named("softmax"), expect="softmax is right"),
        Mutant("everything but two", named("relu", "cube", "mean square"), expect="on the corner"),
        Mutant("none", "wrong = set()\n", expect="2 are missing"),
        Mutant("another name", named("square"), expect="the options are"),
        Mutant("a string", "wrong = 'cube'\n", expect="should be a set"),
    ),
    "10.6": (
        Mutant("ascent", one_pass(step="p += lr * g"), expect="Step against it"),
        Mutant("a new array", one_pass(step="p = p - lr * g"), expect="`p -= ...` changes the array"),
        Mutant("a new array in the list", PASS_HEAD
               + "    for start in range(0, len(order), size):\n        at = order[start : start + size]\n"
               "        found = gradients(parameters, x[at], y[at])\n        for i, g in enumerate(found):\n"
               "            parameters[i] = parameters[i] - lr * g\n", expect="a place in the list"),
        Mutant("a new list", one_pass(step="pass", after="parameters[:] = [p - lr * g for p, g in "
               "zip(parameters, found)]"), expect="a place in the list"),
        Mutant("one too many", one_pass(at="order[start : start + size + 1]"), expect="one example too many"),
        Mutant("without the first batch", one_pass(range_="size, len(order), size"), expect="first batch is left out"),
        Mutant("example by example", one_pass(range_="len(order)", at="order[start : start + 1]"),
               expect="one example only"),
        Mutant("spread", one_pass(range_="-(-len(order) // size)", at="order[start :: -(-len(order) // size)]"),
               expect="at a distance"),
        Mutant("every size-th", one_pass(range_="-(-len(order) // size)", at="order[start::size]"),
               expect="at a distance"),
        Mutant("filled up", one_pass(at="order[max(0, min(start, len(order) - size)):][:size]"),
               expect="filled up with examples"),
        Mutant("number for start", one_pass(range_="len(order) // size"), expect="used as its start"),
        Mutant("first parameter only", one_pass(step="p -= lr * g\n        break"), expect="Only the first parameter"),
        Mutant("last parameter only", one_pass(step="pass", after="p -= lr * g"), expect="Only the last parameter"),
        Mutant("crossed", one_pass().replace("zip(parameters, found)", "zip(parameters, found[::-1])"),
               expect="paired the wrong way round"),
        Mutant("from the end", one_pass().replace(":\n", ":\n    order = order[::-1]\n", 1), expect="from its end"),
        Mutant("last batch first", one_pass().replace("range(0, len(order), size)",
               "reversed(range(0, len(order), size))"), expect="from the last to the first"),
        Mutant("order sorted", one_pass().replace(":\n", ":\n    order.sort()\n", 1), expect="or sorted"),
        Mutant("copies", one_pass().replace(":\n", ":\n    parameters = [p.copy() for p in parameters]\n", 1),
               expect="copies"),
        Mutant("no batch at all", one_pass(range_="len(order), 0, size"), expect="Either no step is taken"),
        Mutant("two loops", one_pass().replace("for p, g in zip(parameters, found):", "for p in parameters:\n"
               "          for g in found:"), expect="moved by every gradient"),
        Mutant("gradients once", PASS_HEAD + "    found = gradients(parameters, x, y)\n"
               "    for start in range(0, len(order), size):\n"
               "        for p, g in zip(parameters, found):\n            p -= lr * g\n", expect="used for every batch"),
        Mutant("gradients never forgotten", PASS_HEAD + "    total = [0, 0]\n"
               "    for start in range(0, len(order), size):\n        at = order[start : start + size]\n"
               "        for i, g in enumerate(gradients(parameters, x[at], y[at])):\n"
               "            total[i] = total[i] + g\n        for p, g in zip(parameters, total):\n"
               "            p -= lr * g\n", expect="kept and added"),
        Mutant("divided by the number of batches", one_pass(step="p -= lr * g / (len(order) / size)"),
               expect="divided by the number of batches"),
        Mutant("twice", one_pass(step="p -= lr * 2 * g"), expect="Is it taken twice"),
        Mutant("no lr", one_pass(step="p -= g"), expect="does not depend on lr"),
        Mutant("divided by the size", one_pass(step="p -= lr * g / size"), expect="divided by the batch's size"),
        Mutant("divided by the batch's length", one_pass(step="p -= lr * g / len(at)"),
               expect="divided by the batch's"),
        Mutant("not shuffled", one_pass(at="slice(start, start + size)"), expect="`order` is not used"),
        Mutant("labels not shuffled", one_pass(batch="x[at], y[start : start + size]"), expect="not theirs"),
        Mutant("complete batches only", one_pass(range_="0, len(order) // size * size, size"),
               expect="left out where it is incomplete"),
        Mutant("never the last batch", one_pass(range_="0, len(order) - size, size"),
               expect="even where it is complete"),
        Mutant("first batch only", one_pass(after="return"), expect="Only the first batch"),
        Mutant("no batches", PASS_HEAD
               + "    for p, g in zip(parameters, gradients(parameters, x, y)):\n        p -= lr * g\n",
               expect="All examples are taken at once"),
        Mutant("the whole set each time", one_pass(batch="x, y"), expect="each uses all examples"),
        Mutant("one short", one_pass(at="order[start : start + size - 1]"), expect="lacks its last example"),
        Mutant("the slice ends at size", one_pass(at="order[start:size]"), expect="the batch is empty"),
        Mutant("shuffled again", one_pass().replace(":\n", ":\n    order = np.random.permutation(len(x))\n", 1),
               expect="chance"),
        Mutant("overlapping batches", one_pass(range_="len(order)"), expect="overlap"),
        Mutant("gradient after gradient", PASS_HEAD
               + "    for start in range(0, len(order), size):\n        at = order[start : start + size]\n"
               "        for i in range(len(parameters)):\n"
               "            parameters[i] -= lr * gradients(parameters, x[at], y[at])[i]\n",
               expect="before the next one's gradient is known"),
        Mutant("gradients beforehand", PASS_HEAD
               + "    pieces = [order[s : s + size] for s in range(0, len(order), size)]\n"
               "    found = [gradients(parameters, x[at], y[at]) for at in pieces]\n"
               "    for each in found:\n        for p, g in zip(parameters, each):\n            p -= lr * g\n",
               expect="at the start, before the first step"),
        Mutant("gradients of x and y only", one_pass().replace("gradients(parameters, ", "gradients("),
               expect="TypeError"),
        Mutant("no step at all", one_pass(step="pass"), expect="Nothing has changed"),
    ),
}  # fmt: skip
