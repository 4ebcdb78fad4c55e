"""The training loop against a loop written out in plain PyTorch; resuming, stopping, and what goes wrong."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import training_run  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpucourse.checkpoint import BadCheckpoint  # noqa: E402
from gpucourse.data.batches import Batches  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402
from gpucourse.schedules import cosine  # noqa: E402
from gpucourse.train import Diverged, OutOfMemory, fit  # noqa: E402

RUN = Path(training_run.__file__)


def data(n=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, generator=generator)
    return x, (x[:, 0] > x[:, 1]).long()


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))


def quiet(*args, **options):
    return fit(*args, **({"progress": False, "device": "cpu"} | options))


def test_equals_a_loop_in_plain_pytorch():
    x, y = data()
    expected = network()
    optimizer = torch.optim.Adam(expected.parameters(), 0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step / 12))
    torch.manual_seed(5)
    losses = []
    for _ in range(4):
        for chosen in torch.randperm(24).split(8):
            optimizer.zero_grad()
            loss = F.cross_entropy(expected(x[chosen]), y[chosen])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.3)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())

    model = network()
    own = torch.optim.Adam(model.parameters(), 0.05)
    history = quiet(model, Batches(x, y, 8), epochs=4, optimizer=own, schedule=cosine, clip=0.3, seed=5)
    assert history.losses == losses
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert history.stopped == "done after 12 steps"


def test_steps_end_in_mid_epoch_and_a_dataloader_serves():
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), batch_size=5, shuffle=True)
    seen = []
    history = quiet(network(), loader, steps=7, on_step=seen.append)
    assert len(history.losses) == 7 and [(s.number, s.epoch) for s in seen[4:6]] == [(5, 0), (6, 1)]
    assert seen[-1].loss == history.losses[-1] and seen[-1].of == 7


def test_learns():
    x, y = data(400)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    history = quiet(model, Batches(x, y, 20), epochs=15, optimizer=optimizer, validation=Batches(*data(200, 1), 64))
    assert history.best[1].metric > 0.93
    assert np.mean(history.losses[-20:]) < np.mean(history.losses[:20]) / 2


def test_bfloat16_computes_in_bfloat16_and_keeps_float32_weights():
    dtypes = []
    model = network()
    model[0].register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    quiet(model, Batches(*data(), 8), steps=2, precision="bfloat16")
    assert set(dtypes) == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_float16_scales_the_loss():
    model, factors = network(), []

    def look(module, grad_in, grad_out):
        factors.append(grad_out[0].abs().max().item())

    model[3].register_full_backward_hook(look)
    quiet(model, Batches(*data(), 8), steps=1, precision="float16")
    assert factors[0] > 100     # the gradient of a mean loss over 8 examples is below 1


# -- going on ------------------------------------------------------------------------------------------------


def in_process(folder, name, *kill):
    out = folder / f"{name}.pt"
    done = subprocess.run([sys.executable, RUN, folder / f"{name}.ckpt", out, *map(str, kill)], timeout=120,
                          capture_output=True, text=True)  # fmt: skip
    return done, out


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    done, out = in_process(tmp_path_factory.mktemp("whole"), "whole")
    assert done.returncode == 0, done.stderr
    return torch.load(out, weights_only=True)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("kills", [(7,), (4, 17)])   # at an epoch's end; in the middle of two
def test_killed_and_resumed_ends_with_the_same_weights_bit_for_bit(tmp_path, kills, uninterrupted):
    for kill in kills:
        killed, out = in_process(tmp_path, "killed", kill)
        assert killed.returncode == -signal.SIGKILL and not out.exists()
    resumed, out = in_process(tmp_path, "killed")
    assert resumed.returncode == 0, resumed.stderr
    found = torch.load(out, weights_only=True)
    assert found["losses"] == uninterrupted["losses"] and len(found["losses"]) == 21
    for name, value in uninterrupted["model"].items():
        assert torch.equal(found["model"][name], value), name


@pytest.mark.parametrize("at", range(1, 21))
def test_resumed_anywhere_it_ends_with_the_same_weights(tmp_path, at):
    class Interrupted(Exception):
        pass

    def interrupt(step):
        if step.number == at:
            raise Interrupted

    torch.set_num_threads(1)
    whole, expected = training_run.train(tmp_path / "whole.ckpt")
    with pytest.raises(Interrupted):
        training_run.train(tmp_path / "a.ckpt", interrupt)
    model, history = training_run.train(tmp_path / "a.ckpt")
    assert history.losses == expected.losses and history.scores == expected.scores
    for ours, theirs in zip(model.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_more_epochs_can_be_added_to_a_finished_training(tmp_path):
    model, path = network(), tmp_path / "a.ckpt"
    quiet(model, Batches(*data(), 8), epochs=2, checkpoint=path)
    history = quiet(network(9), Batches(*data(), 8), epochs=3, checkpoint=path, resume=True)
    assert len(history.losses) == 9
    again = quiet(network(9), Batches(*data(), 8), epochs=3, checkpoint=path, resume=True)
    assert again.losses == history.losses


def test_a_new_training_keeps_the_older_checkpoint(tmp_path):
    path = tmp_path / "a.ckpt"
    for seed in (0, 1):
        quiet(network(seed), Batches(*data(), 8), steps=2, checkpoint=path)
    first, second = (torch.load(p, weights_only=True)["losses"] for p in (tmp_path / "a.ckpt.previous", path))
    assert first != second and not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, 2)), r"`0.weight` has shape \(8, 5\)"),
        (lambda: nn.Linear(5, 2), r"`weight` does not exist"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(tmp_path, make, words):
    quiet(network(), Batches(*data(), 8), steps=2, checkpoint=tmp_path / "a.ckpt")
    with pytest.raises(BadCheckpoint, match=words):
        quiet(make(), Batches(*data(), 8), steps=4, checkpoint=tmp_path / "a.ckpt", resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    quiet(network(), Batches(*data(), 8), steps=2, checkpoint=path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadCheckpoint, match="cannot be read as a checkpoint"):
        quiet(network(), Batches(*data(), 8), steps=4, checkpoint=path, resume=True)


# -- stopping ------------------------------------------------------------------------------------------------


def test_stops_early_with_the_best_weights():
    x, y = data(16)
    noise = torch.randint(0, 2, (200,), generator=torch.Generator().manual_seed(3))
    held_out = Batches(torch.randn(200, 5, generator=torch.Generator().manual_seed(4)), noise, 50, shuffle=False)
    model, kept = network(), {}

    def look(step):
        kept[step.number] = {name: value.clone() for name, value in model.state_dict().items()}

    history = quiet(model, Batches(x, y, 4), epochs=100, validation=held_out, patience=3, on_step=look,
                    optimizer=torch.optim.Adam(model.parameters(), 0.05))  # fmt: skip
    losses = [scores.loss for _, scores in history.scores]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 100
    assert history.best[0] == 4 * (best + 1) and "stopped early" in history.stopped
    for name, value in kept[history.best[0]].items():
        assert torch.equal(model.state_dict()[name], value)



def test_a_loss_that_is_not_finite_ends_the_training_and_keeps_the_last_good_checkpoint(tmp_path):
    path, x, y = tmp_path / "a.ckpt", *data(24)
    calls = []

    def loss(outputs, targets):
        calls.append(0)
        return F.cross_entropy(outputs, targets) * (float("nan") if len(calls) == 6 else 1)

    model = network()
    with pytest.raises(Diverged, match=r"loss is nan at step 6 of 9, .*0\.001.* step 4 .*a\.ckpt"):
        quiet(model, Batches(x, y, 8), epochs=3, loss=loss, checkpoint=path, save_every=2)
    stored = torch.load(path, weights_only=True)
    assert stored["step"] == 4
    assert all(p.isfinite().all() for p in model.parameters())


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    path, model = tmp_path / "a.ckpt", nn.Linear(5, 2)

    def loss(outputs, targets):       # finite, but the square root's gradient at 0 is not
        return F.cross_entropy(outputs, targets) + ((outputs - outputs.detach()) ** 2).sum().sqrt()

    with pytest.raises(Diverged, match="`weight` is not finite after step 1"):
        quiet(model, Batches(*data(), 8), steps=2, loss=loss, checkpoint=path, save_every=1)
    assert not path.exists()


def test_an_exhausted_memory_is_told_and_the_session_goes_on(tmp_path):
    class Greedy(nn.Linear):
        hungry = False

        def forward(self, x):
            return super().forward(x) + (torch.zeros(1 << 50)[:1] if self.hungry else 0)

    model, path = Greedy(5, 2), tmp_path / "a.ckpt"

    def grow(step):
        model.hungry = step.number == 3

    with pytest.raises(OutOfMemory, match=r"step 4 of 9, inputs of shape \(8, 5\).* step 3 .*half the size"):
        quiet(model, Batches(*data(), 8), epochs=3, on_step=grow, checkpoint=path)
    model.hungry = False
    assert len(quiet(model, Batches(*data(), 8), epochs=3, checkpoint=path, resume=True).losses) == 9


def test_other_errors_pass_as_they_are():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        quiet(nn.Linear(4, 2), Batches(*data(), 8), steps=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "epochs=None and steps=None"),
        ({"epochs": 1, "steps": 2}, "give one of the two"),
        ({"epochs": 0}, "epochs=0; at least 1"),
        ({"steps": 1, "precision": "int8"}, "there are float32, bfloat16, float16"),
        ({"steps": 1, "patience": 2}, "patience needs validation"),
        ({"steps": 1, "loss": lambda o, t: F.cross_entropy(o, t, reduction="none")}, r"shape \(8,\).* take its mean"),
    ],
)
def test_arguments_that_cannot_be(options, words):
    with pytest.raises(CourseError, match=words):
        quiet(network(), Batches(*data(), 8), **options)


def test_a_generator_is_not_enough():
    with pytest.raises(CourseError, match="has no length"):
        quiet(network(), (pair for pair in Batches(*data(), 8)), epochs=1)
    with pytest.raises(CourseError, match="yields nothing"):
        quiet(network(), (pair for pair in Batches(*data(), 8)), steps=5)
