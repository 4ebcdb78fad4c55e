"""The rules of device arrays, held against what CuPy documents and, for names and signatures, against CuPy itself."""

import copy
import gc
import inspect
import pickle

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse.cupy_sim.delegate import signature

NO_IMPLICIT = r"Implicit conversion to a NumPy array is not allowed. Please use `.get\(\)` to construct a NumPy array"
x = cp.arange(6, dtype=cp.float32)
host = np.arange(6, dtype=np.float32)


# ---- nothing crosses by accident

MIXED = {
    "array + numpy": lambda: x + host,
    "numpy + array": lambda: host + x,
    "numpy - array": lambda: host - x,
    "array *= numpy": lambda: x.copy().__imul__(host),
    "comparison": lambda: x < host,
    "np.add": lambda: np.add(x, host),
    "cp.maximum": lambda: cp.maximum(x, host),
    "cp.sqrt": lambda: cp.sqrt(host),
    "concatenate": lambda: cp.concatenate([x, host]),
    "cp.median": lambda: cp.median(host),
    "where": lambda: cp.where(x > 1, x, host),
    "dot": lambda: cp.dot(x, host),
    "matmul": lambda: x @ host,
    "list": lambda: cp.sort([3, 1]),
}


@pytest.mark.parametrize("mix", MIXED.values(), ids=MIXED)
def test_mixing_with_numpy_or_lists_is_refused_with_cupys_words(mix):
    with pytest.raises(TypeError, match=r"Unsupported type <class '(numpy.ndarray|list)'>"):
        mix()


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda a: np.ones(6) + np.array([a, a])])
def test_numpy_may_not_read_a_device_array(convert):
    with pytest.raises(TypeError, match=NO_IMPLICIT):
        convert(x)


def test_numpy_functions_hand_over_to_the_device():
    joined, chosen = np.concatenate([x, x]), np.where(x > 2, x, 0)
    for result in (np.sqrt(x), np.sum(x), np.add(x, 1), joined, chosen, np.linalg.norm(x)):
        assert isinstance(result, cp.ndarray)
    with pytest.raises(TypeError):
        np.apply_over_axes(np.sum, x, 0)   # CuPy's table lacks it here: NumPy must not compute it on the host


def test_python_and_numpy_scalars_may_be_mixed_in():
    assert (x + 1).dtype == np.float32
    assert (1 / (x + 1)).dtype == np.float32
    assert (x * np.float32(2)).dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64, "NEP 50, as CuPy since version 14"


def test_to_the_host_and_back():
    back = x.get()
    assert type(back) is np.ndarray
    back[0] = 99
    assert float(x[0]) == 0, "get() gives a copy"
    assert cp.asnumpy(host) is host
    y = cp.empty(6, cp.float32)
    y.set(host)
    assert y.tolist() == host.tolist()
    with pytest.raises(ValueError, match="Shape mismatch"):
        y.set(host[:3])
    with pytest.raises(TypeError, match="float64 array cannot be set to float32 array"):
        y.set(host.astype(float))


def test_questions_about_values():
    assert (float(x[2]), int(x[2]), bool(x[2]), x[2].item()) == (2.0, 2, True, 2.0)
    assert repr(cp.array([1, 2])) == "array([1, 2])"
    assert f"{x[1]:.2f}" == "1.00"
    with pytest.raises(ValueError, match="more than one element is ambiguous"):
        bool(x)
    assert all(isinstance(each, cp.ndarray) and each.shape == () for each in x)
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


@pytest.mark.parametrize("bad", [np.array(["a"]), np.array([object()]), np.array(["2020-01-01"], "M8[D]"), "abc"])
def test_types_that_a_device_does_not_have(bad):
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cp.asarray(bad)


def test_documented_differences_from_numpy():
    # https://docs.cupy.dev/en/stable/user_guide/difference.html
    assert cp.array([10, 20, 30])[cp.array([1, 4, -5])].get().tolist() == [20, 20, 20]
    assert cp.array([-1.0]).astype(cp.uint32).get().tolist() == [0], "float to unsigned saturates on a GPU"
    y = cp.zeros(2)
    y[cp.array([3])] = 1
    assert y.get().tolist() == [0, 1], "the index wraps round when assigning, too"
    assert cp.array([cp.arange(3), cp.arange(3)]).shape == (2, 3), "device arrays in a list are joined on the device"


def test_copies_pickles_and_views():
    twin = copy.deepcopy(x)
    twin += 1
    assert float(x[0]) == 0
    assert pickle.loads(pickle.dumps(x)).tolist() == x.tolist()
    view = x[1:3]
    assert view.base is x
    assert cp.shares_memory(x, view)
    assert x.flags.c_contiguous
    assert not x[::2].flags.c_contiguous


# ---- counters

def test_transfers_are_counted_with_their_bytes():
    with cp.count_transfers() as t, cp.count_transfers() as inner:
        y = cp.asarray(host)
        (2 * y + 1).get()
        float(y.sum())
    assert (t.to_device, t.bytes_to_device, t.to_host, t.bytes_to_host) == (1, 24, 2, 28)
    assert inner.to_host == 2


def test_launches_and_allocations_are_counted():
    with cp.count_launches() as k:
        2 * x**3 - 3 * x**2 + 0.5 * x + 1
    assert (k.launches, k.allocations, k.bytes_allocated) == (8, 8, 8 * x.nbytes)
    with cp.count_launches() as k:
        x[1:], x.reshape(2, 3), x.T, cp.split(x, 2), x[None]
    assert (k.launches, k.allocations) == (0, 0), "views cost nothing"
    with cp.count_launches() as k:
        x.sum(), cp.concatenate([x, x]), cp.sort(x)
    assert k.launches == 3


def test_fuse_makes_one_launch_and_no_temporaries():
    def formula(x, y):
        return cp.sqrt(x * x + y * y) - 1

    fused = cp.fuse()(formula)
    y = x + 1
    with cp.count_launches() as k:
        got = fused(x, y)
    assert (k.launches, k.allocations) == (1, 1)
    np.testing.assert_allclose(got.get(), np.hypot(host, host + 1) - 1, rtol=1e-6)

    @cp.fuse
    def total(x):
        return cp.sum(x * x)

    assert float(total(x)) == 55
    with pytest.raises(TypeError):
        cp.fuse(lambda x: x if x > 0 else -x)(x)


# ---- memory

def test_the_pool_rounds_up_keeps_and_gives_back():
    pool = cp.get_default_memory_pool()
    gc.collect()    # arrays that other tests left in cycles must not go back to the pool in the middle of this one
    pool.free_all_blocks()
    used, total = pool.used_bytes(), pool.total_bytes()
    y = cp.zeros(1000, cp.uint8)
    assert pool.used_bytes() - used == 1024
    del y
    assert pool.used_bytes() == used
    assert pool.total_bytes() - total == 1024, "the block is kept"
    assert pool.n_free_blocks() >= 1
    pool.free_all_blocks()
    assert pool.total_bytes() == total


def test_over_the_limit_is_out_of_memory_in_cupys_words():
    pool = cp.get_default_memory_pool()
    gc.collect()                               # arrays that other tests left in cycles
    free = pool.free_bytes()                   # pieces that the pool may give out again and take nothing for
    size = (free + 2**22) // 512 * 512         # more than all of them: a new block must be taken
    pool.set_limit(size=pool.total_bytes() + 2**20)
    try:
        with pytest.raises(MemoryError, match=rf"Out of memory allocating {size:,} bytes"):
            cp.zeros(size, cp.uint8)
    finally:
        pool.set_limit(size=0)
    assert cp.zeros(2**20, cp.float32).size == 2**20


# ---- other libraries, devices, streams, random numbers

def test_dlpack_shares_memory_both_ways():
    torch = pytest.importorskip("torch")
    y = cp.arange(4.0)
    tensor = torch.from_dlpack(y)
    tensor[0] = 7
    assert float(y[0]) == 7
    back = cp.from_dlpack(tensor)
    back += 1
    assert tensor.tolist() == [8, 2, 3, 4]
    assert isinstance(back, cp.ndarray)


def test_get_array_module():
    assert cp.get_array_module(x) is cp
    assert cp.get_array_module(host, 3) is np
    assert cp.get_array_module(host, x) is cp


def test_there_is_one_device():
    with cp.cuda.Device(0) as device:
        assert x.device == device
    assert cp.cuda.runtime.getDeviceCount() == 1
    free, size = device.mem_info
    assert 0 < free <= size
    with pytest.raises(RuntimeError, match="cudaErrorInvalidDevice: invalid device ordinal"), cp.cuda.Device(1):
        pass


def test_streams_and_events():
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        assert cp.cuda.get_current_stream() == stream
        start = stream.record()
        y = x * 2
        end = stream.record()
    end.synchronize()
    stream.synchronize()
    assert cp.cuda.get_current_stream() != stream
    assert cp.cuda.get_elapsed_time(start, end) >= 0
    cp.cuda.get_current_stream().wait_event(end)
    assert float(y[1]) == 2


def test_random_numbers_repeat_and_have_their_laws():
    for make in (lambda: cp.random.default_rng(7).random(20_000), lambda: cp.random.RandomState(7).rand(20_000)):
        a, b = make(), make()
        assert bool((a == b).all())
        assert abs(float(a.mean()) - 0.5) < 0.01
    assert cp.random.default_rng(7).random(3).tolist() != np.random.default_rng(7).random(3).tolist()
    cp.random.seed(3)
    first = cp.random.normal(2, 3, 10_000)
    cp.random.seed(3)
    assert bool((first == cp.random.normal(2, 3, 10_000)).all())
    assert abs(float(first.std()) - 3) < 0.1
    assert cp.random.rand(2, 3, dtype=cp.float32).dtype == np.float32
    dice = cp.random.randint(1, 7, 1000)
    assert (int(dice.min()), int(dice.max())) == (1, 6)
    shuffled = cp.random.permutation(10)
    assert sorted(shuffled.tolist()) == list(range(10))
    assert cp.random.default_rng(1).integers(0, 5, 100, endpoint=True).max() == 5
    assert abs(float(cp.random.exponential(2.0, 20_000).mean()) - 2) < 0.1


# ---- the same names and signatures as CuPy

FOLLOWED = "14.2"     # a version before it lacks some of the names and parameters that the simulator has


def test_every_public_name_is_cupys_own():
    cupy = pytest.importorskip("cupy", FOLLOWED)
    ours = {"count_launches", "count_transfers"}
    assert [name for name in cp.__all__ if name not in ours and not hasattr(cupy, name)] == []
    for part in ("linalg", "fft", "random"):
        home = getattr(cupy, part)
        assert [n for n in dir(getattr(cp, part)) if n[0] != "_" and not hasattr(home, n) and n != "Generator"] == []


def test_signatures_are_cupys():
    cupy = pytest.importorskip("cupy", FOLLOWED)
    checked = 0
    for name in cp.__all__:
        theirs = getattr(cupy, name, None)
        if not inspect.isfunction(theirs) or not hasattr(getattr(cp, name), "__signature__"):
            continue
        checked += 1
        assert list(signature(name).parameters) == list(inspect.signature(theirs).parameters), name
    assert checked > 100


def test_arguments_that_cupy_does_not_take_are_refused():
    with pytest.raises(TypeError, match=r"sum\(\) got an unexpected keyword argument 'where'"):
        cp.sum(x, where=x > 1)
    with pytest.raises(TypeError, match="missing a required argument"):
        cp.concatenate()


def test_an_unknown_name_says_whether_cupy_has_it():
    with pytest.raises(AttributeError, match="CuPy has it, the course's simulator does not"):
        cp.vectorize  # noqa: B018
    with pytest.raises(AttributeError) as error:
        cp.no_such_thing  # noqa: B018
    assert "CuPy has it" not in str(error.value)
