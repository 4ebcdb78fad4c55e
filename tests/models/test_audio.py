"""Networks that hear: MoodNet hears in which order; VGGish is as published, from sound to the names of its weights."""

import io
from urllib.error import HTTPError, URLError

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402

from gpucourse.errors import CourseError  # noqa: E402
from gpucourse.models import audio  # noqa: E402
from gpucourse.models.audio import MoodNet, VGGish, vggish, vggish_patches  # noqa: E402

# --- MoodNet -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bands", "frames", "classes", "size"), [(64, 94, 2, 64), (12, 94, 3, 8), (8, 2, 5, 4)])
def test_scores_depend_on_the_whole_spectrogram(bands, frames, classes, size):
    torch.manual_seed(0)
    x = torch.randn(3, 1, bands, frames, requires_grad=True)
    scores = MoodNet(bands, classes, size)(x)
    assert scores.shape == (3, classes)
    scores[:, 0].square().sum().backward()
    whole = bands // 8 * 8                                 # what is over when pooled is left out
    seen = x.grad.abs().sum(dim=(0, 1))
    assert (seen[:whole].sum(dim=1) > 0).all() and (seen.sum(dim=0) > 0).all()


def test_time_is_kept_until_the_gru():
    states = []
    net = MoodNet(64)
    net.gru.register_forward_hook(lambda module, inputs, outputs: states.append(outputs[0]))
    net(torch.randn(1, 1, 64, 94))
    assert states[0].shape == (1, 47, 64)


def test_it_hears_which_of_two_came_first():
    """Low then high, or high then low, far apart: neither the mean of the columns nor any short piece tells."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(32) % 2
    x = 0.3 * torch.randn(32, 1, 16, 24, generator=generator)
    for k, label in enumerate(labels.tolist()):
        x[k, 0, 0:8, 16 * label : 16 * label + 8] += 2
        x[k, 0, 8:16, 16 - 16 * label : 24 - 16 * label] += 2
    torch.manual_seed(0)
    net = MoodNet(16, 2, size=16)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.1


# --- VGGish: the network -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return VGGish().eval()


def test_the_weights_have_the_names_and_shapes_of_the_published_file(network):
    """Of torchaudio's prototype.pipelines.VGGISH, whose file is read with these names, all of them and no other."""
    channels, places = (1, 64, 128, 256, 256, 512, 512), (0, 3, 6, 8, 11, 13)
    due = {}
    for place, before, after in zip(places, channels, channels[1:], strict=False):
        due |= {f"features_network.{place}.weight": (after, before, 3, 3), f"features_network.{place}.bias": (after,)}
    for place, before, after in ((0, 12288, 4096), (2, 4096, 4096), (4, 4096, 128)):
        due |= {f"embedding_network.{place}.weight": (after, before), f"embedding_network.{place}.bias": (after,)}
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == due


def test_the_network_is_the_papers(network):
    """Written down from the paper's table and TensorFlow's order of axes: rows, columns, channels."""
    weights = list(network.parameters())
    x = torch.randn(2, 1, 96, 64, generator=torch.Generator().manual_seed(1))
    due, layers = x, iter(zip(weights[::2], weights[1::2], strict=True))
    for convolutions in (1, 1, 2, 2):
        for _ in range(convolutions):
            due = F.conv2d(due, *next(layers), padding=1).clamp(min=0)
        due = due.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).amax(dim=(3, 5))
    due = torch.stack([due[:, :, row, column] for row in range(6) for column in range(4)], dim=1).reshape(2, -1)
    for weight, bias in layers:
        due = (due @ weight.T + bias).clamp(min=0)
    torch.testing.assert_close(network(x), due, rtol=1e-4, atol=1e-5)
    assert due.shape == (2, 128) and (due > 0).any()


# --- VGGish: what it is shown ------------------------------------------------------------------------------


def published_patches(x):
    """By the description beside the model: magnitudes of 25 ms under a periodic Hann window, every 10 ms, 64 mel bands
    of 125 to 7,500 Hz (HTK's scale, triangles that are straight in mel), log(mel + 0.01), patches of 96 frames."""
    def mel(hertz):
        return 1127 * np.log1p(hertz / 700)

    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    starts = range(0, len(x) - 400 + 1, 160)
    spectra = np.array([abs(np.fft.fft(np.pad(x[at : at + 400] * window, (0, 112))))[:257] for at in starts])
    edges = [mel(125) + k * (mel(7500) - mel(125)) / 65 for k in range(66)]
    bands = np.zeros((257, 64))
    for k in range(257):
        here = mel(k * 16000 / 512)
        for band in range(64):
            low, middle, high = edges[band : band + 3]
            bands[k, band] = max(0, min((here - low) / (middle - low), (high - here) / (high - middle)))
    shown = np.log(spectra @ bands + 0.01)
    return shown[: len(shown) // 96 * 96].reshape(-1, 96, 64)


@pytest.mark.parametrize("samples", [15_600, 30_959, 30_960, 48_000])
def test_patches_are_as_described(samples):
    x = 0.2 * np.random.default_rng(samples).standard_normal(samples)
    due = published_patches(x)
    found = vggish_patches(torch.from_numpy(x).float(), 16000)
    assert found.shape == due.shape == ((1 + (samples - 400) // 160) // 96, 96, 64)
    np.testing.assert_allclose(found, due, atol=1e-4)


def test_other_rates_are_brought_to_16000_and_clips_are_its_rows():
    time = torch.arange(48000, dtype=torch.float64) / 48000
    tones = torch.stack([torch.sin(2 * torch.pi * hertz * time).float() for hertz in (440, 3000)])
    found = vggish_patches(tones, 48000)
    assert found.shape == (2, 1, 96, 64)
    torch.testing.assert_close(found[1], vggish_patches(tones[1], 48000))
    torch.testing.assert_close(found[:, 0, 5:90], vggish_patches(tones[:, ::3], 16000)[:, 0, 5:90], atol=0.05, rtol=0)


def test_too_short_a_sound():
    with pytest.raises(CourseError, match=r"0\.5 s of sound; a patch takes 0\.975 s"):
        vggish_patches(torch.zeros(4000), 8000)


# --- VGGish: its weights -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def forget():
    """The weights are kept for the session, 288 MB of them."""
    yield
    audio._learned.cache_clear()


def test_features_of_every_patch_by_the_weights_that_are_fetched_once(network, monkeypatch, tmp_path):
    asked = []

    def fetched(url, folder, **how):
        asked.append((url, folder, how["weights_only"]))
        return network.state_dict()

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetched)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    sound = 0.1 * torch.randn(2, 32_000, generator=torch.Generator().manual_seed(2))
    found = vggish(sound, 16000)
    with torch.no_grad():
        due = network(vggish_patches(sound[1], 16000)[:, None])
    assert found.shape == (2, 2, 128) and vggish(sound[0], 16000).shape == (2, 128)
    torch.testing.assert_close(found[1], due)
    assert asked == [("https://download.pytorch.org/torchaudio/models/vggish.pt",
                      str(tmp_path / ".cache" / "gpucourse"), True)]
    torch.nn.Linear(128, 2)(found).sum().backward()            # what comes may be learned from


@pytest.mark.parametrize(("error", "words"), [
    (URLError("Name or service not known"), "Name or service not known"), (TimeoutError("timed out"), "timed out"),
    (HTTPError("https://x", 403, "Forbidden", {}, io.BytesIO()), "403: Forbidden"),
])  # fmt: skip
def test_without_a_connection_the_next_step_is_said(error, words, monkeypatch, tmp_path, capsys):
    def urlopen(request):
        raise error

    monkeypatch.setattr(torch.hub, "urlopen", urlopen)
    with pytest.raises(CourseError, match=rf"could not be fetched into .*{words}.*Check the connection .*/vggish\.pt"):
        vggish(torch.zeros(16000), 16000, tmp_path)
    assert not list(tmp_path.iterdir())
    printed = capsys.readouterr()
    assert "Downloading" in printed.err and not printed.out


def test_a_silent_connection_is_given_up(monkeypatch, tmp_path):
    import socket

    waits = []

    def urlopen(request):
        waits.append(socket.getdefaulttimeout())
        raise TimeoutError

    monkeypatch.setattr(torch.hub, "urlopen", urlopen)
    with pytest.raises(CourseError, match="TimeoutError"):
        vggish(torch.zeros(16000), 16000, tmp_path)
    assert waits == [20] and socket.getdefaulttimeout() is None


@pytest.mark.parametrize("content", ["a page that asks to log in", {"weight": torch.zeros(2)}, [1, 2]])
def test_a_file_that_holds_something_else(content, tmp_path):
    path = tmp_path / "vggish.pt"
    if isinstance(content, str):
        path.write_text(content)
    else:
        torch.save(content, path)
    with pytest.raises(CourseError, match=r"vggish\.pt does not hold VGGish's weights .*Delete it"):
        vggish(torch.zeros(16000), 16000, tmp_path)
