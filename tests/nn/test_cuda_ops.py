"""Our kernels behind autograd: PyTorch's values and gradients, gradcheck, clean under the sanitizer."""

import numpy as np
import pytest

from gpucourse import backend, cp, profile, sanitize
from gpucourse.errors import CourseError
from gpucourse.nn import kernels

torch = pytest.importorskip("torch")
from gpucourse.nn import cuda_ops  # noqa: E402 - needs torch

F = torch.nn.functional
DEVICE = "cuda" if backend.choose().name == "cupy" else "cpu"
HOW = [{}, {"padding": 1}, {"stride": 2}, {"dilation": 2, "padding": 2}, {"stride": 3, "padding": 2, "dilation": 2}]


def tensor(*shape, seed=0, dtype=torch.float64):
    values = np.random.default_rng(seed).standard_normal(shape)
    return torch.tensor(values, dtype=dtype, device=DEVICE, requires_grad=True)


def grads(function, *inputs):
    """Value and gradients of a weighted sum of the outputs."""
    leaves = [t.detach().clone().requires_grad_() for t in inputs]
    out = function(*leaves)
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype, device=DEVICE).reshape(out.shape)).sum().backward()
    return [out.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("how", HOW, ids=str)
def test_convolution_and_its_gradients_are_pytorchs(how, dtype):
    inputs = tensor(2, 3, 9, 8, dtype=dtype), tensor(4, 3, 3, 3, seed=1, dtype=dtype), tensor(4, seed=2, dtype=dtype)
    ours = grads(lambda *t: cuda_ops.conv2d(*t, **how), *inputs)
    theirs = grads(lambda *t: F.conv2d(*t, **how), *inputs)
    for mine, due in zip(ours, theirs, strict=True):
        assert mine.shape == due.shape and mine.dtype == dtype
        torch.testing.assert_close(mine, due, rtol=1e-10 if dtype == torch.float64 else 1e-4, atol=1e-5)


@pytest.mark.parametrize("how", [{}, {"stride": 2, "padding": 1}], ids=str)
def test_convolution_passes_gradcheck(how):
    inputs = tensor(2, 2, 5, 4), tensor(3, 2, 3, 3, seed=1), tensor(3, seed=2)
    assert torch.autograd.gradcheck(lambda *t: cuda_ops.conv2d(*t, **how), inputs)


def test_tensors_that_are_not_contiguous_and_parts_without_gradients():
    x, weight, bias = tensor(2, 8, 9, 3).permute(0, 3, 1, 2).detach(), tensor(4, 3, 3, 3, seed=1), tensor(4, seed=2)
    ours, theirs = cuda_ops.conv2d(x, weight, bias), F.conv2d(x, weight, bias)
    torch.testing.assert_close(ours, theirs)
    ours.sum().backward()
    found = weight.grad.clone()
    weight.grad = None
    theirs.sum().backward()
    torch.testing.assert_close(found, weight.grad)
    assert x.grad is None


@pytest.mark.parametrize("shape", [(5, 10), (1, 1), (7, 33), (4, 100)])
def test_cross_entropy_is_pytorchs_and_passes_gradcheck(shape):
    logits, labels = tensor(*shape), torch.arange(shape[0], device=DEVICE) * 7 % shape[1]
    torch.testing.assert_close(cuda_ops.cross_entropy(logits, labels), F.cross_entropy(logits, labels))
    for factor in (1, 1e3):
        ours = grads(lambda t: cuda_ops.cross_entropy(t, labels)[None], logits * factor)
        theirs = grads(lambda t: F.cross_entropy(t, labels)[None], logits * factor)
        for mine, due in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, due, rtol=1e-9, atol=1e-12)
    if logits.numel() <= 60:
        assert torch.autograd.gradcheck(lambda t: cuda_ops.cross_entropy(t, labels), (logits,))


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"betas": (0.8, 0.99), "eps": 1e-6}], ids=str)
def test_fused_adam_takes_torchs_steps(options):
    mine, theirs = tensor(40, 7), tensor(40, 7)
    ours, reference = cuda_ops.FusedAdam([mine], 0.02, **options), torch.optim.Adam([theirs], 0.02, **options)
    for _ in range(100):
        for p, optimizer in ((mine, ours), (theirs, reference)):
            optimizer.zero_grad()
            ((p - 1) ** 4).sum().backward()
            optimizer.step()
        assert (mine - theirs).abs().max().item() < 1e-6
    assert (mine - tensor(40, 7)).abs().max().item() > 0.1


def test_a_small_network_trains_as_with_pytorchs_operations():
    """A few steps of a small CNN; the losses agree to 1e-4 at each step."""
    x = tensor(8, 1, 8, 8, seed=3, dtype=torch.float32).detach()
    labels = torch.arange(8, device=DEVICE) % 3
    shapes = (4, 1, 3, 3), (4,), (3, 36), (3,)

    def losses(conv, entropy, make):
        parameters = [tensor(*s, seed=n, dtype=torch.float32) for n, s in enumerate(shapes)]
        optimizer = make(parameters, 0.05)
        for _ in range(5):
            w, b, v, c = parameters
            pooled = F.avg_pool2d(torch.relu(conv(x, w, b)), 2)
            loss = entropy(F.linear(pooled.flatten(1), v, c), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss.item()

    ours = list(losses(cuda_ops.conv2d, cuda_ops.cross_entropy, cuda_ops.FusedAdam))
    theirs = list(losses(F.conv2d, F.cross_entropy, torch.optim.Adam))
    assert np.abs(np.subtract(ours, theirs)).max() < 1e-4
    assert theirs[-1] < theirs[0] - 0.1


# --- the kernels themselves -------------------------------------------------------------------------------


def arrays(*shapes):
    return [cp.asarray(np.random.default_rng(n).random(s).astype(np.float32)) for n, s in enumerate(shapes)]


def test_the_kernels_are_clean_under_the_sanitizer():
    x, weight, bias, y = arrays((2, 2, 6, 5), (3, 2, 3, 3), 3, (2, 3, 4, 3))
    sizes = [np.int32(v) for v in (2, 2, 6, 5, 3, 3, 1, 0, 1, 4, 3)]
    p, g, m, s = arrays(200, 200, 200, 200)
    logits, loss, gradient = arrays((6, 10), 6, (6, 10))
    numbers = [np.float32(v) for v in (0.1, 0.9, 0.99, 1e-8, 0.0, 0.1, 0.01)]
    launches = {
        "conv_forward": (1, (x, weight, bias, y, *sizes)),
        "conv_input_gradient": (1, (y, weight, x, *sizes)),
        "conv_weight_gradient": (54, (x, y, weight, *sizes)),
        "cross_entropy": (2, (logits, cp.arange(6), loss, gradient, np.int32(6), np.int32(10))),
        "fused_adam": (1, (p, g, m, s, np.int64(200), *numbers)),
    }
    assert set(launches) == set(kernels.RUNGS)
    for name, (blocks, args) in launches.items():
        assert sanitize(kernels.made(name, "float32", cp), (blocks,), (kernels.BLOCK,), args).ok, name


def test_fused_adam_reads_each_array_once_and_writes_each_once():
    n = 1024                                                             # 128 sectors an array
    numbers = [np.float32(v) for v in (0.1, 0.9, 0.99, 1e-8, 0.1, 0.1, 0.01)]
    made = profile(kernels.made("fused_adam", "float32", cp), (8,), (kernels.BLOCK,),
                   (*arrays(n, n, n, n), np.int64(n), *numbers))  # fmt: skip
    assert made.global_load_sectors == 4 * n // 8
    assert made.global_store_sectors == 3 * n // 8


# --- what is refused --------------------------------------------------------------------------------------


def test_bad_input_gets_one_clear_error():
    x, weight, bias = tensor(2, 3, 9, 8), tensor(4, 3, 3, 3), tensor(4)
    with pytest.raises(CourseError, match=r"channels .* must agree; it got \(2, 3, 9, 8\), \(4, 2, 3, 3\)"):
        cuda_ops.conv2d(x, tensor(4, 2, 3, 3), bias)
    with pytest.raises(CourseError, match=r"weight \(filters, c, k, k\)"):
        cuda_ops.conv2d(x, tensor(4, 3, 3, 2), bias)
    with pytest.raises(CourseError, match="float32 or float64, all alike"):
        cuda_ops.conv2d(x, weight.float(), bias)
    with pytest.raises(CourseError, match="int64 labels"):
        cuda_ops.cross_entropy(tensor(2, 3), torch.zeros(2, device=DEVICE))
    with pytest.raises(CourseError, match=r"lies on 'meta': move it"):
        cuda_ops.cross_entropy(torch.zeros(2, 3, device="meta"), torch.zeros(2, dtype=torch.int64))
