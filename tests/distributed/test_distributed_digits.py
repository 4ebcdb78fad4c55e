"""Two real processes with gloo against one plain loop over the same whole batches, in float64."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("psutil")
from torch.nn import functional as F  # noqa: E402

from gpucourse import checkpoint  # noqa: E402
from gpucourse.data.batches import tensors  # noqa: E402
from gpucourse.data.images import digits  # noqa: E402
from gpucourse.distributed import digits as script  # noqa: E402
from gpucourse.distributed.launching import launch  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402
from gpucourse.models.cnn import DigitsCNN  # noqa: E402

STEPS, BATCH, WIDTH, RATE, SEED = 5, 32, 4, 0.1, 3


def trained(out, processes, *options):
    launch(processes, "gpucourse.distributed.digits", "--out", out, "--steps", STEPS, "--batch", BATCH,
           "--width", WIDTH, "--rate", RATE, "--seed", SEED, "--dtype", "float64", *options, seconds=150)  # fmt: skip
    return checkpoint.load(out / "checkpoint.pt"), json.loads((out / "report.json").read_text())


def plain(norm):
    """The same training in one process, written out: losses, model."""
    checkpoint.seed_all(SEED)
    model = DigitsCNN(WIDTH, norm=norm).double()
    images, labels = tensors(digits().train)
    generator, losses = torch.Generator().manual_seed(SEED), []
    for rows in torch.randperm(10_000, generator=generator).split(BATCH)[:STEPS]:
        model.zero_grad()
        loss = F.cross_entropy(model(images[rows].double()), labels[rows])
        loss.backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= RATE * weight.grad
        losses.append(loss.item())
    return losses, model


def largest_difference(found, model):
    pairs = [(found["gradients"][name], weight.grad) for name, weight in model.named_parameters()]
    pairs += [(found["model"][name], weight) for name, weight in model.named_parameters()]
    return max((one - other).abs().max().item() for one, other in pairs)


@pytest.mark.parametrize("options", [(), ("--by-hand",)], ids=["DDP", "by hand"])
def test_two_processes_learn_what_one_does(tmp_path, options):
    found, report = trained(tmp_path, 2, *options)
    losses, model = plain(norm=False)
    assert largest_difference(found, model) < 1e-6
    assert found["model"].keys() == model.state_dict().keys(), "names without DDP's `module.`"
    assert report["losses"] == pytest.approx(losses, abs=1e-6)
    norm = torch.cat([weight.grad.flatten() for weight in model.parameters()]).norm().item()
    assert report["gradient_norms"][-1] == pytest.approx(norm, abs=1e-6)
    assert (report["processes"], report["backend"], report["device"]) == (2, "gloo", "cpu")
    assert report["seed_by_rank"] == [3, 4]
    assert report["images_per_second"] > 0


def test_batch_normalization_by_shares_is_another_training(tmp_path):
    """Each process normalizes by its own 16 images; one process by all 32. So the comparison above is without it."""
    found, _ = trained(tmp_path, 2, "--norm", "own")
    assert largest_difference(found, plain(norm=True)[1]) > 1e-3


def test_shares_are_equal_and_make_up_the_batch():
    rows = next(script.whole_batches(100, 12, seed=0))
    shares = [script.share(rows, rank, 3) for rank in range(3)]
    assert {len(each) for each in shares} == {4}
    assert sorted(torch.cat(shares).tolist()) == sorted(rows.tolist())
    with pytest.raises(CourseError, match="a batch of 12 cannot be shared equally by 5 processes; take 10"):
        script.share(rows, 0, 5)


def test_batches_are_the_same_in_each_process_whole_and_new_in_each_pass():
    first, second = (script.whole_batches(100, 30, seed=1) for _ in range(2))
    passes = [[next(first).tolist() for _ in range(3)] for _ in range(2)]
    assert passes[0] == [next(second).tolist() for _ in range(3)]
    assert passes[0] != passes[1]
    for each in passes:
        assert len({row for batch in each for row in batch}) == 90


def test_without_torchrun_the_error_says_how_to_start(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CourseError, match=r"RANK, .*not in the environment: start this by torchrun"):
        script.place()


def test_normalization_by_the_whole_batch_needs_gpus():
    with pytest.raises(CourseError, match="SyncBatchNorm needs GPUs"):
        script.network(4, "all", script.Place(0, 0, 2, torch.device("cpu")))
