"""Wrong answers to the exercises of lesson 18, and words that each must be told."""

from gpucourse.exercises import n18_scale_and_ship as n18
from tests.mutants.mutant import Mutant, kernel

LARGE, ROWS, SAVE, SHIP, QUANTIZE, CHECK, BILL = (problem.solution for problem in n18.PROBLEMS)
BY_NUMPY = kernel(    # NumPy chooses the dtype: one `true` among numbers gets through, which is told last
    CHECK, (", dtype=object)", ")"),
    ("if images.shape[1:]", 'if images.dtype.kind not in "if" or images.shape[1:]'),
    ("all(type(value) in (int, float) and 0 <= value <= 255 for value in images.flat)",
     "((images >= 0) & (images <= 255)).all()"),
    ("a pixel is no number from 0 to 255", "a pixel is outside of 0 to 255"))
TYPED = "type(value) in (int, float) and 0 <= value <= 255"
SHARE = " * (len(few) / len(x))"
DRAWN = "    generator = torch.Generator().manual_seed(seed + epoch)\n"
NORMED = "(images[:, None] / 255 - MEAN) / SPREAD"


def large(*replacements):
    return kernel(LARGE, *replacements)


def rows(*replacements):
    return kernel(ROWS, *replacements)


def ship(*replacements):
    return kernel(SHIP, *replacements)


def quantized(*replacements):
    return kernel(QUANTIZE, *replacements)


def checked(*replacements):
    return kernel(BY_NUMPY, *replacements)


def typed(*replacements):
    return kernel(CHECK, *replacements)


def bill(*replacements):
    return kernel(BILL, *replacements)


MUTANTS = {
    "18.1": (
        Mutant("not divided", large((SHARE, "")), "about three times too long"),
        Mutant("divided by the number of parts", large((SHARE, " / len(x.split(size))")), "Each part counts alike"),
        Mutant("divided by the whole parts", large((SHARE, " / (len(x) // size)")), "does not count the last"),
        Mutant("share of size", large(("len(few) / len(x)", "len(few) / size")), "share of `size`"),
        Mutant("size of n for each", large(("len(few) / len(x)", "size / len(x)")), "the last one too"),
        Mutant("the sum", large((SHARE, " * len(few)")), "gradient of the *sum*"),
        Mutant("the sum by reduction", large(("model(few), labels)" + SHARE, "model(few), labels, reduction='sum')")),
               "gradient of the *sum*"),
        Mutant("divided by n", large((SHARE, " / len(x)")), "By how many examples"),
        Mutant("divided by size", large((SHARE, " / size")), "a mean already: to divide it by `size`"),
        Mutant("zero_grad for each part", large(("        loss =", "        optimizer.zero_grad()\n        loss =")),
               "only the last part's is left"),
        Mutant("no zero_grad", large(("    optimizer.zero_grad()\n", "")), "an earlier step had left"),
        Mutant("zero_grad before the step", large(("    optimizer.zero_grad()\n", ""),
               ("    optimizer.step()", "    optimizer.zero_grad()\n    optimizer.step()")), "thrown away"),
        Mutant("a step for each part", large(("    optimizer.step()\n", ""),
               ("        total +=", "        optimizer.step()\n        total +=")), "A step is made after each part"),
        Mutant("a small training step for each part", """
def large_step(model, optimizer, x, y, size):
    total = 0.0
    for few, labels in zip(x.split(size), y.split(size)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(few), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(few)
    return total / len(x)
""", "A step is made after each part"),
        Mutant("backward at the end", """
def large_step(model, optimizer, x, y, size):
    optimizer.zero_grad()
    total = 0.0
    for few, labels in zip(x.split(size), y.split(size)):
        total = total + F.cross_entropy(model(few), labels) * (len(few) / len(x))
    total.backward()
    optimizer.step()
    return total.item()
""", "after *all* forward passes"),
        Mutant("all at once", """
def large_step(model, optimizer, x, y, size):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()
""", "at most 4 have room"),
        Mutant("the last part lost", large(("zip(x.split(size), y.split(size))",
               "zip(x[: len(x) // size * size].split(size), y.split(size))")), "The last part is smaller; it counts"),
        Mutant("`size` parts", large(("x.split(size), y.split(size)", "x.chunk(size), y.chunk(size)")),
               "went through the model at once"),
        Mutant("no step", large(("    optimizer.step()\n", "")), "made no step"),
        Mutant("no backward", large(("        loss.backward()\n", "")), "No backward pass"),
        Mutant("the sum of losses", large(("total += loss.item()", "total += loss.item() * len(x) / len(few)")),
               "sum of the parts' losses"),
        Mutant("a tensor with its record", large(("loss.item()", "loss")), "still carries its record"),
        Mutant("a tensor", large(("loss.item()", "loss.detach()")), "due as a float, and it is a tensor"),
        Mutant("the last loss", large(("total += loss.item()", "total = loss.item()")), "the last part's share alone"),
        Mutant("nothing returned", large(("    return total\n", "")), "returns None"),
    ),
    "18.2": (
        Mutant("no rank", rows(("[rank::world]", "")), "do the work of one"),
        Mutant("the first share for all", rows(("order[rank::world]", "order[::world]")), "read the same rows"),
        Mutant("rank in the seed", rows(("seed + epoch", "seed + epoch + rank"), ("[rank::world]",
               "[: n // world]")), "draw an order of its own"),
        Mutant("rank in the seed, and places", rows(("seed + epoch", "seed + 100 * epoch + rank")),
               "draw an order of its own"),
        Mutant("no epoch", rows(("seed + epoch", "seed")), "the epoch must be part of the seed"),
        Mutant("no seed", rows(("seed + epoch", "epoch")), "it is not used"),
        Mutant("divided first, then shuffled", """
def rows_of(n, rank, world, epoch, seed):
    own = torch.arange(n - n % world)[rank::world]
    order = torch.randperm(len(own), generator=torch.Generator().manual_seed(seed + epoch))
    return own[order]
""", "Shuffle all rows first"),
        Mutant("not shuffled", rows(("torch.randperm(n, generator=generator)", "torch.arange(n)")),
               "nothing is shuffled"),
        Mutant("global random numbers", rows((", generator=generator", "")), "random numbers of its own"),
        Mutant("a row more for some", rows(("[: n - n % world]", "")), "would wait for ever"),
        Mutant("padded", """
def rows_of(n, rank, world, epoch, seed):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed + epoch))
    order = torch.cat([order, order[: -n % world]])
    return order[rank::world]
""", "some rows are read twice"),
        Mutant("blocks, the rest to the last", """
def rows_of(n, rank, world, epoch, seed):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed + epoch))
    k = n // world
    return order[rank * k : (rank + 1) * k] if rank < world - 1 else order[rank * k :]
""", "would wait for ever"),
        Mutant("counted from 1", rows(("order[rank::world]", "order[rank::world] + 1")), "from 0 to 29"),
        Mutant("one row", rows(("order[rank::world]", "order[rank]")), "A list of rows is due"),
        Mutant("the rest cut off before the shuffle", rows(("torch.randperm(n, generator=generator)[: n - n % world]",
               "torch.randperm(n - n % world, generator=generator)")), "Rows 44, 45, 46 of 47"),
        Mutant("shuffled once, then turned", """
def rows_of(n, rank, world, epoch, seed):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).roll(epoch)
    return order[: n - n % world][rank::world]
""", "only turned"),
        Mutant("blocks that overlap", """
def rows_of(n, rank, world, epoch, seed):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed + epoch))
    k = n // world
    return order[rank * k : (rank + 1) * k + 1]
""", "Where does the part of one end?"),
        Mutant("seed times epoch", rows(("seed + epoch", "seed * epoch")), "multiplied by the epoch"),
        Mutant("sorted", rows(("return order[rank::world]", "return sorted(order[rank::world].tolist())")),
               "ascending order"),
        Mutant("own draws", """
def rows_of(n, rank, world, epoch, seed):
    generator = torch.Generator().manual_seed(seed + epoch)
    return torch.randint(0, n, (n // world,), generator=generator)
""", "reads a row twice"),
    ),
    "18.3": (
        Mutant("in place", """
def save(path, content):
    torch.save(content, path)
""", "written in place"),
        Mutant("deleted first", """
def save(path, content):
    new = path.with_name(path.name + ".new")
    torch.save(content, new)
    path.unlink(missing_ok=True)
    new.rename(path)
""", "without any file"),
        Mutant("the old one put aside", """
def save(path, content):
    if path.exists():
        path.rename(path.with_name("old"))
    torch.save(content, path)
    path.with_name("old").unlink(missing_ok=True)
""", "half a file"),
        Mutant("new, old aside, then renamed", """
def save(path, content):
    new = path.with_name(path.name + ".new")
    torch.save(content, new)
    if path.exists():
        path.rename(path.with_name("old"))
    new.rename(path)
    path.with_name("old").unlink(missing_ok=True)
""", "without any file"),
        Mutant("copied", """
import shutil
def save(path, content):
    new = path.with_name(path.name + ".new")
    torch.save(content, new)
    shutil.copy(new, path)
    new.unlink()
""", "A copy takes time"),
        Mutant("bytes in memory, written in place", """
import io
def save(path, content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())
""", "written in place"),
        Mutant("a backup of the old one", """
import shutil
def save(path, content):
    if path.exists():
        shutil.copy(path, path.with_name("backup"))
    torch.save(content, path)
    path.with_name("backup").unlink(missing_ok=True)
""", "half a file"),
        Mutant("renamed before it is closed", """
import io
def save(path, content):
    new = path.with_name(path.name + ".new")
    buffer = io.BytesIO()
    torch.save(content, buffer)
    file = open(new, "wb", buffering=1 << 20)
    file.write(buffer.getvalue())
    new.replace(path)
    file.close()
""", "not closed"),
        Mutant("another folder", """
import tempfile, os
def save(path, content):
    file, name = tempfile.mkstemp()
    os.close(file)
    torch.save(content, name)
    os.replace(name, path)
""", "not written beside it"),
        Mutant("the new one stays under its name", """
def save(path, content):
    torch.save(content, path.with_name(path.name + ".new"))
""", "no file at `path`"),
        Mutant("the old one stays beside it", """
def save(path, content):
    new, old = path.with_name(path.name + ".new"), path.with_name(path.name + ".old")
    torch.save(content, new)
    if path.exists():
        old.unlink(missing_ok=True)
        old.hardlink_to(path)
    new.replace(path)
""", "something lies beside it"),
        Mutant("only the first time", """
def save(path, content):
    new = path.with_name(path.name + ".new")
    torch.save(content, new)
    if not path.exists():
        new.replace(path)
    else:
        new.unlink()
""", "first one's content"),
        Mutant("only the weights", kernel(SAVE, ("torch.save(content", "torch.save(content['weights']")),
               "does not hold `content`"),
        Mutant("a pickle", """
import pickle
def save(path, content):
    new = path.with_name(path.name + ".new")
    new.write_bytes(pickle.dumps(content))
    new.replace(path)
""", "Write it by `torch.save`"),
    ),
    "18.4": (
        Mutant("raw pixels", ship((NORMED, "images[:, None]")), "numbers from 0 to 255"),
        Mutant("divided only", ship((NORMED, "images[:, None] / 255")), "not normalized"),
        Mutant("not divided", ship((NORMED, "(images[:, None] - MEAN) / SPREAD")), "Divide by 255 first"),
        Mutant("by their own mean", ship((NORMED, "(images[:, None] - images.mean()) / images.std()")),
               "own mean and spread"),
        Mutant("no spread", ship((NORMED, "images[:, None] / 255 - MEAN")), "not divided by SPREAD"),
        Mutant("parentheses", ship((NORMED, "images[:, None] / 255 - MEAN / SPREAD")), "Put parentheses"),
        Mutant("training mode", ship((".eval()", "")), "exported in training mode"),
        Mutant("a fixed batch", ship((", dynamic_shapes=free", "")), "refuses 1"),
        Mutant("an example of one", ship(("torch.zeros(2", "torch.zeros(1")), "one picture only"),
        Mutant("an example of one, fixed", ship(("torch.zeros(2", "torch.zeros(1"), (", dynamic_shapes=free", "")),
               "refuses 2 pictures"),
        Mutant("scores", ship((".softmax(dim=1)", "")), "These are the scores"),
        Mutant("softmax over the batch", ship(("dim=1", "dim=0")), "Each row should add up"),
        Mutant("labels", ship((".softmax(dim=1)", ".argmax(dim=1)")), "These are the labels"),
        Mutant("sigmoid", ship((".softmax(dim=1)", ".sigmoid()")), "sigmoid for each class"),
        Mutant("spread first", ship((NORMED, "images[:, None] / 255 / SPREAD - MEAN")), "Subtract first"),
        Mutant("255 last", ship((NORMED, "(images[:, None] - MEAN) / SPREAD / 255")), "comes last"),
        Mutant("always in training mode", ship(("model.train(mode)", "model.train()")), "came in `eval()` mode"),
        Mutant("log", ship((".softmax", ".log_softmax")), "log-probabilities"),
        Mutant("left in eval mode", ship(("    model.train(mode)\n", "")), "left in `eval()` mode"),
        Mutant("the module", ship(("return program", "return program.module()")), "should be an exported program"),
        Mutant("not exported", ship(("return program", "return Whole(model)")), "should be an exported program"),
        Mutant("no axis for the channel", ship(("images[:, None]", "images")), "Line"),
    ),
    "18.5": (
        Mutant("range without 0", quantized(("min(float(x.min()), 0.0), max(float(x.max()), 0.0)",
               "float(x.min()), float(x.max())")), "It must contain 0"),
        Mutant("256 steps", quantized(("/ 255", "/ 256")), "and 255 steps"),
        Mutant("127 steps", quantized(("/ 255", "/ 127")), "That is half of them"),
        Mutant("symmetric", quantized(("(high - low) / 255", "float(abs(x).max()) / 127")), "same on both sides"),
        Mutant("turned round", quantized(("(high - low) / 255", "255 / (high - low)")), "Turned round"),
        Mutant("zero from 0 to 255", quantized(("-128 - low / scale)", "-low / scale)")), "numbers from 0 to 255"),
        Mutant("the sign of low", quantized(("-128 - low", "-128 + low")), "The sign is wrong"),
        Mutant("zero is a float", quantized(("round(-128 - low / scale)", "-128 - low / scale")), "not a whole number"),
        Mutant("zero is 0", quantized(("round(-128 - low / scale)", "0")), "same on both sides"),
        Mutant("zero cut off", quantized(("round(-128", "int(-128")), "cuts off toward 0"),
        Mutant("zero not added", quantized((" + zero", "")), "`zero` is not added"),
        Mutant("zero subtracted", quantized((" + zero", " - zero")), "*plus* zero"),
        Mutant("multiplied", quantized(("x / scale) + zero", "x * scale) + zero")), "Divide by it"),
        Mutant("cut off, not rounded", quantized(("np.round(x / scale)", "(x / scale).astype(np.int32)")),
               "cut off toward 0"),
        Mutant("not cut off", quantized(("np.clip(np.round(x / scale) + zero, -128, 127)",
               "(np.round(x / scale) + zero).astype(np.int32)")), "the largest x is stored as the smallest"),
        Mutant("cut off at -127", quantized(("-128, 127)", "-127, 127)")), "cut off at -127"),
        Mutant("floats", quantized((".astype(np.int8)", "")), "a quarter of the room"),
        Mutant("uint8", quantized(("np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)",
               "(np.round(x / scale) + zero).astype(np.int16).astype(np.uint8)")), "uint8"),
    ),
    "18.6": (
        Mutant("no limit of bytes", checked(("    if len(body) > most_bytes:\n", "    if False:\n")),
               "a body of 70,000 bytes"),
        Mutant("a limit of bytes that is one too small", checked(("len(body) > most_bytes", "len(body) >= most_bytes")),
               "nothing is wrong with it: a body of exactly"),
        Mutant("no limit of pictures", checked(("not 1 <= len(images) <= most_images", "len(images) < 1")),
               "five pictures"),
        Mutant("no pictures", checked(("not 1 <= len(images) <= most_images", "len(images) > most_images"),
               ("images.shape[1:] != (28, 28)", "images.size and images.shape[1:] != (28, 28)")), "no pictures"),
        Mutant("one too few", checked(("<= most_images", "< most_images")), "four pictures, as many as are allowed"),
        Mutant("no range", checked(("    if not ((images >= 0) & (images <= 255)).all():\n", "    if False:\n")),
               "a pixel of 256"),
        Mutant("nan slips through", checked(("not ((images >= 0) & (images <= 255)).all()",
               "(images < 0).any() or (images > 255).any()")), "a pixel of NaN. Python's JSON reads NaN"),
        Mutant("min and max", checked(("not ((images >= 0) & (images <= 255)).all()",
               "images.min() < 0 or images.max() > 255")), "a pixel of NaN"),
        Mutant("isnan only", checked(("not ((images >= 0) & (images <= 255)).all()",
               "np.isnan(images).any() or (images < 0).any()")), "a pixel of 256"),
        Mutant("dtype given", checked(('["images"])', '["images"], dtype=np.float32)'),
               ('images.dtype.kind not in "if" or ', "")), "NumPy turns texts into numbers"),
        Mutant("kind not looked at", checked(('images.dtype.kind not in "if" or ', "")), "TypeError"),
        Mutant("no KeyError", checked(("KeyError, ", "")), "an object without `images` it raises KeyError"),
        Mutant("no TypeError", checked(("TypeError, ", "")), "a list in place of the object it raises TypeError"),
        Mutant("no RecursionError", checked((", RecursionError", "")), "RecursionError, which nobody expects"),
        Mutant("784 in a row", checked(("images.shape[1:] != (28, 28)", "images.size % 784")),
               "784 numbers are no picture"),
        Mutant("rows only", checked(("images.shape[1:] != (28, 28)", "images.shape[1:2] != (28,)")),
               "Its shape is"),
        Mutant("reshaped", checked(('["images"])', '["images"]).reshape(-1, 28, 28)')), "Let through"),
        Mutant("assert", checked(("    if len(body) > most_bytes:\n",
               "    assert len(body) <= most_bytes\n    if False:\n")),
               "AssertionError"),
        Mutant("divided", checked(("images.astype(np.float32)", "(images / 255).astype(np.float32)")),
               "from 0 to 1"),
        Mutant("float64", checked((".astype(np.float32)", ".astype(float)")), "they are float64"),
        Mutant("one true among numbers", BY_NUMPY, "Let through: one true among the numbers"),
        Mutant("isinstance", typed((TYPED, "isinstance(value, (int, float)) and 0 <= value <= 255")),
               "`isinstance(True, int)` is true"),
        Mutant("no test of types", typed((TYPED, "0 <= value <= 255")), "TypeError"),
        Mutant("outside in place of inside", typed((TYPED,
               "type(value) in (int, float) and not (value < 0 or value > 255)")),
               "a pixel of NaN"),
        Mutant("255 left out", typed((TYPED, "type(value) in (int, float) and 0 <= value < 255")),
               "with pixels of 255"),
        Mutant("0 left out", typed((TYPED, "type(value) in (int, float) and 0 < value <= 255")), "with pixels of 0"),
        Mutant("characters in place of bytes", typed(("len(body) > most_bytes",
               "len(body.decode(errors='replace')) > most_bytes")),
               "Bytes are to be counted"),
        Mutant("`images` in a list", typed(("        images = np.array(json",
               "        if 'images' not in json.loads(body):\n            raise ValueError('no images')\n"
               "    except (ValueError, RecursionError) as error:\n        raise ValueError('bad') from None\n"
               "    try:\n        images = np.array(json"), ("KeyError, TypeError, ", "")),
               "a number in place of the object it raises TypeError"),
        Mutant("no words", checked(('ValueError("a pixel is outside of 0 to 255")', "ValueError")), "without a word"),
        Mutant("None for a refusal", checked(('        raise ValueError("a pixel is outside of 0 to 255")',
               "        return None")), "returns None for a pixel of 256"),
        Mutant("clipped", checked(("    if not ((images >= 0) & (images <= 255)).all():\n"
               "        raise ValueError(\"a pixel is outside of 0 to 255\")\n", "    images = images.clip(0, 255)\n")),
               "Let through: a pixel of 256"),
    ),
    "18.7": (
        Mutant("no start", bill(("startup / 60 + ", "")), "before the training starts are missing"),
        Mutant("start in hours", bill(("startup / 60", "startup")), "you add it as hours"),
        Mutant("start in seconds", bill(("startup / 60", "startup / 3600")), "you treat it as seconds"),
        Mutant("one epoch", bill(("n * epochs", "n")), "This is one epoch"),
        Mutant("no efficiency", bill((" * efficiency", "")), "if none of them ever waited"),
        Mutant("one GPU", bill(("(speed * gpus * efficiency)", "speed")), "the time of one GPU"),
        Mutant("multiplied by the efficiency", bill(("n * epochs / (speed * gpus * efficiency)",
               "n * epochs * efficiency / (speed * gpus)")), "makes the run *longer*"),
        Mutant("minutes", bill(("startup / 60", "startup"), ("/ 3600", "/ 60")), "These are minutes"),
        Mutant("seconds", bill(("startup / 60", "startup * 60"), (" / 3600", "")), "These are seconds"),
        Mutant("3600 forgotten", bill((" / 3600", "")), "in seconds here"),
        Mutant("start divided", bill(("startup / 60 + n * epochs / (speed * gpus * efficiency) / 3600",
               "(startup / 60 + n * epochs / speed / 3600) / (gpus * efficiency)")), "The start is divided"),
        Mutant("price of one", bill(("hours * gpus * price", "hours * price")), "price of one GPU for that time"),
        Mutant("only the training is paid", bill(("hours * gpus * price", "(hours - startup / 60) * gpus * price")),
               "not paid here"),
        Mutant("paid by efficiency", bill(("hours * gpus * price", "hours * gpus * efficiency * price")),
               "no efficiency in the bill"),
        Mutant("one hour", bill(("hours * gpus * price", "gpus * price")), "price of one hour"),
        Mutant("the first GPU in full", bill(("gpus * efficiency", "(1 + (gpus - 1) * efficiency)")),
               "You count the first GPU in full"),
        Mutant("rounded up", bill(("dollars = hours", "dollars = -(-hours // 1)")), "rounded up"),
        Mutant("whole seconds", bill(("dollars = hours", "dollars = np.ceil(round(hours * 3600, 6)) / 3600")),
               "seconds are rounded up"),
        Mutant("hours rounded up", bill(("    dollars =", "    hours = np.ceil(hours)\n    dollars =")),
               "hours are rounded up"),
        Mutant("hours rounded", bill(("    dollars =", "    hours = round(hours, 2)\n    dollars =")),
               "hours are rounded."),
        Mutant("cents", bill(("hours * gpus * price", "round(hours * gpus * price, 2)")), "to cents"),
        Mutant("GPU hours", bill(("hours = startup / 60 + n * epochs / (speed * gpus * efficiency) / 3600",
               "hours = gpus * (startup / 60 + n * epochs / (speed * gpus * efficiency) / 3600)")), "GPU hours"),
        Mutant("a start for each GPU", bill(("hours = startup", "hours = gpus * startup")), "once for each GPU"),
    ),
}
