"""Whatever is sent to /predict, the service says what is wrong with it, and goes on."""

import io
import json
import logging
import time
from contextlib import suppress
from functools import cache
from http.client import HTTPException, HTTPResponse

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.serving.predictor import Work
from app.serving.uploads import Limits
from tests.app.made_service import Service, served

# Starlette leaves the file of a part without an end to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MINUTES = 10
STATUSES = {200, 400, 408, 413, 415, 422, 503}
LIMITS = Limits(body_bytes=200_000, body_seconds=0.3)
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4" /></svg>'


@cache
def pictures() -> list[bytes]:
    """One of each format that is read."""
    picture = Image.effect_mandelbrot((24, 16), (-2, -1, 1, 1), 50).convert("RGB")
    found = [DRAWING]
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "HEIF", "BMP", "TIFF", "ICO", "PPM"):
        file = io.BytesIO()
        picture.save(file, kind)
        found.append(file.getvalue())
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    with served(folder, LIMITS, Work(seconds=20, threads=1), seconds=2) as service:
        yield service


# ---- what is sent -------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [b"\r\n", b"--", b"--x", b'"', b";", b"=", b"\0", b"%00", b"\xff", b"utf-7"]
)
NOISE = st.lists(WORDS | st.binary(max_size=12), max_size=12).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A picture with bytes changed, cut out and put in."""
    data = bytearray(draw(st.sampled_from(pictures())))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 1, 2, 4, 50, 5000]))
        data[at : at + length] = draw(st.binary(max_size=8))
    return bytes(data)


FILES = st.sampled_from([b'; filename="a.png"', b"; filename=", b"", b"; filename*=x''a"])


@st.composite
def parts(draw: st.DrawFn) -> bytes:
    """A form, or nearly one."""
    names = st.sampled_from([b"pictures", b"other", b"", b"p\xff"])
    ends = st.sampled_from([b"--x--\r\n", b"--x", b"", b"--y--\r\n"])
    body = b""
    for _ in range(draw(st.integers(0, 20))):
        file = draw(
            st.sampled_from([b'; filename="a.png"', b"; filename=", b"", b"; filename*=x''a"])
        )
        head = b"Content-Disposition: form-data; name=" + draw(names) + file
        more = draw(st.sampled_from([b"", b"Content-Type: image/png\r\n", b"Content-Type\r\n"]))
        body += b"--x\r\n" + draw(st.sampled_from([head, NOISE_HEAD])) + b"\r\n" + more + b"\r\n"
        body += draw(damaged() | NOISE) + b"\r\n"
    return body + draw(ends)


NOISE_HEAD = b"Content-Disposition: " + b"a" * 9000
CHARSETS = st.sampled_from(
    [*(b"utf-8", b"utf-7", b"utf-16", b"idna", b"punycode", b"undefined", b"zlib", b"hex", b"\xff")]
)
FORM = b"multipart/form-data; boundary=x"
KINDS = st.one_of(
    st.sampled_from(
        [b"image/png", b"image/svg+xml", b"application/octet-stream", b"text/html", FORM]
    ),
    CHARSETS.map(lambda name: FORM + b"; charset=" + name),
    st.sampled_from([b"multipart/form-data", b"multipart/form-data; boundary=", FORM + b"x" * 200]),
    NOISE.map(lambda noise: b"image/" + noise.replace(b"\n", b"").replace(b"\r", b"")),
)
QUERIES = st.sampled_from(
    [b"", b"?top=1", b"?top=-1", b"?max_error=nan", b"?max_error=0.05", b"?%ff"]
)


class Sent(bytes):
    """Told in some lines, however long it is."""

    def __repr__(self) -> str:
        return f"{self[:1000]!r} … of {len(self)}"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """As bytes on a connection, the length as it is, as it is not, or in chunks."""
    body = draw(st.one_of(damaged(), parts(), NOISE, st.just(bytes(210_000))))
    kind, query = draw(KINDS), draw(QUERIES)
    head = b"POST /predict" + query + b" HTTP/1.1\r\nHost: a\r\nContent-Type: " + kind + b"\r\n"
    form = draw(st.sampled_from([*["length"] * 8, "short", "none", "chunks", "noise"]))
    if form == "chunks":
        cut = draw(st.integers(0, len(body)))
        pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    # What is no HTTP is answered and not heard out: more would be a reset, before the answer.
    if form == "none":
        return head + b"\r\n" + body[:1000]
    if form == "noise":
        return head + draw(NOISE) + b"\r\n\r\n" + body[:1000]
    length = len(body) + (5 if form == "short" else 0)
    return head + b"Content-Length: %d\r\n\r\n" % length + body


# ---- what comes back ----------------------------------------------------------------------------


def sent(service: Service, request: bytes) -> HTTPResponse | None:
    """None where the connection is closed without an answer."""
    with service.connected() as connection:
        with suppress(ConnectionError):  # it may have said enough already
            connection.sendall(request)
        response = HTTPResponse(connection)
        try:
            response.begin()
            response.content = response.read()
        except (HTTPException, ConnectionError):
            return None
        return response


def check(service: Service, request: bytes, log: logging.Handler) -> None:
    response = sent(service, request)
    if response is None:  # reset, as it was sent on for longer than it is heard out
        assert len(request) > LIMITS.body_bytes
        return
    assert response.status in STATUSES, response.content
    if response.getheader("content-type", "").startswith("application/"):
        answer = json.loads(response.content)
        assert answer["pictures"] if response.status == 200 else answer["remedy"]
    else:  # of uvicorn, for what is no HTTP
        assert (response.status, response.content) == (400, b"Invalid HTTP request received.")
    assert log.errors == []


class Errors(logging.Handler):
    """What the server logs as an error: an exception that nobody caught."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(self.format(record))


@pytest.fixture
def log():
    handler = Errors()
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addHandler(handler)
    yield handler
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).removeHandler(handler)


def fuzz(service: Service, log: Errors, examples: int) -> None:
    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(request=requests().map(Sent))
    @example(request=b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: " + b"image/\r\n\r\n")
    def is_answered(request: bytes) -> None:
        check(service, request, log)

    is_answered()
    assert service.get("/healthz")[0] == 200


def test_whatever_is_sent_is_answered_with_the_reason(service, log):
    fuzz(service, log, 60)


@pytest.mark.slow
def test_so_it_is_for_ten_minutes(service, log):
    end = time.monotonic() + MINUTES * 60
    while time.monotonic() < end:
        fuzz(service, log, 400)


@pytest.mark.parametrize("charset", ["idna", "punycode", "undefined", "zlib", "utf-16", "\xff"])
def test_a_form_in_an_odd_encoding_is_no_fault_of_the_service(service, log, charset):
    """Python has codecs that raise what others do not."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="\xff"; filename="\xff"\r\n\r\na\r\n--x--\r\n'
    )
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    status, problem = service.raw(body, kind=kind)
    assert (status, problem["code"]) == (400, "bad_form")
    assert log.errors == []
