"""Lesson 18: other right answers pass, libraries agree with the references, the prose with the numbers."""

import re
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.data.batches import MEAN, SPREAD
from gpucourse.exercises import n18_scale_and_ship as n18
from gpucourse.exercises import registry, watched
from gpucourse.viz import cost, scaling
from tests.mutants.mutant import answer_of

torch = pytest.importorskip("torch")
TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "18_scale_and_ship.md").read_text("utf-8")

ALSO_RIGHT = {
    "18.1 sums, divided once": """
        def large_step(model, optimizer, x, y, size):
            optimizer.zero_grad()
            total = 0
            for start in range(0, len(x), size):
                few, labels = x[start : start + size], y[start : start + size]
                loss = F.cross_entropy(model(few), labels, reduction="sum") / len(x)
                loss.backward()
                total += loss.item()
            optimizer.step()
            return total
        """,
    "18.1 gradients divided at the end": """
        def large_step(model, optimizer, x, y, size):
            model.zero_grad()
            total = 0.0
            for few, labels in zip(torch.split(x, size), torch.split(y, size)):
                loss = F.cross_entropy(model(few), labels, reduction="sum")
                loss.backward()
                total += loss.item()
            for p in model.parameters():
                p.grad /= len(x)
            optimizer.step()
            return total / len(y)
        """,
    "18.1 zero_grad at the end, too": n18.LARGE.solution.replace(
        "    return total", "    optimizer.zero_grad()\n    return total"),
    "18.1 the loss as a tensor until the end": n18.LARGE.solution.replace(
        "loss.item()", "loss.detach()").replace("return total", "return float(total)"),
    "18.1 parts of equal size": """
        def large_step(model, optimizer, x, y, size):
            optimizer.zero_grad(set_to_none=False)
            parts, total = -(-len(x) // size), []
            for few, labels in zip(x.tensor_split(parts), y.tensor_split(parts)):
                loss = torch.nn.CrossEntropyLoss()(model(few), labels)
                (len(few) / x.shape[0] * loss).backward()
                total.append(loss.item() * len(few))
            optimizer.step()
            return np.sum(total) / len(x)
        """,
    "18.2 blocks": """
        def rows_of(n, rank, world, epoch, seed):
            rng = np.random.default_rng([seed, epoch])
            k = n // world
            return rng.permutation(n)[rank * k : (rank + 1) * k]
        """,
    "18.2 Python's shuffle": """
        import random
        def rows_of(n, rank, world, epoch, seed):
            rows = list(range(n))
            random.Random(1000 * seed + epoch).shuffle(rows)
            return rows[rank : n - n % world : world]
        """,
    "18.2 manual_seed": """
        def rows_of(n, rank, world, epoch, seed):
            torch.manual_seed(seed * 1009 + epoch)
            return torch.randperm(n)[: n // world * world].reshape(-1, world)[:, rank].tolist()
        """,
    "18.2 the sampler": """
        from torch.utils.data import DistributedSampler
        def rows_of(n, rank, world, epoch, seed):
            sampler = DistributedSampler(range(n), world, rank, shuffle=True, seed=seed, drop_last=True)
            sampler.set_epoch(epoch)
            return list(sampler)
        """,
    "18.2 the first ones left out": """
        def rows_of(n, rank, world, epoch, seed):
            order = np.random.RandomState(seed + 31 * epoch).permutation(n)[n % world :]
            return tuple(int(row) for row in order[rank::world])
        """,
    "18.3 os.replace": """
        import os
        def save(path, content):
            temporary = str(path) + ".tmp"
            torch.save(content, temporary)
            os.replace(temporary, path)
        """,
    "18.3 flushed to the disk": """
        import os
        def save(path, content):
            new = path.parent / "new"
            with new.open("wb") as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        """,
    "18.3 a temporary file beside it": """
        import os, tempfile
        def save(path, content):
            handle, name = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                torch.save(content, file)
            os.rename(name, path)
        """,
    "18.3 through memory": """
        import io
        def save(path, content):
            buffer = io.BytesIO()
            torch.save(content, buffer)
            path.with_suffix(".part").write_bytes(buffer.getvalue())
            path.with_suffix(".part").replace(path)
        """,
    "18.3 the course's own idea, with a clean-up": """
        def save(path, content):
            new = path.with_name("." + path.name)
            try:
                torch.save(dict(content), new)
                new.rename(path)
            finally:
                new.unlink(missing_ok=True)
        """,
    "18.4 a copy": n18.SHIP.solution.replace("Whole(model)", "Whole(__import__('copy').deepcopy(model))"),
    "18.4 buffers, functional softmax": n18.SHIP.solution.replace(
        n18.SHIP_FORWARD, "        x = images.unsqueeze(1).div(255).sub(MEAN).div(SPREAD)\n"
                          "        return F.softmax(self.model(x), 1)"),
    "18.4 a larger example, another name, a dict": n18.SHIP.solution.replace("torch.zeros(2,", "torch.rand(7,").replace(
        '({0: torch.export.Dim("n")},)', '{"images": {0: torch.export.Dim("batch", min=1)}}'),
    "18.4 an automatic axis": n18.SHIP.solution.replace('torch.export.Dim("n")', "torch.export.Dim.AUTO"),
    "18.4 under no_grad, mode kept by train": n18.SHIP.solution.replace(
        "    program =", "    with torch.no_grad():\n        program ="),
    "18.5 NumPy's numbers": """
        def quantize(x):
            low, high = np.minimum(x.min(), 0), np.maximum(x.max(), 0)
            scale = (high - low) / 255
            zero = np.round(-128 - low / scale).astype(int)
            return scale, zero, (np.rint(x / scale) + zero).clip(-128, 127).astype("int8")
        """,
    "18.5 float64 inside": """
        def quantize(x):
            x = x.astype(np.float64)
            low, high = min(0, x.min()), max(0, x.max())
            scale = (high - low) / 255.0
            zero = int(round(-128 - low / scale))
            q = np.round(x / scale).astype(np.int32) + zero
            return float(scale), zero, np.int8(np.clip(q, -128, 127))
        """,
    "18.5 from the upper end": """
        def quantize(x):
            low, high = min(x.min(), 0.0), max(x.max(), 0.0)
            scale = (high - low) / 255
            zero = round(float(127 - high / scale))
            return scale, zero, np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)
        """,
    "18.5 a list": n18.QUANTIZE.solution.replace("return scale, zero, q", "return [scale, zero, q]"),
    "18.5 range with a zero appended": """
        def quantize(x):
            reach = np.append(x, 0)
            scale = (reach.max() - reach.min()) / 255
            zero = int(np.round(-128 - reach.min() / scale))
            return scale, zero, np.clip(np.round(x / scale + 0) + zero, -128, 127).astype(np.int8)
        """,
    "18.6 number by number": """
        def checked(body, most_bytes, most_images):
            if len(body) > most_bytes:
                raise ValueError("too long")
            try:
                images = json.loads(body)["images"]
                assert isinstance(images, list) and 1 <= len(images) <= most_images
                for image in images:
                    assert isinstance(image, list) and len(image) == 28
                    for row in image:
                        assert isinstance(row, list) and len(row) == 28
                        assert all(type(value) in (int, float) and 0 <= value <= 255 for value in row)
            except Exception as error:
                raise ValueError(f"no: {error!r}") from error
            return np.array(images, dtype=np.float32)
        """,
    "18.6 JSON's and Unicode's errors pass as they are": n18.CHECK.solution.replace("(ValueError, ", "("),
    "18.6 its own ValueError": """
        class Bad(ValueError):
            pass
        def checked(body, most_bytes, most_images):
            if not len(body) <= most_bytes:
                raise Bad("long")
            try:
                content = json.loads(body.decode("utf-8"))
            except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
                raise Bad("no JSON")
            if not isinstance(content, dict) or not isinstance(content.get("images"), list):
                raise Bad("no images")
            images = np.array(content["images"])
            if images.dtype not in (np.int64, np.float64) or b"true" in body or b"false" in body:
                raise Bad("no numbers")
            if images.ndim != 3 or images.shape[1:] != (28, 28) or len(images) > most_images:
                raise Bad("shape")
            if not np.isfinite(images).all() or images.min() < 0 or images.max() > 255:
                raise Bad("range")
            return images.astype("float32")
        """,
    "18.6 the range by two comparisons": n18.CHECK.solution.replace(
        "0 <= value <= 255", "value >= 0 and not value > 255"),
    "18.6 all in one try": """
        def checked(body, most_bytes, most_images):
            try:
                assert len(body) <= most_bytes
                images = np.array(json.loads(body)["images"], dtype=object)
                assert {type(v) for v in images.ravel()} <= {int, float}
                assert images[0].shape == (28, 28) and len(images) <= most_images
                assert np.all((0 <= images) & (images <= 255))
            except Exception as error:
                raise ValueError(f"refused: {type(error).__name__}")
            return np.float32(images)
        """,
    "18.7 in steps": """
        def bill(n, epochs, speed, gpus, efficiency, startup, price):
            together = gpus * efficiency * speed
            training = n * epochs / together
            hours = (60 * startup + training) / 3600
            return hours, price * gpus * hours
        """,
    "18.7 a list": n18.BILL.solution.replace("return hours, dollars", "return [hours, dollars]"),
    "18.7 NumPy": """
        def bill(n, epochs, speed, gpus, efficiency, startup, price):
            hours = np.float64(startup) / 60 + np.float64(n) * epochs / speed / gpus / efficiency / 3600
            return hours, hours * (gpus * price)
        """,
    "18.7 the course's own": """
        from gpucourse.viz import cost
        def bill(n, epochs, speed, gpus, efficiency, startup, price):
            rest = {"startup": startup, "gpus": gpus, "efficiency": efficiency}
            made = cost.bill(price=price, speed=speed, images=n * epochs, **rest)
            return made.hours, made.dollars
        """,
    "18.7 dollars by the second": """
        def bill(n, epochs, speed, gpus, efficiency, startup, price):
            seconds = startup * 60 + epochs * n / (speed * gpus * efficiency)
            return seconds / 3600, seconds * gpus * (price / 3600)
        """,
}


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    source = textwrap.dedent(ALSO_RIGHT[name])
    found = problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))
    assert found.state == "right", found


# --- the references -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_int8_is_pytorchs(seed):
    for case in n18.QUANTIZE.judge.judge_of(0, 0).all_cases(np, seed):
        (x,) = case.args
        scale, zero, q = n18.quantize(x)
        due = torch.fake_quantize_per_tensor_affine(torch.from_numpy(x), scale, zero, -128, 127).numpy()
        np.testing.assert_allclose(scale * (q.astype(float) - zero), due, atol=1e-5)
        assert np.abs(due - x).max() <= 0.51 * scale


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bill_is_the_explorers(seed):
    for case in n18.BILL.judge.judge_of(0, 0).all_cases(np, seed):
        n, epochs, speed, gpus, efficiency, startup, price = case.args
        due = cost.bill(price=price, speed=speed, images=n * epochs, startup=startup, gpus=gpus, efficiency=efficiency)
        assert n18.bill(*case.args) == pytest.approx((due.hours, due.dollars))


def test_the_constants_are_the_trainings():
    assert (n18.MEAN, n18.SPREAD) == (MEAN, SPREAD)
    assert f"MEAN, SPREAD = {MEAN}, {SPREAD}" in n18.SHIP_STUB


def test_the_requests_are_good_and_bad_for_the_service_too():
    """The same bytes, asked of the package's own validation, which was written by another hand."""
    from gpucourse.serving.service import Limits, Refused, images_of

    limits = Limits(images=n18.MOST_IMAGES, body=n18.MOST_BYTES)
    for body, due in n18._good(3).values():
        assert np.array_equal(images_of(body, limits).numpy(), due)
    for name, (body, _) in n18.BAD.items():
        if name != "a body of 70,000 bytes":                       # its length is tested before it is parsed
            with pytest.raises(Refused):
                images_of(body, limits)


# --- the watch on a file --------------------------------------------------------------------------------


def watched_message(tmp_path, write):
    path = tmp_path / "file"
    path.write_bytes(b"old" * 1000)
    with watched.watching(path) as seen:
        write(path)
    return seen.message()


def test_the_watch_sees_a_file_that_is_written_in_place(tmp_path):
    assert "in place" in watched_message(tmp_path, lambda path: path.write_bytes(b"new" * 1000))


def test_the_watch_sees_a_moment_without_a_file(tmp_path):
    def write(path):
        path.with_name("new").write_bytes(b"new")
        path.unlink()
        path.with_name("new").rename(path)

    assert "without any file" in watched_message(tmp_path, write)


def test_the_watch_is_content_with_one_step_and_ends(tmp_path):
    def write(path):
        path.with_name("new").write_bytes(b"new" * 1000)
        path.with_name("new").replace(path)

    before = [getattr(module, name) for module, name in watched._touching()]
    assert watched_message(tmp_path, write) == ""
    assert [getattr(module, name) for module, name in watched._touching()] == before


def test_a_busy_thread_changes_no_verdict_about_a_file():
    """Each look lets it run, and it keeps the interpreter for a while: looks are for what may touch a file only."""
    problem, done = registry.find("18.3"), threading.Event()

    def keeps_busy():
        while not done.is_set():
            sum(range(10_000))

    thread = threading.Thread(target=keeps_busy)
    thread.start()
    try:
        wrong = problem.check(answer_of("def save(path, content):\n    new = path.with_name('new')\n"
                                        "    torch.save(content, new)\n    path.unlink(missing_ok=True)\n"
                                        "    new.rename(path)\n", "save"))  # fmt: skip
        right = problem.check(answer_of(problem.solution, "save"))
    finally:
        done.set()
        thread.join()
    assert "without any file" in wrong.message
    assert right.state == "right"


# --- the lesson's own sentences -------------------------------------------------------------------------


@pytest.mark.parametrize("figure", [f"The last batch has {2_000 % 64} digits",
                                    f"{28 * 28} numbers are written as text"])
def test_a_figure_in_the_prose_is_that_of_the_code(figure):
    assert figure in " ".join(TEXT.split())


def test_what_the_prose_says_about_the_bill():
    made = cost.bill(price=2.5, speed=40_000)
    assert "The start, twenty times over" in TEXT
    assert made.startup / made.training == pytest.approx(20)


def test_what_the_prose_says_about_the_wire():
    slow, fast = (scaling.step(workers=8, megabytes=100, bandwidth=b, compute=100) for b in (1, 100))
    assert slow.waits > slow.compute and fast.efficiency > 0.95
    assert re.search(r"With a slow connection the GPUs wait most of the time", TEXT)
