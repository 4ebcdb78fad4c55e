"""The exported network gives the network's scores, for any number of images; int8 keeps the accuracy; and pickles."""

import pickle
import sys

import pytest

torch = pytest.importorskip("torch")
for name in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(name)

import onnx  # noqa: E402

from gpucourse.data.batches import Batches, tensors  # noqa: E402
from gpucourse.data.images import digits as embedded  # noqa: E402
from gpucourse.errors import CourseError, MissingPackage  # noqa: E402
from gpucourse.models.cnn import DigitsCNN  # noqa: E402
from gpucourse.scores import accuracy  # noqa: E402
from gpucourse.serving import export  # noqa: E402
from gpucourse.train import fit  # noqa: E402


@pytest.fixture(scope="module")
def digits():
    return embedded()


@pytest.fixture(scope="module")
def model(digits):
    """A network that has learnt a little, left in training mode."""
    torch.manual_seed(0)
    made = DigitsCNN(4)
    fit(made, Batches(*tensors(digits.train), size=64), steps=80, progress=False, device="cpu")
    return made.train()


@pytest.fixture(scope="module")
def onnx_file(model, tmp_path_factory):
    return export.to_onnx(model, tmp_path_factory.mktemp("onnx") / "digits.onnx")


@pytest.fixture(scope="module")
def int8_file(onnx_file, digits):
    return export.quantized(onnx_file, onnx_file.with_name("int8.onnx"), tensors(digits.train)[0][:256])


def scores_of(model, images):
    with torch.inference_mode():
        return export.frozen(model)(images)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_the_exported_program_gives_the_models_scores(model, digits, n):
    images = tensors(digits.test)[0][:n]
    found = export.exported(model).module()(images)
    torch.testing.assert_close(found, scores_of(model, images), atol=1e-5, rtol=1e-5)


def test_an_exported_program_can_be_kept_and_read_back(model, digits, tmp_path):
    images = tensors(digits.test)[0][:3]
    torch.export.save(export.exported(model), tmp_path / "digits.pt2")
    found = torch.export.load(tmp_path / "digits.pt2").module()(images)
    torch.testing.assert_close(found, scores_of(model, images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_the_onnx_file_gives_the_models_scores(onnx_file, model, digits, n):
    images = tensors(digits.test)[0][:n]
    torch.testing.assert_close(export.OnnxModel(onnx_file)(images), scores_of(model, images), atol=1e-4, rtol=1e-4)


def test_the_model_itself_is_left_as_it_was(model, tmp_path):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export.exported(model)
    export.to_onnx(model, tmp_path / "digits.onnx")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_onnx_file_is_valid_and_whole(onnx_file):
    onnx.checker.check_model(str(onnx_file), full_check=True)
    assert [path.name for path in onnx_file.parent.iterdir() if path.suffix == ".data"] == []


def test_int8_keeps_the_accuracy_and_takes_less_room(onnx_file, int8_file, model, digits):
    images, labels = tensors(digits.test)
    right = accuracy(scores_of(model, images), labels)
    assert right > 0.6     # else there is nothing to lose
    assert abs(accuracy(export.OnnxModel(int8_file)(images), labels) - right) < 0.03
    kinds = {tensor.data_type for tensor in onnx.load(int8_file).graph.initializer if len(tensor.dims) > 1}
    assert kinds == {onnx.TensorProto.INT8}


def test_int8_is_not_the_same_to_the_last_digit(int8_file, model, digits):
    images = tensors(digits.test)[0][:64]
    found = (export.OnnxModel(int8_file)(images) - scores_of(model, images)).abs().max()
    assert 1e-3 < found < 3


def test_a_file_that_is_no_onnx_is_named(tmp_path):
    path = tmp_path / "digits.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(CourseError, match=r"digits\.onnx cannot be run as an ONNX file"):
        export.OnnxModel(path)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_a_package_there_is_one_clear_error(monkeypatch, model, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=f"python -m pip install {package}$"):
        export.to_onnx(model, tmp_path / "digits.onnx")


# Pickles


def test_a_pickle_can_call_what_it_likes():
    export.CALLS.clear()
    pickle.loads(pickle.dumps(export.Surprise()))
    assert len(export.CALLS) == 1


def test_torch_load_runs_it_only_without_weights_only(tmp_path):
    torch.save({"weights": torch.zeros(3), "extra": export.Surprise()}, tmp_path / "model.pt")
    calls, why = export.calls_while_loading(tmp_path / "model.pt", weights_only=False)
    assert len(calls) == 1 and why == ""
    calls, why = export.calls_while_loading(tmp_path / "model.pt")
    assert calls == [] and why.startswith("UnpicklingError: ") and "export.called" in why


def test_weights_load_with_weights_only(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / "model.pt")
    assert export.calls_while_loading(tmp_path / "model.pt") == ([], "")
