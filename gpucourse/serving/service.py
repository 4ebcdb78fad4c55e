"""A prediction service for pictures of 28 x 28 pixels: JSON in, labels and probabilities out, bad input refused.

POST /predict takes {"images": [[28 rows of 28 numbers, 0 black to 255 white], ...]}; GET /health says that it lives.
A refusal is JSON too: `what` is wrong, `where`, what was `found`, and the `limit`. The status is 400 to 499, never 5xx.
"""
# without `from __future__ import annotations`: FastAPI reads the routes' annotations, whose names are local to `app`

import asyncio
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gpucourse.data.batches import MEAN, SPREAD
from gpucourse.serving.packages import require

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

SIDE = 28
WORDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}


@dataclass(frozen=True)
class Limits:
    """What a request may cost: pictures, bytes of its body, seconds until that body is here."""

    images: int = 64
    body: int = 2_000_000     # 64 pictures are 50,176 numbers; written with 17 digits each they take about 1 MB
    seconds: float = 10.0


@dataclass(eq=False)
class Refused(Exception):
    """A request that is not served: HTTP's status, what is wrong, where, what was found, and what is allowed."""

    status: int
    what: str
    where: str
    found: str
    limit: str


def app(model: nn.Module, limits: Limits = Limits()) -> "FastAPI":
    """Return the service for `model`, which is put into evaluation mode. Raises MissingPackage without fastapi."""
    require("fastapi")
    from fastapi import FastAPI, Request
    from starlette.concurrency import run_in_threadpool

    model.eval()
    service = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    one_at_a_time = asyncio.Lock()    # a device computes one batch at a time; the others wait here

    @service.get("/health")
    async def health() -> dict[str, object]:
        return {"status": "ok", "limits": asdict(limits)}

    @service.post("/predict")
    async def predict(request: Request) -> dict[str, object]:
        body = await body_of(request, limits)
        async with one_at_a_time:     # in a thread, so that /health answers meanwhile
            return await run_in_threadpool(lambda: classify(model, images_of(body, limits)))

    answer_refusals(service)
    return service


def classify(model: nn.Module, images: Tensor) -> dict[str, object]:
    """Return labels and probabilities of images (n, 28, 28), 0 to 255, as lists: one batch on the model's device."""
    device = next(model.parameters()).device
    with torch.inference_mode():
        scores = model((images[:, None].to(device) / 255 - MEAN) / SPREAD)
        probabilities = scores.softmax(dim=1).cpu()
    return {"labels": probabilities.argmax(dim=1).tolist(), "probabilities": probabilities.tolist()}


# -- the body's bytes --------------------------------------------------------------------------------------


async def body_of(request: "Request", limits: Limits) -> bytes:
    """Return the body once it is here, having kept no more than `limits.body` bytes; Refused for any other."""
    from starlette.requests import ClientDisconnect

    require_json(request)
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)     # what is too much is counted and dropped: who still writes cannot read
                body += part if size <= limits.body else b""
    except ClientDisconnect:
        raise Refused(400, "the body breaks off", "body", f"{size:,} bytes", "a whole one") from None
    except TimeoutError:
        if size <= limits.body:
            raise Refused(408, "the body is not here in time", "body", f"{size:,} bytes in {limits.seconds:g} s",
                          f"a whole one in {limits.seconds:g} s") from None  # fmt: skip
    if size > limits.body:
        raise Refused(413, "the body is too large", "body", f"{size:,} bytes", f"{limits.body:,} bytes")
    return bytes(body)


def require_json(request: "Request") -> None:
    """Refuse a body that does not say it is plain JSON."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "wrong kind of body", "header Content-Type", short(kind), "application/json")
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise Refused(415, "a packed body", "header Content-Encoding", short(coding), "identity")


# -- what stands in it -------------------------------------------------------------------------------------


def images_of(body: bytes, limits: Limits) -> Tensor:
    """Return the pictures of a body, float32 of shape (n, 28, 28), or raise Refused for the first fault."""
    images = field_of(parsed(body))
    require_list(images, "images", 1, limits.images, "images")
    for i, image in enumerate(images):
        require_list(image, f"images[{i}]", SIDE, SIDE, "rows")
        for j, row in enumerate(image):
            require_list(row, f"images[{i}][{j}]", SIDE, SIDE, "numbers")
            for k, value in enumerate(row):
                if type(value) not in (int, float) or not 0 <= value <= 255:    # nan is in no range; true is an int
                    raise refused_value(value, f"images[{i}][{j}][{k}]")
    return torch.tensor(images, dtype=torch.float32)


def parsed(body: bytes) -> object:
    """Return what the JSON says. NaN and Infinity, which Python's parser would take, are no JSON."""
    try:
        return json.loads(body.decode(), parse_constant=no_constant, object_pairs_hook=no_twins)
    except UnicodeDecodeError as error:
        raise Refused(400, "the body is not UTF-8", f"byte {error.start:,}", f"0x{body[error.start]:02x}", "UTF-8"
                      ) from None  # fmt: skip
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno:,}"
        raise Refused(400, "the body is not JSON", where, error.msg, "JSON") from None
    except RecursionError:
        raise Refused(400, "lists within lists within lists", "body", "hundreds of levels", "4 levels") from None
    except ValueError:     # Python reads no integer of more than 4,300 digits: that would take it long
        raise Refused(400, "an integer is too long", "body", "over 4,300 digits", "0 to 255") from None


def no_constant(name: str) -> float:
    raise Refused(400, "the body is not JSON", "body", name, "finite numbers")


def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Refused(422, "a field stands twice", "body", f"{len(pairs):,} fields, {len(fields):,} names", "each once")
    return fields


def field_of(content: object) -> Any:
    """Return what stands in "images", the one field that there may be."""
    if not isinstance(content, dict):
        raise Refused(422, "wrong type", "body", kind_of(content), 'an object: {"images": [...]}')
    for name in content.keys() - {"images"}:
        raise Refused(422, "unknown field", "body", short(name), 'only "images"')
    if "images" not in content:
        raise Refused(422, "a field is missing", "body", "no field", '"images"')
    return content["images"]


def require_list(value: object, where: str, least: int, most: int, things: str) -> None:
    """Refuse what is no list, or has fewer than `least` or more than `most` entries."""
    allowed = f"{least} {things}" if least == most else f"{least} to {most} {things}"
    if not isinstance(value, list):
        raise Refused(422, "wrong type", where, kind_of(value), f"a list of {allowed}")
    if not least <= len(value) <= most:
        raise Refused(422, "wrong length", where, f"{len(value):,} entries", allowed)


def refused_value(value: object, where: str) -> Refused:
    """Say what is wrong with a pixel."""
    if type(value) not in (int, float):
        return Refused(422, "wrong type", where, kind_of(value), "a number")
    what = "not finite" if isinstance(value, float) and not math.isfinite(value) else "out of range"
    return Refused(422, what, where, short(value), "0 to 255")


def kind_of(value: object) -> str:
    return WORDS.get(type(value), "a number")


def short(value: object) -> str:
    """Quote what a client sent: in ASCII, as half a character cannot be sent back, and cut, as it may be long."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


# -- answers that say no -----------------------------------------------------------------------------------


def answer_refusals(service: "FastAPI") -> None:
    """Teach the service to answer every refusal, FastAPI's own too, in the same form."""
    from fastapi import Request
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

    @service.exception_handler(Refused)
    async def ours(request: Request, error: Refused) -> JSONResponse:
        words = {"what": error.what, "where": error.where, "found": error.found, "limit": error.limit}
        return JSONResponse(words, error.status)

    @service.exception_handler(HTTPException)
    async def theirs(request: Request, error: HTTPException) -> JSONResponse:
        words = {"what": str(error.detail), "where": short(request.scope["path"]), "found": request.method,
                 "limit": "POST /predict, GET /health"}  # fmt: skip
        return JSONResponse(words, error.status_code, error.headers)
