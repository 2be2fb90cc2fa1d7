"""The service on loopback: its routes, its limits, and how it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import numpy as np
import psutil
import pytest
import schemathesis
from prometheus_client.parser import text_string_to_metric_families
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.prediction.model import load
from app.prediction.pictures import square_of
from app.serve import chosen, words
from app.serving import connections
from app.serving.predictor import Work
from app.serving.running import CONNECTIONS
from app.serving.uploads import Limits
from stages.errors import StudyError
from tests.app.made_model import CARD, write_model
from tests.app.made_service import ENDLESS, Service, answered, png, served, until

ROOT = Path(__file__).parents[2]
MILLION = 1_000_000


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("model"), workers=2) as service:
        yield service


# ---- answers ------------------------------------------------------------------------------------


def test_a_body_is_one_picture_with_its_most_probable_classes_first(service):
    status, answer = service.raw(png("blue"))
    assert status == 200
    assert (answer["network"], answer["precision"]) == ("tiny_cnn", "float32")
    (picture,) = answer["pictures"]
    assert (picture["class"], picture["name"], picture["problem"]) == ("Blue", None, None)
    assert [guess["class"] for guess in picture["guesses"]] == ["Blue", "Red", "Green"]


def test_probabilities_are_those_of_the_network_alone(service, tmp_path):
    data = (ROOT / "docs/result.png").read_bytes()
    model = load(write_model(tmp_path, max_megapixels=9))
    expected = model.probabilities(square_of(data, model.card)[None])[0]
    guesses = service.raw(data)[1]["pictures"][0]["guesses"]
    found = {guess["class"]: guess["probability"] for guess in guesses}
    np.testing.assert_allclose([found[name] for name in CARD["classes"]], expected, atol=1e-6)


def test_a_bad_picture_is_one_item_of_its_batch_with_the_reason(service):
    files = {"a.png": png("red"), "b.png": b"<html>", "c.png": png("lime")[:60], "d": png("lime")}
    status, answer = service.form(files)
    assert status == 200
    first, html, cut, last = answer["pictures"]
    assert [first["class"], html["class"], cut["class"], last["class"]] == [
        *("Red", None, None, "Green")
    ]
    assert html["problem"]["code"] == "undecodable"
    assert html["problem"]["detail"] == "a web page, not a picture"
    assert cut["problem"]["detail"] == "truncated PNG"
    assert "PNG or JPEG" in cut["problem"]["remedy"]
    assert (html["guesses"], last["problem"]) == ([], None)


def test_names_come_back_as_they_were(service):
    names = ["猫.png", "a b.png", "../../etc/passwd"]
    answer = service.form({name: png("red") for name in names})[1]
    assert [picture["name"] for picture in answer["pictures"]] == names


def test_a_body_that_is_no_picture_is_refused_with_the_reason(service):
    status, problem = service.raw(b"\x00\x01")
    assert (status, problem["code"]) == (422, "undecodable")
    assert problem["detail"].startswith("unknown format")


def test_so_many_guesses_as_asked_for(service):
    guesses = service.raw(png("blue"), "?top=1")[1]["pictures"][0]["guesses"]
    assert [guess["class"] for guess in guesses] == ["Blue"]
    assert service.raw(png("blue"), "?top=4")[0] == 422


def test_none_of_these_where_the_network_is_less_sure_than_asked_for(service):
    grey = png("#808080")  # a third each
    assert service.raw(grey)[1]["pictures"][0]["class"] == "Red"
    (unsure,) = service.raw(grey, "?max_error=0.05")[1]["pictures"]
    assert (unsure["class"], len(unsure["guesses"]), unsure["problem"]) == (None, 3, None)
    assert service.raw(png("blue"), "?max_error=0.05")[1]["pictures"][0]["class"] == "Blue"


def test_a_share_of_errors_without_a_threshold_names_those_that_have_one(service):
    status, problem = service.raw(png("blue"), "?max_error=0.02")
    assert (status, problem["remedy"]) == (422, "take one of these: 0.01, 0.05, 0.1")


def test_a_share_of_errors_that_no_confidence_reaches_has_no_threshold(small):
    status, problem = small.raw(png("blue"), "?max_error=0.01")
    assert (status, problem["remedy"]) == (422, "take one of these: 0.1")


def test_metadata_is_the_card_and_the_limits(service):
    status, answer = service.get("/metadata")
    assert status == 200
    assert answer["model"] == CARD
    assert answer["limits"]["megapixels"] == CARD["max_megapixels"]
    assert answer["limits"]["body_bytes"] == 20 * MILLION


def test_metrics_count_requests_and_pictures_by_what_became_of_them(service):
    names = {
        "classified": 'vitoon_pictures_total{outcome="classified"}',
        "undecodable": 'vitoon_pictures_total{outcome="undecodable"}',
        "requests": 'vitoon_requests_total{route="/predict",status="200"}',
        "other": 'vitoon_requests_total{route="other",status="404"}',
        "times": 'vitoon_request_seconds_count{route="/predict"}',
    }
    before = {name: service.counted(line) for name, line in names.items()}
    service.form({"a": png("red"), "b": png("blue"), "c": b"GIF89a"})
    service.get("/of/somebody")
    after = {name: service.counted(line) for name, line in names.items()}
    assert {name: after[name] - before[name] for name in names} == {
        "classified": 2,
        "undecodable": 1,
        "requests": 1,
        "other": 1,
        "times": 1,
    }
    assert service.counted("vitoon_pictures_waiting") == 0
    families = list(text_string_to_metric_families(service.text("/metrics")))
    assert "process_resident_memory_bytes" in {family.name for family in families}


# ---- what it says of itself ---------------------------------------------------------------------


def test_what_the_description_allows_is_answered_as_described(service):
    """By schemathesis: statuses, types and schemas of the answers, for right and wrong requests."""
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    assert set(schema) == {"/predict", "/healthz", "/metadata", "/metrics"}
    for operation in schema.get_all_operations():
        ask(operation.ok())


def ask(operation) -> None:
    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(max_examples=15, deadline=None, database=None)
    def answered_as_described(case) -> None:
        # No schema says which bytes are a picture.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    answered_as_described()


def test_nothing_is_loaded_from_elsewhere(service):
    assert service.get("/docs")[0] == service.get("/redoc")[0] == 404


def test_an_unknown_path_or_method_is_a_problem_too(service):
    status, problem = service.get("/predict")
    assert (status, problem["title"]) == (405, "Method Not Allowed")
    assert problem["code"] == "method_not_allowed"
    assert "/openapi.json" in problem["remedy"]


# ---- limits -------------------------------------------------------------------------------------

SMALL = Limits(body_bytes=50_000, body_seconds=1, all_bytes=120_000, requests=6, pictures=3)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Limits that are reached soon; a picture may take a second."""
    folder = tmp_path_factory.mktemp("small")
    work, thresholds = Work(waiting=3, seconds=20, threads=1), {"0.01": None, "0.1": 0.4}
    with served(folder, SMALL, work, seconds=1, thresholds=thresholds) as service:
        yield service


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(small):
    with small.begun(length=50_001) as connection:
        status, headers, problem = answered(connection)
    assert (status, problem["code"]) == (413, "body_too_large")
    assert headers["content-type"] == "application/problem+json"
    assert problem["detail"] == "a request may have 0.05 MB"


def test_a_body_that_does_not_say_so_is_refused_while_it_comes(small):
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n"
    with small.connected() as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"c350\r\n" + bytes(50_000) + b"\r\n1\r\n0\r\n")
        status, _, problem = answered(connection)
    assert (status, problem["code"]) == (413, "body_too_large")


def test_a_refused_client_that_sends_on_can_read_why(small):
    """And is not reset, while what it sends is little more than it may."""
    with small.begun(length=80_000) as connection:
        for _ in range(8):
            connection.sendall(bytes(10_000))
            time.sleep(0.02)
        status, headers, _ = answered(connection)
        assert (status, headers["connection"]) == (413, "close")
        assert connection.recv(1) == b""


@pytest.mark.parametrize("path", ["predict", "predict?top=99", "healthz", "nothing"])
def test_a_client_that_never_stops_is_stopped_once_it_is_answered(small, path):
    head = f"POST /{path} HTTP/1.1\r\nHost: a\r\nContent-Length: {10**12}\r\n\r\n"
    with small.connected() as connection:
        connection.sendall(head.encode())
        with pytest.raises(ConnectionError):
            send_for_ever(connection)


def send_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(bytes(10_000))


def test_a_body_that_stalls_is_refused_in_time_and_closed(small):
    started = time.monotonic()
    with small.begun(length=1000, sent=b"\x89PNG") as connection:
        status, headers, problem = answered(connection)
        assert (status, problem["code"]) == (408, "body_too_slow")
        assert 0.9 < time.monotonic() - started < 3
        assert headers["connection"] == "close"
        assert connection.recv(1) == b""


@pytest.mark.parametrize("sent", [b"", b"POST /pred", b"GET /healthz HTTP/1.1\r\nHost: a\r\n"])
def test_a_connection_that_says_too_little_is_closed(small, monkeypatch, sent):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with small.connected() as connection:
        connection.sendall(sent)
        assert connection.recv(1) == b""


def test_a_head_that_stalls_after_an_answer_is_closed_too(small, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with small.connected() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answered(connection)[0] == 200
        connection.sendall(b"GET /hea")
        assert connection.recv(1) == b""


def test_each_head_has_its_own_time(small, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.8)
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with small.connected() as connection:
        connection.sendall(head)
        assert answered(connection)[0] == 200
        time.sleep(0.6)
        connection.sendall(head[:9])
        time.sleep(0.4)
        connection.sendall(head[9:])
        assert answered(connection)[0] == 200


def test_more_pictures_than_a_request_may_have_are_refused(small):
    status, problem = small.form({str(n): png("red") for n in range(4)})
    assert (status, problem["code"]) == (400, "bad_form")
    assert "Maximum number of files is 3" in problem["detail"]


def test_a_picture_of_too_many_pixels_is_not_decoded(small):
    (picture,) = small.form({"a": png("red", side=1100)})[1]["pictures"]
    assert picture["problem"]["detail"] == "too large: 1100 x 1100, above 1 megapixels"


def test_requests_beyond_those_at_once_are_refused_at_once_and_others_routes_answer(small):
    stalled = [small.begun(length=1000) for _ in range(6)]
    until(lambda: small.counted("vitoon_requests_in_flight") == 7)  # with the one that asks
    started = time.monotonic()
    with small.begun(length=1000) as connection:
        status, headers, problem = answered(connection)
    assert (status, problem["code"], headers["retry-after"]) == (503, "overloaded", "1")
    assert time.monotonic() - started < 0.5
    assert small.get("/healthz") == (200, {"status": "ok"})
    for connection in stalled:
        connection.close()
    until(lambda: small.counted("vitoon_requests_in_flight") == 1)
    assert small.raw(png("red"))[0] == 200


def test_bodies_together_take_no_more_memory_than_they_may(small):
    """Two stalled ones of 45 kB each leave no room for a third."""
    stalled = [small.begun(length=45_001, sent=bytes(45_000)) for _ in range(2)]
    until(lambda: small.counted("vitoon_requests_in_flight") == 3)
    status, problem = small.raw(bytes(45_000))
    assert (status, problem["code"]) == (503, "overloaded")
    assert "memory" in problem["detail"]
    for connection in stalled:
        connection.close()


def test_a_picture_that_never_ends_is_ended_and_the_next_ones_are_answered(small):
    (endless,) = small.form({"a.svg": ENDLESS})[1]["pictures"]
    assert endless["problem"]["code"] == "decoder_ended"
    assert "more than 1 s of the processor" in endless["problem"]["detail"]
    assert small.form({"a": png("red")})[1]["pictures"][0]["class"] == "Red"


def test_pictures_that_would_wait_too_long_are_refused_at_once(small):
    with small.begun(length=len(ENDLESS), sent=ENDLESS) as slow:
        until(lambda: small.counted("vitoon_pictures_waiting") == 1)
        started = time.monotonic()
        status, problem = small.form({str(n): png("red") for n in range(3)})
        assert (status, problem["code"]) == (503, "overloaded")
        assert time.monotonic() - started < 0.5
        assert answered(slow)[0] == 422  # the same picture alone


def test_an_answer_that_takes_too_long_is_given_up(tmp_path):
    with served(tmp_path, work=Work(seconds=0.3, threads=1), seconds=1) as service:
        status, problem = service.raw(ENDLESS)
        assert (status, problem["detail"]) == (503, "no answer within 0.3 s")
        until(lambda: service.raw(png("red"))[0] == 200)  # when its decoder has ended


def test_a_decoder_that_somebody_kills_is_replaced(service):
    children = psutil.Process().children(recursive=True)
    decoders = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    assert len(decoders) >= 2
    for decoder in decoders:
        decoder.kill()
    until(lambda: not any(decoder.is_running() for decoder in decoders))
    answer = service.form({name: png("red") for name in "abcd"})[1]
    assert [picture["class"] for picture in answer["pictures"]] == ["Red"] * 4


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # Starlette's, of such a part
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_form_that_breaks_off_is_not_answered_as_if_it_were_whole(service):
    head = b'--x\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
    one, kind = head + png("red") + b"\r\n", "multipart/form-data; boundary=x"
    for rest in (b"", one[:90], one, b"--x\r\n", b"--x"):
        status, problem = service.raw(one + rest, kind=kind)
        assert (status, problem["code"]) == (400, "bad_form")
    for end in (b"--x--", b"--x--\r\n", b"--x--\r\nno part"):
        status, answer = service.raw(one + one + end, kind=kind)
        assert (status, len(answer["pictures"])) == (200, 2)


def test_what_is_no_form_of_pictures_is_refused_with_what_would_be_one(service):
    boundary = "multipart/form-data; boundary=x"
    part = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\na\r\n--x--\r\n'
    for body in (
        b"",
        b"--x",
        part.format("pictures", "").encode(),  # a field without a file
        part.format("others", '; filename="a"').encode(),
    ):
        status, problem = service.raw(body, kind=boundary)
        assert (status, problem["code"]) == (400, "bad_form")
        assert "'pictures' with a file name" in problem["remedy"]
    assert service.raw(b"", kind="multipart/form-data")[0] == 400
    status, problem = service.raw(png("red"), kind="application/x-www-form-urlencoded")
    assert (status, problem["code"]) == (415, "not_pictures")


# ---- the command --------------------------------------------------------------------------------


def started(folder: Path) -> tuple[subprocess.Popen, Service]:
    model = str(write_model(folder))
    process = subprocess.Popen(
        [sys.executable, "-m", "app.serve", "--port", "0", "--workers", "1", "--model", model],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    place = re.search(r"answers at http://([\d.]+):(\d+)$", process.stdout.readline())
    assert place, process.communicate(timeout=10)
    return process, Service(place[1], int(place[2]))


ILL_FORMED = b"""POST /predict HTTP/1.1\r
Host: a\r
Content-Type: multipart/form-data; boundary=x\r
Content-Length: 3\r
\r
--y"""


def test_asked_to_end_it_answers_what_has_begun_and_takes_no_more(tmp_path):
    process, service = started(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    for nonsense in (b"nonsense\r\n\r\n", ILL_FORMED):
        with service.connected() as connection:
            connection.sendall(nonsense)
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    data = png("blue")
    with service.begun(len(data), data[:30]) as connection:
        until(lambda: service.counted("vitoon_requests_in_flight") == 2)
        process.send_signal(signal.SIGTERM)
        until(lambda: refused(service))
        connection.sendall(data[30:])
        status, _, answer = answered(connection)
    assert (status, answer["pictures"][0]["class"]) == (200, "Blue")
    assert process.wait(10) == -signal.SIGTERM
    assert process.communicate(timeout=10) == ("", "")  # no stranger writes into the log
    psutil.wait_procs(children, 5)
    assert not [child for child in children if child.is_running()]


def refused(service: Service) -> bool:
    try:
        service.connected().close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_best_network_of_the_study_is_served(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good, better = {"accuracy": 0.8, "log_loss": 0.1}, {"accuracy": 0.9, "log_loss": 0.1}
    write_model(tmp_path / "models/a/export", network="a", validation=good)
    write_model(tmp_path / "models/b/export", network="b", validation=better)
    assert chosen(None, "int8") == Path("models/b/export/int8.onnx")
    assert chosen("a", "float32") == Path("models/a/export/float32.onnx")
    with pytest.raises(StudyError, match="c is no file, and no network of models/: b, a"):
        chosen("c", "float32")


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        model = str(write_model(tmp_path))
        command = [sys.executable, "-m", "app.serve", "--model", model, "--port", port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"app.serve: cannot listen at 127.0.0.1:{port} \(.+\): .+\n", done.stderr)


# ---- the page -----------------------------------------------------------------------------------


def test_the_commands_of_the_page_are_answered_as_it_says(service, tmp_path):
    """Of docs/serve.md, with two drawn pictures and the port of this service."""
    (tmp_path / "cat.png").write_bytes(png("red"))
    (tmp_path / "dog.jpg").write_bytes(png("blue"))
    page = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"```sh\n(.+?)```", page, re.S)
    lines = commands.replace("localhost:8000", f"{service.host}:{service.port}").splitlines()
    said = [
        subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, check=True).stdout
        for line in lines
    ]
    two, raw, unsure, metadata, health, metrics, described = said
    assert [one["class"] for one in json.loads(two)["pictures"]] == ["Red", "Blue"]
    assert json.loads(raw)["pictures"][0]["class"] == "Red"
    assert len(json.loads(unsure)["pictures"][0]["guesses"]) == 1
    assert json.loads(metadata).keys() == {"model", "limits"}
    assert json.loads(health) == {"status": "ok"}
    assert b"vitoon_pictures_total" in metrics
    assert set(json.loads(described)["paths"]) >= {"/predict", "/metrics"}
    example = json.loads(re.search(r"```json\n(.+?)```", page, re.S)[1])
    assert example.keys() == json.loads(two).keys()
    assert example["pictures"][0].keys() == json.loads(two)["pictures"][0].keys()


def test_the_limits_of_the_page_are_those_of_the_program():
    page = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
    said = re.findall(r"\| (\d+)(?: MB| s)? \| `(--[\w-]+)`", page)
    options = {option: int(value) for value, option in said}
    assert len(options) == 6
    for option, value in options.items():
        assert words().get_default(option[2:].replace("-", "_")) == value
    defaults = words().parse_args([])
    assert defaults.max_requests * CONNECTIONS == 1024
    assert Limits().all_bytes == 256 * MILLION
