"""Run a service on this machine and ask it: started and stopped for sure, with a client and its times.

It listens on 127.0.0.1 only: no other machine reaches it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gpucourse.errors import CourseError
from gpucourse.serving.packages import require

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"


class ServiceError(CourseError):
    """The service cannot be started or reached, or it refused; `status` is HTTP's, 0 where no answer came."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class Service:
    """A service that runs in a thread of this process: `url`, `stop()`, `alive`. `serving` stops it by itself."""

    def __init__(self, app: FastAPI, port: int = 0, wait: float = 10.0) -> None:
        require("uvicorn")
        import uvicorn

        self._socket = listening_socket(port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(app, log_config=None, log_level="error", access_log=False, lifespan="off", http="h11",
                                ws="none", timeout_graceful_shutdown=1)  # fmt: skip
        self._server = uvicorn.Server(config)
        # a daemon: it never keeps Python from ending
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True, name=self.url)
        self._thread.start()
        self._wait_until_it_answers(wait)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def stop(self, wait: float = 10.0) -> None:
        """Stop: what is being answered gets a second, then all connections end. A second call does nothing."""
        self._server.should_exit = True
        self._thread.join(wait / 2)
        self._server.force_exit = True
        self._thread.join(wait / 2)
        self._socket.close()
        if self.alive:
            raise ServiceError(f"the service at {self.url} runs on after {wait:g} s. Restart the kernel")

    def _wait_until_it_answers(self, wait: float) -> None:
        end = time.monotonic() + wait
        while not self._server.started:
            if not self.alive or time.monotonic() > end:
                self.stop()
                raise ServiceError(f"the service at {self.url} does not answer within {wait:g} s")
            time.sleep(0.01)

    def __repr__(self) -> str:
        return f"a service at {self.url}, {'running' if self.alive else 'stopped'}"


def listening_socket(port: int = 0) -> socket.socket:
    """Return a socket on 127.0.0.1, at a free port or at `port`; ServiceError where that is taken."""
    # asyncio sends an answer's second half at once (TCP_NODELAY) only where the protocol is named: 40 ms an answer
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        raise ServiceError(f"port {port} of {HOST} cannot be had ({error.strerror}). Leave `port` out: "
                           "a free one is found") from None  # fmt: skip
    return found


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[Service]:
    """Run `app` while the block runs: `with serving(app(model)) as service: predict(service.url, images)`."""
    service = Service(app, port)
    try:
        yield service
    finally:
        service.stop()


# -- the client --------------------------------------------------------------------------------------------


def predict(url: str, images: ArrayLike | Sequence[Any], timeout: float = 10.0) -> dict[str, Any]:
    """Ask the service for labels and probabilities of images (n, 28, 28), 0 to 255.

    Raises ServiceError where no answer comes in `timeout` seconds, and with the service's own words where it refuses.
    """
    require("httpx")
    import httpx

    listed = images.tolist() if hasattr(images, "tolist") else images
    # a proxy that the environment names has no business here; to load certificates takes 20 ms, which http: needs not
    options: dict[str, Any] = {"timeout": timeout, "trust_env": False, "verify": url.startswith("https:")}
    try:
        answer = httpx.post(f"{url}/predict", json={"images": listed}, **options)
    except httpx.TimeoutException:
        raise ServiceError(f"no answer from {url} in {timeout:g} s. Send fewer images, or give a longer `timeout`"
                           ) from None  # fmt: skip
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServiceError(f"{url} cannot be reached ({error}). Is the service running there?") from None
    except (ValueError, TypeError) as error:     # JSON has no nan, and no arrays within lists
        raise ServiceError(f"these images cannot be sent: {error}. Send one array (n, 28, 28) of finite numbers"
                           ) from None  # fmt: skip
    if answer.status_code != 200:
        raise ServiceError(in_words(answer), answer.status_code)
    return dict(answer.json())


def in_words(answer: Any) -> str:
    """Return the service's refusal as a sentence."""
    try:
        words = answer.json()
        why = f"{words['what']} at {words['where']}: found {words['found']}, allowed {words['limit']}"
    except (ValueError, KeyError, TypeError):
        why = answer.text[:100]
    return f"the service says {answer.status_code}: {why}"


def latencies(url: str, images: ArrayLike, sizes: Sequence[int] = (1, 4, 16, 64), repeats: int = 7
              ) -> Mapping[int, float]:  # fmt: skip
    """Return {batch size: median seconds of an answer}: what the client waits, JSON and network included.

    `images` (n, 28, 28) are taken from the front, repeated where n is small. A first request of each size is not timed.
    """
    images = np.asarray(images)
    return {size: _median_wait(url, np.resize(images, (size, *images.shape[1:])), repeats) for size in sizes}


def _median_wait(url: str, images: ArrayLike, repeats: int) -> float:
    waits = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        predict(url, images)
        waits.append(time.perf_counter() - start)
    return median(waits[1:])

