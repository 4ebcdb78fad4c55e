"""The prediction service: right answers, and 1,000 malformed requests that it refuses, each with its reason.

It listens on 127.0.0.1. The oracle of the answers is the network itself; that of the refusals is HTTP's own table of
status codes and, for the fields, the place that the request itself was broken at.
"""

import json
import random
import socket

import pytest

torch = pytest.importorskip("torch")
for name in ("fastapi", "uvicorn", "httpx"):
    pytest.importorskip(name)

import httpx  # noqa: E402
import numpy as np  # noqa: E402

from gpucourse.data.batches import tensors  # noqa: E402
from gpucourse.data.images import Labeled  # noqa: E402
from gpucourse.models.cnn import DigitsCNN  # noqa: E402
from gpucourse.serving.running import serving  # noqa: E402
from gpucourse.serving.service import Limits, app  # noqa: E402

LIMITS = Limits(images=4, body=100_000, seconds=1.0)
BLANK = [[0] * 28 for _ in range(28)]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = DigitsCNN(4)
    for _ in range(3):     # running means that differ from a batch's own: evaluation mode can be told from training
        made(torch.randn(8, 1, 28, 28) * 2 + 1)
    return made


@pytest.fixture(scope="module")
def url(model):
    with serving(app(model, LIMITS)) as service:
        yield service.url


@pytest.fixture(scope="module")
def client(url):
    with httpx.Client(base_url=url, trust_env=False, timeout=10) as made:
        yield made


def pictures(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8)


def post(client, content):
    return client.post("/predict", content=content, headers=JSON)


def sent(client, images):
    return post(client, json.dumps({"images": images}))


def as_reason(answer, status=None):
    """The four words of a refusal, which must be one."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:200])
    assert status in (None, answer.status_code)
    words = answer.json()
    assert words.keys() == {"what", "where", "found", "limit"}
    assert all(isinstance(text, str) and text and len(text) < 200 for text in words.values())
    return words


def still_right(client, model):
    images = pictures(2, seed=7)
    with torch.inference_mode():
        expected = model.eval()(tensors(Labeled(images, np.zeros(2, np.int64)))[0]).softmax(1)
    answer = sent(client, images.tolist())
    assert answer.status_code == 200
    np.testing.assert_allclose(answer.json()["probabilities"], expected.numpy(), atol=1e-5)


# Right answers


@pytest.mark.parametrize("n", [1, 3, 4])
def test_answers_are_those_of_the_model_in_evaluation_mode(client, model, n):
    images = pictures(n)
    with torch.inference_mode():
        expected = model.eval()(tensors(Labeled(images, np.zeros(n, np.int64)))[0]).softmax(1)
    answer = sent(client, images.tolist()).json()
    np.testing.assert_allclose(answer["probabilities"], expected.numpy(), atol=1e-5)
    assert answer["labels"] == expected.argmax(1).tolist()


def test_a_picture_gets_the_same_answer_whoever_is_beside_it(client):
    images = pictures(4).tolist()
    alone = [sent(client, [one]).json()["probabilities"][0] for one in images]
    np.testing.assert_allclose(sent(client, images).json()["probabilities"], alone, atol=1e-5)


def test_a_model_in_training_mode_is_put_into_evaluation_mode():
    model = DigitsCNN(4).train()
    app(model)
    assert not any(part.training for part in model.modules())


def test_numbers_may_have_a_point_and_the_ends_of_the_range_are_in_it(client):
    images = [[[0.0, 255, 127.5, 255.0] * 7 for _ in range(28)]]
    assert sent(client, images).status_code == 200


def test_it_lives_and_says_its_limits(client):
    assert client.get("/health").json() == {
        "status": "ok", "limits": {"images": 4, "body": 100_000, "seconds": 1.0}
    }  # fmt: skip


def test_a_charset_and_capitals_in_the_kind_of_body_are_allowed(client):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/predict", content=json.dumps({"images": [BLANK]}), headers=headers).status_code == 200


# Refusals, one by one: the status, the place, what was found


def with_value(text, i=1, j=5, k=7):
    """The JSON of two blank pictures with `text` at images[i][j][k]."""
    images = [[["0"] * 28 for _ in range(28)] for _ in range(2)]
    images[i][j][k] = text
    rows = [["[" + ",".join(row) + "]" for row in image] for image in images]
    return '{"images": [' + ",".join("[" + ",".join(image) + "]" for image in rows) + "]}"


VALUES = {
    "256": ("out of range", "256"), "-1": ("out of range", "-1"), "255.0001": ("out of range", "255.0001"),
    "1e999": ("not finite", "inf"), "-1e999": ("not finite", "-inf"), "1" + "0" * 400: ("out of range", "..."),
    "true": ("wrong type", "true or false"), "null": ("wrong type", "null"), '"7"': ("wrong type", "a string"),
    "[7]": ("wrong type", "a list"), "{}": ("wrong type", "an object"),
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_a_bad_number_is_named_with_its_place(client, text):
    what, found = VALUES[text]
    words = as_reason(post(client, with_value(text)), 422)
    assert words["what"] == what and words["where"] == "images[1][5][7]"
    assert found in words["found"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "nan", "0x10", "1_000", "01", "+1", ".5", "1" * 5000])
def test_what_json_does_not_know_is_refused(client, text):
    as_reason(post(client, with_value(text)), 400)


SHAPES = {
    "no images": ([], "images", "0 entries"),
    "too many": ([BLANK] * 5, "images", "5 entries"),
    "one picture without the list around it": (BLANK, "images", "28 entries"),
    "27 rows": ([BLANK, BLANK[1:]], "images[1]", "27 entries"),
    "ragged": ([[*BLANK[:9], [0] * 27, *BLANK[10:]]], "images[0][9]", "27 entries"),
    "flat": ([[0] * 784], "images[0]", "784 entries"),
    "null": (None, "images", "null"),
    "an object": ({"0": BLANK}, "images", "an object"),
    "a string": ("digits.png", "images", "a string"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_wrong_shape_is_named_with_its_place(client, case):
    images, where, found = SHAPES[case]
    words = as_reason(sent(client, images), 422)
    assert (words["where"], words["found"]) == (where, found)


BODIES = {
    "empty": (b"", 400), "half": (json.dumps({"images": [BLANK]}).encode()[:900], 400),
    "not UTF-8": (b'{"\xff": 1}', 400),
    "UTF-16": ('{"images": []}'.encode("utf-16"), 400), "mark in front": (b"\xef\xbb\xbf{}", 400),
    "a list": (b"[]", 422), "comma": (b'{"images": [],}', 400),
    "a number": (b"7", 422), "two values": (b"{} {}", 400), "nothing in it": (b"{}", 422),
    "unknown field": (b'{"images": [], "model": "../x"}', 422), "half a character": (b'{"\\ud800": 1}', 422),
    "twice": (b'{"images": [], "images": []}', 422), "long name": (b'{"' + b"a" * 9000 + b'": 1}', 422),
    "deep lists": (b"[" * 90_000, 400), "deep objects": (b'{"images":' * 9_000, 400), "zeros": (b"\0" * 100, 400),
    "just too large": (b" " * 100_001, 413), "much too large": (b" " * 3_000_000, 413),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_is_refused(client, case):
    body, status = BODIES[case]
    as_reason(post(client, body), status)


@pytest.mark.parametrize(("field", "what"), [
    ('"images": [0]', "a field stands twice"), ('"model": 1', "unknown field"), ('"\\ud800": 1', "unknown field"),
])  # fmt: skip
def test_a_second_field_is_refused_though_the_images_are_right(client, field, what):
    body = f'{{{field}, "images": {json.dumps([BLANK])}}}'
    assert as_reason(post(client, body), 422)["what"] == what


def test_a_body_of_the_largest_size_is_read(client):
    body = json.dumps({"images": [BLANK]})
    assert post(client, body + " " * (100_000 - len(body))).status_code == 200


@pytest.mark.parametrize("headers", [
    {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": ""}, {},
    {"Content-Type": "application/jsonp"}, JSON | {"Content-Encoding": "gzip"},
])  # fmt: skip
def test_another_kind_of_body_is_refused(client, headers):
    answer = client.post("/predict", content=json.dumps({"images": [BLANK]}).encode(), headers=headers)
    assert "header Content-" in as_reason(answer, 415)["where"]


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/predict", 405), ("DELETE", "/predict", 405), ("POST", "/health", 405), ("BREW", "/predict", 405),
    ("POST", "/predict/", 404), ("GET", "/", 404), ("GET", "/docs", 404), ("GET", "/%ff%00", 404),
    ("GET", "/..%2f", 404),
])  # fmt: skip
def test_other_methods_and_places_are_refused(client, method, path, status):
    as_reason(client.request(method, path), status)


# Over a raw socket: what no proper client sends


def raw(url, data, finish=True):
    """Send bytes and return the status of the answer, 0 where the connection ends without one."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as plug:
        try:
            plug.sendall(data)
            if not finish:
                return None
            answer = plug.recv(65536)
        except ConnectionError:
            return 0
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.") else 0


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
RAW = {
    "no HTTP": b"hello\r\n\r\n",
    "bytes": bytes(range(256)) + b"\r\n\r\n",
    "header without a colon": HEAD + b"junk\r\n\r\n",
    "header with a zero": HEAD + b"X: a\0b\r\n\r\n",
    "header of 100 kB": HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "no host": b"GET /predict HTTP/1.1\r\n\r\n",
    "host of brackets": b"GET /nowhere HTTP/1.1\r\nHost: [[[\r\n\r\n",
    "negative length": HEAD + b"Content-Length: -5\r\n\r\n",
    "length in words": HEAD + b"Content-Length: five\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "unknown coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "HTTP 9": b"GET /predict HTTP/9.9\r\nHost: x\r\n\r\n",
    "long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "upgrade": b"GET /predict HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a body that stays away": HEAD + b"Content-Length: 90\r\n\r\n{",
    "chunks that stay away": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
}


@pytest.mark.parametrize("case", RAW)
def test_what_is_hardly_http_gets_a_4xx(url, client, model, case):
    assert 400 <= raw(url, RAW[case]) < 500
    still_right(client, model)


def test_a_body_that_stays_away_is_waited_for_no_longer_than_the_limit(url):
    assert raw(url, RAW["a body that stays away"]) == 408


def test_a_client_that_leaves_in_the_middle_is_forgotten(url, client, model, caplog):
    for cut in (1, 20, len(HEAD), len(HEAD) + 20, len(HEAD) + 25):
        raw(url, (HEAD + b"Content-Length: 90\r\n\r\n{[1, 2")[:cut], finish=False)
    still_right(client, model)
    assert caplog.text == ""


# 1,000 more, from a seed


def broken(draw):
    """A malformed request: what the client is called with."""
    images = [[list(row) for row in BLANK] for _ in range(draw.randint(1, 3))]
    image, row, place = draw.choice(images), draw.randrange(28), draw.randrange(28)
    whole = json.dumps({"images": images}, separators=(",", ":"))
    kind = draw.randrange(9)
    if kind == 0:
        whole = whole[: draw.randrange(len(whole))]
    elif kind == 1:
        at = draw.randrange(len(whole))
        whole = whole[:at] + draw.choice("}]@\"'x\0\\:é[{") + whole[at + (whole[at] != "0") :]
        if is_json(whole):
            whole += "]"
    elif kind == 2:
        value = draw.choice([*VALUES, "NaN", "Infinity", "-1e-9", "1e300", '""', "[[]]"])
        return with_value(value, draw.randrange(2), row, place)
    elif kind == 3:
        image[row] = [0] * draw.choice([n for n in range(60) if n != 28])
    elif kind == 4:
        image[:] = [[0] * 28] * draw.choice([n for n in range(60) if n != 28])
    elif kind == 5:
        images[:] = [BLANK] * draw.choice([0, 5, 6, 30])
    elif kind == 6:
        return json.dumps({"images": images, draw.choice(["Images", "image", "", "__class__", "\ud800", "é"]): 1})
    elif kind == 7:
        return draw.choice("[{") * draw.randint(1, 5000)
    elif kind == 8:
        return draw.randbytes(draw.randint(0, 300))
    return whole if kind < 2 else json.dumps({"images": images})


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.timeout(120)
def test_1000_malformed_requests_are_refused_and_the_service_goes_on(client, model, caplog):
    draw = random.Random(18)
    for i in range(1000):
        request = broken(draw)
        answer = post(client, request)
        assert 400 <= answer.status_code < 500, (i, request[:100], answer.text[:100])
        as_reason(answer)
        if i % 100 == 0:
            still_right(client, model)
    still_right(client, model)
    assert caplog.text == ""     # no traceback in the log
