"""A service on this machine: it answers once it is started, is gone once it is stopped, and the client's words."""

import asyncio
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
for name in ("fastapi", "uvicorn", "httpx"):
    pytest.importorskip(name)

import numpy as np  # noqa: E402

from gpucourse.errors import MissingPackage  # noqa: E402
from gpucourse.models.cnn import DigitsCNN  # noqa: E402
from gpucourse.serving import running  # noqa: E402
from gpucourse.serving.running import Service, ServiceError, latencies, predict, serving  # noqa: E402
from gpucourse.serving.service import Limits, app  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def made(**limits):
    torch.manual_seed(0)
    return app(DigitsCNN(4), Limits(**limits))


@pytest.fixture(scope="module")
def service():
    with serving(made()) as running_service:
        yield running_service


def port(url):
    return int(url.rpartition(":")[2])


def answers(url):
    with socket.socket() as plug:
        return plug.connect_ex((running.HOST, port(url))) == 0


def test_it_answers_inside_the_block_and_is_gone_after_it():
    with serving(made()) as service:
        assert service.alive and repr(service) == f"a service at {service.url}, running"
        assert len(predict(service.url, IMAGES)["labels"]) == 5
    assert not service.alive and not answers(service.url)
    assert repr(service).endswith("stopped")
    assert service.url not in [thread.name for thread in threading.enumerate()]


def test_a_second_stop_does_nothing():
    service = Service(made())
    service.stop()
    service.stop()
    assert not answers(service.url)


def test_an_error_in_the_block_stops_it_too():
    with pytest.raises(ZeroDivisionError), serving(made()) as service:
        1 / 0  # noqa: B018
    assert not service.alive


def test_it_stops_though_a_client_holds_a_request_open():
    with serving(made(seconds=60.0)) as service, socket.create_connection((running.HOST, port(service.url))) as plug:
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        plug.sendall(head + b"{")
        time.sleep(0.2)
        service.stop()
        assert not service.alive


def test_two_at_a_time_have_ports_of_their_own(service):
    with serving(made()) as other:
        assert other.url != service.url
        assert predict(other.url, IMAGES) == predict(service.url, IMAGES)


def test_the_port_is_free_again_after_a_stop(service):
    with serving(made()) as first:
        predict(first.url, IMAGES)
    with serving(made(), port=port(first.url)) as second:
        assert second.url == first.url
        predict(second.url, IMAGES)


def test_a_port_that_is_taken_is_named(service):
    taken = port(service.url)
    with pytest.raises(ServiceError, match=f"port {taken} of 127.0.0.1 cannot be had"):
        Service(made(), port=taken)


def test_it_starts_in_a_thread_that_already_runs_a_loop():
    """As in a notebook, whose cells run inside asyncio; in its own thread: Playwright keeps a loop in ours."""
    async def cell():
        with serving(made()) as service:
            return predict(service.url, IMAGES)["labels"]

    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(asyncio.run, cell()).result(timeout=60)) == 5


def test_many_clients_at_once_get_what_one_gets(service):
    expected, found = predict(service.url, IMAGES), []
    threads = [threading.Thread(target=lambda: found.append(predict(service.url, IMAGES))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_the_socket_names_its_protocol_so_that_asyncio_sends_at_once():
    with running.listening_socket() as found:
        assert found.proto == socket.IPPROTO_TCP


# The client


REFUSED = {
    "out of range": (IMAGES.astype(int) + 1000, 422, r"images\[0\]\[0\]\[0\]: found 1\d+, allowed 0 to 255"),
    "rows": (IMAGES[:, :27], 422, r"images\[0\]: found 27 entries, allowed 28 rows"),
    "too many": (np.zeros((65, 28, 28), int), 422, "found 65 entries, allowed 1 to 64 images"),
    "words": (["a", "b"], 422, r"images\[0\]: found a string, allowed a list of 28 rows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_comes_in_the_services_words(service, case):
    images, status, words = REFUSED[case]
    with pytest.raises(ServiceError, match=words) as caught:
        predict(service.url, images)
    assert caught.value.status == status


def test_nan_is_not_sent(service):
    with pytest.raises(ServiceError, match=r"cannot be sent.*finite"):
        predict(service.url, np.full((1, 28, 28), np.nan))


def test_what_json_cannot_say_is_not_sent(service):
    with pytest.raises(ServiceError, match=r"cannot be sent.*object"):
        predict(service.url, [object()])


def test_nobody_there():
    with running.listening_socket() as found:     # bound, but nobody listens
        url = f"http://127.0.0.1:{found.getsockname()[1]}"
        with pytest.raises(ServiceError, match=r"cannot be reached.*Is the service running") as caught:
            predict(url, IMAGES)
    assert caught.value.status == 0


def test_a_list_of_arrays_is_not_sent(service):
    with pytest.raises(ServiceError, match=r"ndarray.*Send one array \(n, 28, 28\)"):
        predict(service.url, list(IMAGES))


@pytest.mark.parametrize("url", ["", "no url", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://["])
def test_an_address_that_is_none(url):
    with pytest.raises(ServiceError, match="cannot be reached"):
        predict(url, IMAGES)


def test_silence_ends_after_the_timeout():
    with running.listening_socket() as found:
        found.listen()
        with pytest.raises(ServiceError, match=r"no answer from .* in 0.2 s"):
            predict(f"http://127.0.0.1:{found.getsockname()[1]}", IMAGES, timeout=0.2)


def test_an_answer_that_is_not_the_services_is_quoted(service):
    with pytest.raises(ServiceError, match="404") as caught:
        predict(f"{service.url}/elsewhere", IMAGES)
    assert caught.value.status == 404


def test_latencies_ask_for_each_size(monkeypatch):
    asked = []
    monkeypatch.setattr(running, "predict", lambda url, images: asked.append(len(images)))
    found = latencies("http://x", IMAGES, sizes=(1, 4, 16), repeats=3)
    assert asked == [1] * 4 + [4] * 4 + [16] * 4     # one more of each, which is not timed
    assert list(found) == [1, 4, 16] and all(value >= 0 for value in found.values())


def test_latencies_of_a_service_are_times(service):
    found = latencies(service.url, IMAGES, sizes=(1, 8), repeats=2)
    assert all(0 < seconds < 10 for seconds in found.values())


@pytest.mark.parametrize(("package", "call"), [
    ("fastapi", lambda: made()), ("uvicorn", lambda: Service(None)), ("httpx", lambda: predict("http://x", IMAGES)),
])  # fmt: skip
def test_without_a_package_there_is_one_clear_error(monkeypatch, package, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=f"python -m pip install {package}$"):
        call()
