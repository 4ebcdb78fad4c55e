"""Lesson 17: other right answers pass, libraries agree with the references, and speech corpora go the same way."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import n17_music_mood as n17
from gpucourse.exercises import registry
from tests.mutants.mutant import answer_of, kernel

torch = pytest.importorskip("torch")
TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "17_music_mood.md").read_text("utf-8")
SOLVED = n17.WINDOWED.solution
OUT = "out[i] = s >= 0 && s < samples ? sound[s] * window[j] : 0.0f;"

ALSO_RIGHT = {
    "17.1 a range": """
        def frames_of(samples, size, hop, rate, k):
            return len(range(0, samples - size + 1, hop)), k * hop / rate + size / rate / 2
        """,
    "17.1 a loop": """
        def frames_of(samples, size, hop, rate, k):
            count = 0
            while count * hop + size <= samples:
                count += 1
            return [count, (2 * k * hop + size) / (2 * rate)]
        """,
    "17.1 int of a quotient": """
        def frames_of(samples, size, hop, rate, k):
            count = int((samples - size) / hop) + 1
            return count, (k * hop + 0.5 * size) / rate
        """,
    "17.1 a mean of two ends": """
        def frames_of(samples, size, hop, rate, k):
            first, last = k * hop / rate, (k * hop + size) / rate
            return (samples - size + hop) // hop, (first + last) / 2
        """,
    "17.1 NumPy's numbers": """
        def frames_of(samples, size, hop, rate, k):
            starts = np.arange(0, samples - size + 1, hop)
            return np.int64(len(starts)), np.float64((k * hop + size / 2) / rate)
        """,
    "17.2 maximum": """
        def decibel(power, quietest):
            return 10 * torch.log10(torch.maximum(power, torch.tensor(quietest)))
        """,
    "17.2 where": """
        def decibel(power, quietest):
            raised = torch.where(power < quietest, quietest, power)
            return raised.log10() * 10
        """,
    "17.2 after the logarithm": """
        def decibel(power, quietest):
            return (10 * torch.log10(power)).clamp(min=10 * np.log10(quietest))
        """,
    "17.2 natural logarithms": """
        def decibel(power, quietest):
            return 10 * power.clamp(min=quietest).log() / np.log(10)
        """,
    "17.2 a copy and a mask": """
        def decibel(power, quietest):
            power = power.clone()
            power[power < quietest] = quietest
            return 10 * torch.log10(power)
        """,
    "17.2 doubles": """
        def decibel(power, quietest):
            return 10 * torch.log10(power.double().clamp_min(quietest))
        """,
    "17.4 a matrix": """
        def chroma_of(power, hertz):
            pitch = 69 + 12 * torch.log2(hertz.clamp(min=1) / 440)
            member = torch.arange(12)[:, None] == pitch.round().long() % 12
            return (member & (hertz >= 27.5)).float() @ power
        """,
    "17.4 a loop over classes": """
        def chroma_of(power, hertz):
            power, hertz = power[hertz >= 27.5], hertz[hertz >= 27.5]
            k = torch.remainder(torch.round(12 * torch.log2(hertz / 440) + 69), 12)
            return torch.stack([power[k == c].sum(0) for c in range(12)])
        """,
    "17.4 a loop over bins": """
        def chroma_of(power, hertz):
            out = torch.zeros(12, power.shape[1])
            for f, row in zip(hertz.tolist(), power):
                if f >= 27.5:
                    out[round(69 + 12 * np.log2(f / 440)) % 12] += row
            return out
        """,
    "17.4 from C": """
        def chroma_of(power, hertz):
            c = 440 * 2 ** (-9 / 12)
            heard = hertz >= 27.5
            k = torch.floor(12 * torch.log2(hertz[heard] / c) + 0.5).long() % 12
            return torch.zeros(12, power.shape[1]).scatter_add_(0, k[:, None].expand(-1, power.shape[1]), power[heard])
        """,
    "17.4 one hot": """
        def chroma_of(power, hertz):
            heard = hertz > 27.49
            k = (69 + 12 * (hertz[heard] / 440).log2()).round().long() % 12
            return F.one_hot(k, 12).T.float() @ power[heard]
        """,
    "17.5 split": """
        def fold_of(tunes, minor, folds, rng):
            fold = np.empty(tunes.shape, dtype=np.int64)
            for mask in (minor, ~minor):
                names = np.unique(tunes[mask])
                rng.shuffle(names)
                for k, part in enumerate(np.array_split(names, folds)):
                    fold[np.isin(tunes, part)] = k
            return fold
        """,
    "17.5 one pack, minor on top": """
        def fold_of(tunes, minor, folds, rng):
            names, first = np.unique(tunes, return_index=True)
            order = rng.permutation(len(names))
            order = order[np.argsort(~minor[first][order], kind="stable")]
            place = np.argsort(order)
            return (place % folds)[np.searchsorted(names, tunes)]
        """,
    "17.5 a dict": """
        def fold_of(tunes, minor, folds, rng):
            seen, where = {True: [], False: []}, {}
            for tune, mode in zip(tunes.tolist(), minor.tolist()):
                if tune not in seen[mode]:
                    seen[mode].append(tune)
            for names in seen.values():
                for i, k in enumerate(rng.permutation(len(names))):
                    where[names[k]] = i % folds
            return np.array([where[tune] for tune in tunes.tolist()])
        """,
    "17.5 from the other end": """
        def fold_of(tunes, minor, folds, rng):
            fold = np.zeros(len(tunes), np.int32)
            for mode in np.unique(minor):
                names = rng.choice(np.unique(tunes[minor == mode]), size=len(np.unique(tunes[minor == mode])),
                                   replace=False)
                for i in range(folds):
                    fold[np.isin(tunes, names[i::folds])] = folds - 1 - i
            return fold
        """,
    "17.5 random keys": """
        def fold_of(tunes, minor, folds, rng):
            fold = np.zeros(len(tunes), int)
            for mode in (0, 1):
                names = np.unique(tunes[minor == mode])
                rank = rng.random(len(names)).argsort().argsort()
                for name, r in zip(names, rank):
                    fold[tunes == name] = r % folds
            return fold
        """,
    "17.6 eigenvectors": """
        def project(train, x, k):
            m, s = train.mean(0), train.std(0)
            a = (train - m) / s
            _, vectors = torch.linalg.eigh(a.T @ a)
            return ((x - m) / s) @ vectors.flip(1)[:, :k]
        """,
    "17.6 n in place of n - 1": """
        def project(train, x, k):
            m, s = train.mean(dim=0), train.std(dim=0, correction=0)
            u, sigma, vh = torch.linalg.svd((train - m) / s, full_matrices=False)
            return torch.matmul((x - m) / s, vh[:k].T)
        """,
    "17.6 torch.svd": """
        def project(train, x, k):
            m, s = train.mean(dim=0), train.std(dim=0)
            u, sigma, v = torch.svd((train - m) / s)
            return (x - m) / s @ v[:, :k]
        """,
    "17.6 pca_lowrank": """
        def project(train, x, k):
            torch.manual_seed(0)
            m, s = train.mean(dim=0), train.std(dim=0)
            v = torch.pca_lowrank((train - m) / s, q=train.shape[1], center=False)[2]
            return (x - m) / s @ v[:, :k]
        """,
    "17.6 covariance": """
        def project(train, x, k):
            correlations = torch.corrcoef(train.T)
            vectors = torch.linalg.svd(correlations).U[:, :k]
            return (x - train.mean(0)) / train.std(0) @ vectors
        """,
    "17.6 NumPy inside": """
        def project(train, x, k):
            m, s = train.mean(0), train.std(0)
            vh = np.linalg.svd(((train - m) / s).numpy())[2]
            return (x - m) / s @ torch.from_numpy(vh[:k].T.copy())
        """,
    "17.7 a loop": """
        def balanced_accuracy(counts):
            shares = []
            for k, row in enumerate(counts):
                if row.sum():
                    shares.append(row[k] / row.sum())
            return sum(shares) / len(shares)
        """,
    "17.7 nan": """
        def balanced_accuracy(counts):
            with np.errstate(invalid="ignore"):
                return np.nanmean(np.diag(counts) / counts.sum(axis=1))
        """,
    "17.7 sums": """
        def balanced_accuracy(counts):
            there = counts.sum(1)
            return (counts.diagonal() / np.maximum(there, 1)).sum() / (there > 0).sum()
        """,
    "17.7 rows normalized": """
        def balanced_accuracy(counts):
            counts = counts[:, :][counts.any(axis=1)], np.flatnonzero(counts.any(axis=1))
            rows, places = counts
            return float(np.mean([row[k] / sum(row) for row, k in zip(rows, places)]))
        """,
    "17.7 divide where": """
        def balanced_accuracy(counts):
            there = counts.sum(axis=1)
            shares = np.divide(np.diag(counts), there, out=np.full(len(counts), np.nan), where=there > 0)
            return np.nanmean(shares)
        """,
}
RIGHT_KERNELS = {
    "a test": (OUT, "float x = 0; if (s >= 0 && s < samples) x = sound[s]; out[i] = x * window[j];"),
    "continued": (OUT, "out[i] = 0; if (s >= 0 && s < samples) out[i] = sound[s] * window[j];"),
    "unsigned": (OUT, "out[i] = (unsigned)s < (unsigned)samples ? sound[s] * window[j] : 0;"),
    "place by subtraction": ("j = i % size", "j = i - frame * size"),
    "the other way round": (OUT, "if (s < 0 || s >= samples) out[i] = 0; else out[i] = window[j] * sound[s];"),
    "half by a shift": ("size / 2", "(size >> 1)"),
}


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    source = textwrap.dedent(ALSO_RIGHT[name])
    found = problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))
    assert found.state == "right", found


@pytest.mark.parametrize("name", RIGHT_KERNELS)
def test_another_right_kernel_passes(name):
    found = n17.WINDOWED.check(answer_of(kernel(SOLVED, RIGHT_KERNELS[name]), "windowed", np=np, cp=cupy_sim))
    assert found.state == "right", found


# --- the references -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_projections_are_scikit_learns(seed):
    decomposition = pytest.importorskip("sklearn.decomposition")
    scale = pytest.importorskip("sklearn.preprocessing").StandardScaler
    for case in n17.PCA.judge.all_cases(None, seed):
        train, x, k = case.args
        scaler = scale().fit(train.astype(np.float64))
        pca = decomposition.PCA(k).fit(scaler.transform(train.astype(np.float64)))
        due = pca.transform(scaler.transform(x.astype(np.float64)))
        np.testing.assert_allclose(n17.signs_fixed(n17.project(train, x, k)), n17.signs_fixed(due), atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_judges_directions_lie_well_apart(seed):
    """Or a right answer in float32 could turn one of them toward the next."""
    for case in n17.PCA.judge.all_cases(None, seed):
        train, _, k = case.args
        sizes = np.linalg.svd(n17._scaled(train, train))[1]
        assert (sizes[:k] > 1.05 * sizes[1 : k + 1]).all(), sizes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_balanced_accuracy_is_scikit_learns(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    for counts in (case.args[0] for case in n17.BALANCED.judge.all_cases(np, seed)):
        truth, said = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
        recalls = metrics.recall_score(truth, said, labels=np.unique(truth), average="macro", zero_division=0)
        assert n17.balanced_accuracy(counts) == pytest.approx(recalls)


def test_pitch_classes_are_librosas(librosa):
    hertz = np.geomspace(28, 7900, 500).astype(np.float32)
    near = np.abs(np.mod(librosa.hz_to_midi(hertz), 1) - 0.5) > 0.01
    hertz = hertz[near]
    due = np.round(librosa.hz_to_midi(hertz)).astype(int) % 12
    found = n17.chroma_of(np.eye(len(hertz), dtype=np.float32), hertz)
    assert np.array_equal(found.argmax(0), due)


def test_decibels_and_frames_are_librosas(librosa):
    power = (10 ** np.linspace(-12, 3, 40)).astype(np.float32)
    due = librosa.power_to_db(power, amin=1e-8, top_db=None)
    np.testing.assert_allclose(n17.decibel(power, 1e-8), due, rtol=1e-5)
    for samples, size, hop in ((16_000, 2048, 512), (5_000, 512, 768), (2_560, 2_048, 512)):
        assert n17.frames_of(samples, size, hop, 1, 0)[0] == librosa.util.frame(
            np.zeros(samples), frame_length=size, hop_length=hop).shape[1]  # fmt: skip


def test_windowed_frames_are_those_of_the_package():
    from gpucourse.data import sound

    for launch in n17.make_framings(np.random.default_rng(5)):
        a = launch.args
        frames = sound.frames(torch.from_numpy(a["sound"]), int(a["size"]), int(a["hop"]))
        due = (frames * torch.from_numpy(a["window"])).numpy()[: int(a["count"])]
        np.testing.assert_allclose(launch.due["out"].reshape(due.shape), due, rtol=1e-6)


# --- what the text says ---------------------------------------------------------------------------------


def test_the_circle_net_is_blind_to_transposition():
    from torch import nn

    source = re.search(r"```python\n(class CircleNet.*?)```", TEXT, re.DOTALL)[1]
    names = {"torch": torch, "nn": nn}
    exec(source, names)
    net, x = names["CircleNet"](), torch.rand(5, 12)
    for k in range(12):
        torch.testing.assert_close(net(x.roll(k, dims=1)), net(x))


@pytest.mark.parametrize("corpus", ["emodb", "ravdess"])
def test_a_corpus_in_either_layout_goes_the_lessons_way(corpus, tmp_path, monkeypatch):
    wavfile = pytest.importorskip("scipy.io.wavfile")
    names = _namespace()
    for speaker in (3, 8, 9):
        for place, emotion in enumerate("WFT"):
            stem = f"{speaker:02}a01{emotion}a" if corpus == "emodb" else f"03-01-0{place + 3}-01-01-01-{speaker:02}"
            tone = np.sin(np.arange(16_000) * 0.05 * (place + 1)) * 8000
            wavfile.write(tmp_path / f"{stem}.wav", 16_000, tone.astype(np.int16))
    text = names["on_speech"](str(tmp_path))
    assert text.startswith("9 recordings, 3 emotions: balanced accuracy")


def _namespace():
    """The lesson's own functions, from its cells, with a training of one epoch."""
    from gpucourse.models.audio import MoodNet

    imports = re.search(r"```python\n(import numpy.*?)```", TEXT, re.DOTALL)[1]
    cells = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {"device": "cpu", "MoodNet": MoodNet}
    exec(imports, names)
    for wanted in ("def trained", "def confusion", "def on_speech"):
        exec(next(cell for cell in cells if wanted in cell), names)
    whole = names["trained"]
    names["trained"] = lambda *args, epochs: whole(*args, epochs=1)
    return names
