"""Lesson 15: other right answers pass, libraries agree with the references, and a killed search keeps its trials."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import n15_generalise as n15
from gpucourse.exercises import registry
from tests.mutants.mutant import answer_of

torch = pytest.importorskip("torch")
TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "15_generalise.md").read_text("utf-8")

ALSO_RIGHT = {
    "15.1 padded and cut": """
        def shifted(images, right, down, fill):
            h, w = images.shape[2:]
            wide = F.pad(images, (w, w, h, h), value=fill)
            return wide[:, :, h - down : 2 * h - down, w - right : 2 * w - right]
        """,
    "15.1 a new tensor, rectangles": """
        def shifted(images, right, down, fill):
            new = torch.full_like(images, fill)
            h, w = images.shape[-2:]
            new[..., max(down, 0) : h + min(down, 0), max(right, 0) : w + min(right, 0)] = \\
                images[..., max(-down, 0) : h - max(down, 0), max(-right, 0) : w - max(right, 0)]
            return new
        """,
    "15.1 negative padding": """
        def shifted(images, right, down, fill):
            return F.pad(images, (right, -right, down, -down), value=fill)
        """,
    "15.1 pixel by pixel": """
        def shifted(images, right, down, fill):
            n, c, h, w = images.shape
            moved = images * 0 + fill
            for i in range(h):
                for j in range(w):
                    if 0 <= i - down < h and 0 <= j - right < w:
                        moved[:, :, i, j] = images[:, :, i - down, j - right]
            return moved
        """,
    "15.1 a mask": """
        def shifted(images, right, down, fill):
            here = torch.ones_like(images, dtype=torch.bool)
            for axis, by in ((2, down), (3, right)):
                images, here = images.roll(by, axis), here.roll(by, axis)
                inside = torch.arange(images.shape[axis]) - by
                inside = (inside >= 0) & (inside < images.shape[axis])
                here = here & (inside[:, None] if axis == 2 else inside)
            return torch.where(here, images, torch.tensor(fill, dtype=images.dtype))
        """,
    "15.1 images concatenated": """
        def shifted(images, right, down, fill):
            for axis, by in ((2, down), (3, right)):
                size = images.shape[axis]
                rim = images.narrow(axis, 0, abs(by)) * 0 + fill
                if by >= 0:
                    images = torch.cat([rim, images.narrow(axis, 0, size - by)], axis)
                else:
                    images = torch.cat([images.narrow(axis, -by, size + by), rim], axis)
            return images
        """,
    "15.2 a counter": """
        def early_stop(losses, patience):
            smallest, best, waited = float("inf"), 0, 0
            for i in range(len(losses)):
                if losses[i] < smallest:
                    smallest, best, waited = losses[i], i, 0
                else:
                    waited += 1
                    if waited == patience:
                        return best, i + 1
            return best, len(losses)
        """,
    "15.2 a while loop": """
        def early_stop(losses, patience):
            i, best = 1, 0
            while i < len(losses) and i - best <= patience:
                if losses[i] < losses[best]:
                    best = i
                i += 1
            return best, i
        """,
    "15.2 prefixes": """
        def early_stop(losses, patience):
            for n in range(1, len(losses) + 1):
                best = int(np.argmin(losses[:n]))
                if n - 1 - best >= patience:
                    break
            return best, n
        """,
    "15.2 a list": """
        def early_stop(losses, patience):
            best = 0
            for i in range(1, len(losses)):
                best = i if losses[i] < losses[best] else best
                if i == best + patience:
                    return [best, i + 1]
            return [best, len(losses)]
        """,
    "15.2 NumPy's integers": """
        def early_stop(losses, patience):
            lows = np.minimum.accumulate(losses)
            firsts = np.array([list(lows).index(low) for low in lows])
            late = np.flatnonzero(np.arange(len(losses)) - firsts >= patience)
            end = late[0] if len(late) else len(losses) - 1
            return firsts[end], end + 1
        """,
    "15.3 choice": """
        def split_by_writer(writers, share, rng):
            names = np.array(sorted(set(writers.tolist())))
            test = rng.choice(names, size=int(round(share * len(names))), replace=False)
            return np.isin(writers, test)
        """,
    "15.3 shuffled": """
        def split_by_writer(writers, share, rng):
            names = np.unique(writers)
            rng.shuffle(names)
            return np.array([writer in names[: round(share * len(names))] for writer in writers])
        """,
    "15.3 a number for each": """
        def split_by_writer(writers, share, rng):
            names, at = np.unique(writers, return_inverse=True)
            rank = rng.random(len(names)).argsort().argsort()
            return (rank < round(share * len(names)))[at]
        """,
    "15.3 a mask": """
        def split_by_writer(writers, share, rng):
            mask = np.zeros(len(writers), dtype=bool)
            names = rng.permutation(np.unique(writers))
            for name in names[: int(share * len(names) + 0.5)]:
                mask |= writers == name
            return mask
        """,
    "15.3 the last ones": """
        def split_by_writer(writers, share, rng):
            names = list(dict.fromkeys(writers.tolist()))
            k = round(len(names) * share)
            return (writers[:, None] == rng.permutation(names)[-k:]).any(axis=1)
        """,
    "15.4 a list": 'guilty = ["i", "h", "c", "b"]\n',
    "15.4 a tuple": 'guilty = "b", "c", "h", "i"\n',
    "15.4 of letters": 'guilty = set("bchi")\n',
    "15.5 a loop": """
        def precision_recall_f1(said, labels, classes):
            p, r, f = np.zeros(classes), np.zeros(classes), np.zeros(classes)
            for k in range(classes):
                tp = np.sum((said == k) & (labels == k))
                fp, fn = np.sum((said == k) & (labels != k)), np.sum((said != k) & (labels == k))
                if tp + fp > 0:
                    p[k] = tp / (tp + fp)
                if tp + fn > 0:
                    r[k] = tp / (tp + fn)
                if p[k] + r[k] > 0:
                    f[k] = 2 * p[k] * r[k] / (p[k] + r[k])
            return p, r, f
        """,
    "15.5 a matrix": """
        def precision_recall_f1(said, labels, classes):
            m = np.zeros((classes, classes))
            np.add.at(m, (labels, said), 1)
            d = m.diagonal()
            with np.errstate(all="ignore"):
                p, r = np.nan_to_num(d / m.sum(axis=0)), np.nan_to_num(d / m.sum(axis=1))
                return [p, r, np.nan_to_num(2 * p * r / (p + r))]
        """,
    "15.5 divide where": """
        def precision_recall_f1(said, labels, classes):
            def share(a, b):
                return np.divide(a, b, out=np.zeros(classes), where=b != 0)
            one = np.eye(classes)
            right = (one[said] * one[labels]).sum(0)
            p, r = share(right, one[said].sum(0)), share(right, one[labels].sum(0))
            return p, r, share(2 * p * r, p + r)
        """,
    "15.5 lists of numbers": """
        def precision_recall_f1(said, labels, classes):
            p = np.array([(labels[said == k] == k).mean() if (said == k).any() else 0.0 for k in range(classes)])
            r = np.array([(said[labels == k] == k).mean() if (labels == k).any() else 0.0 for k in range(classes)])
            return p, r, 2 * p * r / np.where(p + r > 0, p + r, 1)
        """,
    "15.5 a tiny number in the denominator": """
        def precision_recall_f1(said, labels, classes):
            right = np.bincount(labels[said == labels], minlength=classes)
            p = right / (np.bincount(said, minlength=classes) + 1e-12)
            r = right / (np.bincount(labels, minlength=classes) + 1e-12)
            return p, r, 2 * p * r / (p + r + 1e-12)
        """,
    "15.6 a loop": """
        def class_weights(labels, classes):
            weights = np.zeros(classes)
            for k in range(classes):
                count = np.sum(labels == k)
                if count:
                    weights[k] = len(labels) / classes / count
            return weights
        """,
    "15.6 infinity made 0": """
        def class_weights(labels, classes):
            counts = np.bincount(labels, minlength=classes)
            with np.errstate(divide="ignore"):
                weights = counts.sum() / (classes * counts)
            weights[np.isinf(weights)] = 0
            return weights
        """,
    "15.6 divide where": """
        def class_weights(labels, classes):
            counts = (labels[:, None] == np.arange(classes)).sum(0)
            return np.divide(labels.size / classes, counts, out=np.zeros(classes), where=counts > 0)
        """,
    "15.6 the mean count": """
        def class_weights(labels, classes):
            counts = np.histogram(labels, np.arange(classes + 1))[0]
            return (counts > 0) * counts.mean() / np.maximum(counts, 1)
        """,
    "15.6 unique": """
        def class_weights(labels, classes):
            weights = np.zeros(classes)
            there, counts = np.unique(labels, return_counts=True)
            weights[there] = len(labels) / (classes * counts)
            return weights
        """,
    "15.7 in one line": """
        def errors_by_group(said, labels, groups, least):
            wrong, names = said != labels, set(groups.tolist())
            return {g: np.mean(wrong[groups == g]) for g in names if (groups == g).sum() >= least}
        """,
    "15.7 counted one by one": """
        def errors_by_group(said, labels, groups, least):
            wrong, there = {}, {}
            for a, b, g in zip(said, labels, groups):
                there[g] = there.get(g, 0) + 1
                wrong[g] = wrong.get(g, 0) + (a != b)
            return {g: wrong[g] / there[g] for g in there if there[g] >= least}
        """,
    "15.7 unique with counts": """
        def errors_by_group(said, labels, groups, least):
            found = {}
            for g, count in zip(*np.unique(groups, return_counts=True)):
                if count < least:
                    continue
                mask = groups == g
                found[g] = 1 - float((said[mask] == labels[mask]).mean())
            return found
        """,
    "15.7 bincount": """
        def errors_by_group(said, labels, groups, least):
            names, at = np.unique(groups, return_inverse=True)
            count, wrong = np.bincount(at), np.bincount(at, weights=said != labels)
            return {names[k]: wrong[k] / count[k] for k in range(len(names)) if count[k] >= least}
        """,
    "15.7 everything, then deleted": """
        def errors_by_group(said, labels, groups, least):
            shares = {}
            for g in np.unique(groups).tolist():
                own = said[groups == g] != labels[groups == g]
                shares[g] = sum(own) / len(own)
                if len(own) < least:
                    del shares[g]
            return shares
        """,
}


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    source = textwrap.dedent(ALSO_RIGHT[name])
    found = problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))
    assert found.state == "right", found


# --- the references -------------------------------------------------------------------------------------


def test_the_shift_is_scipys():
    ndimage = pytest.importorskip("scipy.ndimage")
    x = torch.rand(2, 1, 6, 7, dtype=torch.float64)
    for right, down, fill in n15.SHIFTS:
        due = ndimage.shift(x.numpy(), (0, 0, down, right), order=0, mode="constant", cval=fill)
        np.testing.assert_array_equal(n15.shifted(x, right, down, fill).numpy(), due)


@pytest.mark.parametrize("losses", [[0.9, 0.5, 0.8, 0.7, 0.45], [0.5, 0.6, 0.7, 0.3], [0.4], [0.9, 0.8, 0.8, 0.8]])
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_early_stop_is_what_fit_does(losses, patience, monkeypatch):
    from gpucourse import train
    from gpucourse.scores import Scores

    coming = iter(losses)
    monkeypatch.setattr(train, "evaluate", lambda *args, **kwargs: Scores(next(coming), 0.0, 1))
    batches = [(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))]
    history = train.fit(torch.nn.Linear(2, 2), batches, epochs=len(losses), validation=batches, patience=patience,
                        progress=False)  # fmt: skip
    best, evaluations = n15.early_stop(losses, patience)
    assert (history.best[0] - 1, len(history.scores)) == (best, evaluations)


def test_precision_recall_f1_by_hand():
    # class 0: said 3 times, 2 of them rightly, there 3 times; 1: said twice, once rightly, there once; 2: never said
    said, labels = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 0, 1])
    p, r, f = n15.precision_recall_f1(said, labels, 4)
    np.testing.assert_allclose(p, [2 / 3, 1 / 2, 0, 0])
    np.testing.assert_allclose(r, [2 / 3, 1, 0, 0])
    np.testing.assert_allclose(f, [2 / 3, 2 / 3, 0, 0])


def test_with_class_weights_each_class_has_the_same_say():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    weights = n15.class_weights(labels, 3)
    logits = torch.randn(100, 3, dtype=torch.float64)
    found = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), weight=torch.tensor(weights))
    each = [torch.nn.functional.cross_entropy(logits[labels == k], torch.tensor(labels[labels == k])) for k in range(3)]
    assert found.item() == pytest.approx(sum(each).item() / 3)


# --- the lesson's own cells and sentences ---------------------------------------------------------------


def test_the_case_in_the_prose_is_that_of_the_exercise():
    listed = re.search(r"```text\n(a .*?)```", TEXT, re.DOTALL)[1].splitlines()
    assert tuple(line[0] for line in listed) == n15.LINES
    guilty = {line[0]: line for line in listed if line[0] not in n15.INNOCENT}
    assert list(guilty) == ["b", "c", "h", "i"]
    assert "images.mean()" in guilty["b"] and "turned_copies" in guilty["c"]
    assert all("accuracy(model, test)" in guilty[line] for line in "hi")


@pytest.mark.parametrize(
    "figure",
    [
        f"would be {5**5:,} trainings on a grid",
        f"80 % of 200 digits has a standard error of {100 * np.sqrt(0.8 * 0.2 / 200):.1f} points",
        "For 980 and 20 that is {:.2f} and {:.0f}".format(*n15.class_weights(np.repeat([0, 1], [980, 20]), 2)),
        f"by area it would be {3 / 28:.0%}".replace("%", " %"),
        "3 epochs, 120 steps in place of 100",                # 2,000 / 50 · 3 and 200 / 50 · 25
    ],
)
def test_a_figure_in_the_prose_is_that_of_the_code(figure):
    assert figure in " ".join(TEXT.split())


def test_a_search_that_is_killed_goes_on_from_its_file(tmp_path):
    """As the lesson says: what was finished is in the file, though the process was killed without warning."""
    pytest.importorskip("optuna")
    source = textwrap.dedent(f"""
        import optuna, os, signal, sys
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=0)
        study = optuna.create_study(storage="sqlite:///{tmp_path}/s.db", study_name="s", direction="maximize",
                                    sampler=sampler, load_if_exists=True)
        done = sum(trial.state.is_finished() for trial in study.trials)
        def objective(trial):
            x = trial.suggest_float("x", -1, 1)
            if trial.number == 7:
                os.kill(os.getpid(), signal.SIGKILL)
            return -x * x
        study.optimize(objective, n_trials=20 - done)
        print(done, sum(trial.state.is_finished() for trial in study.trials), len(study.trials))
        """)
    first, second = (subprocess.run([sys.executable, "-W", "ignore", "-c", source], capture_output=True, text=True)
                     for _ in range(2))  # fmt: skip
    assert first.returncode == -9 and first.stdout == ""
    assert second.stdout.split() == ["7", "20", "21"], second.stderr


def test_a_search_that_is_opened_again_draws_new_settings(tmp_path):
    """The lesson's own `open_study`: with one seed for each opening it would repeat its first trials."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names = {"optuna": optuna}
    exec(re.search(r"(def open_study.*?)```", TEXT, re.DOTALL)[1], names)
    for _ in range(2):
        study = names["open_study"](tmp_path / "s.db")
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
    assert len({trial.params["x"] for trial in study.trials}) == len(study.trials) == 8
