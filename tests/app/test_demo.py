"""The demo as a process of its own, visited by a browser that reaches loopback alone."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from app import demo
from app.demonstration.fetching import LIMITS, fetched
from app.serving.refusals import RefusedError
from app.serving.sockets import listening
from stages.errors import StudyError
from stages.web import addresses
from stages.web.client import Client
from tests.app.made_model import write_model
from tests.app.seen import Visit, png
from tests.chromium import CHROMIUM, needs_chromium
from tests.web import image_server

CLASSES = ["Box", "Disc", "Wedge"]
FLAGS = (
    *("--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

pytestmark = [needs_chromium, pytest.mark.slow]  # beside the rest of the suite: a minute and more


@pytest.fixture(scope="module")
def study(tiny_study):
    """Exported networks, with Keras's weights as they should be, without, and with another's."""
    about = {"image_size": 32, "classes": CLASSES}
    worse = {"validation": {"pictures": 20, "accuracy": 0.8, "log_loss": 0.3}}
    cnn, vit = (tiny_study / "models" / name for name in ("tiny_cnn", "tiny_vit"))
    for folder in (cnn, vit):
        shutil.rmtree(folder / "export", ignore_errors=True)  # the study's own
    write_model(cnn / "export", **about)
    write_model(vit / "export", network="tiny_vit", title="Tiny ViT", **about, **worse)
    (vit / "finetune").rename(vit / "elsewhere")
    other = {"network": "tiny_other", "title": "Other", "image_size": 16, "classes": CLASSES}
    write_model(tiny_study / "models/tiny_other/export", **other, **worse)
    (tiny_study / "models/tiny_other/finetune").symlink_to(cnn / "finetune")
    return tiny_study


@pytest.fixture(scope="module")
def server(study):
    """Where it is. The pictures that it fetches may be on loopback."""
    env = os.environ | {addresses.SWITCH: "allow"}
    command = [sys.executable, "-m", "app.demo", "--port", "0"]
    with subprocess.Popen(
        command, cwd=study, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        line = process.stdout.readline()
        assert line.startswith("demo: http://127.0.0.1:"), line + process.stderr.read()
        yield line.split()[1]
        process.terminate()
        said = process.communicate(timeout=20)
    assert said == ("demo: ended\n", "")  # and no process of it holds the pipes


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, server):
    contexts = []

    def visit(width=1280, scheme="light", **options):
        size = {"width": width, "height": 800}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, **options))
        visit = Visit(contexts[-1].new_page())
        visit.page.goto(server)
        return visit

    yield visit
    for context in contexts:
        context.close()


def test_every_network_answers_and_heat_maps_follow_where_they_can(opened, server):
    visit = opened()
    visit.give(png("#c02020"))
    visit.wait_for("Tiny CNN: Box, 9")
    visit.wait_for("Tiny ViT: Box, 9")
    assert visit.page.locator("article .cost").all_inner_texts()[0].endswith(" ms")
    visit.page.get_by_text("models/tiny_vit/finetune is not here (`dvc pull` brings it)").wait_for()
    other = visit.page.get_by_text(
        "models/tiny_other/finetune is not the network that was exported"
    )
    other.wait_for(timeout=60_000)
    heat = visit.page.locator("article .heat:not([hidden]) img")
    heat.wait_for(timeout=60_000)  # TensorFlow starts
    assert heat.count() == 1
    assert heat.get_attribute("alt").startswith("Heat map: it looks ")
    assert heat.evaluate("image => image.naturalWidth") == 352
    assert [url for url in visit.asked if not url.startswith((server, "data:"))] == []
    assert visit.said == []


def test_the_better_network_stands_first(opened):
    titles = opened().page.locator("article h2").all_inner_texts()
    assert titles == ["Tiny CNN float32", "Other float32", "Tiny ViT float32"]


def test_an_example_of_each_class_is_taken_by_keyboard(opened):
    visit = opened()
    assert [
        image.get_attribute("alt") for image in visit.page.locator(".examples img").all()
    ] == CLASSES
    visit.page.focus("#by-address button")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    visit.wait_for("Tiny ViT: ")


def test_the_camera_gives_a_picture(opened):
    visit = opened()
    visit.page.click("#film")
    visit.page.locator("#camera[open]").wait_for()
    visit.page.keyboard.press("Enter")  # the first button of the dialog
    visit.wait_for("Tiny ViT: ")
    assert visit.page.locator("#camera[open]").count() == 0


def test_escape_closes_the_camera_and_asks_nothing(opened):
    visit = opened()
    visit.page.click("#film")
    visit.page.locator("#camera[open]").wait_for()
    visit.page.keyboard.press("Escape")
    visit.page.locator("#camera:not([open])").wait_for(state="attached")
    assert visit.page.evaluate("document.querySelector('#camera video').srcObject") is None
    assert visit.status().startswith("Give a picture")


def test_a_phone_is_offered_its_own_camera(opened):
    page = opened(390, has_touch=True, is_mobile=True).page
    if page.evaluate("matchMedia('(pointer: coarse)').matches"):
        assert page.locator("#shoot").is_visible()
    assert page.locator("#shot").get_attribute("capture") == "environment"


def test_an_address_is_fetched(opened):
    visit = opened()
    with image_server.running() as pictures:
        visit.page.fill("#address", f"{pictures.url}/elsewhere/good.png")
        visit.page.keyboard.press("Enter")
        visit.wait_for("Tiny ViT: ")
        visit.page.fill("#address", f"{pictures.url}/404.png")
        visit.page.keyboard.press("Enter")
        visit.wait_for("The address gives nothing: it answers 404 Not Found.")
        visit.page.fill("#address", f"{pictures.url}/html-named.jpg")
        visit.page.keyboard.press("Enter")
        visit.wait_for("This is no picture that can be read (a web page, not a picture).")


def test_an_address_that_is_not_public_is_refused():
    client = Client(LIMITS)
    for address in ("http://127.0.0.1:1/", "http://169.254.169.254/latest", "file:///etc/passwd"):
        with pytest.raises(RefusedError, match="the address gives nothing"):
            fetched(client, address)
    client.close()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"no picture at all", "This is no picture that can be read (unknown format, none of PNG,"),
        (png()[:60], "This is no picture that can be read (truncated PNG)."),
        (png(size=(2000, 1000)), "(too large: 2000 x 1000, above 1 megapixels)"),
        (bytes(20_600_000), "The file has 21 MB, allowed are 20."),
    ],
)
def test_a_bad_upload_gets_a_sentence_and_the_next_one_an_answer(opened, data, sentence, tmp_path):
    visit = opened()
    visit.give(png())
    visit.wait_for("Tiny ViT: Box")
    (tmp_path / "a.png").write_bytes(data)
    visit.page.set_input_files("#file", tmp_path / "a.png")
    visit.wait_for(sentence)
    assert visit.page.locator("article.answered").count() == 0  # of another picture
    visit.drop(png("#2020c0"))
    visit.wait_for("Tiny ViT: Wedge")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_is_open_to_everyone_at_every_width(opened, width, scheme):
    visit = opened(width, scheme)
    visit.paste(png())
    visit.wait_for("Tiny ViT: Box")
    assert visit.width() <= width
    assert visit.faults() == []


def test_nothing_is_stored(opened, study):
    def there():
        here = (path for path in study.rglob("*") if ".dvc" not in path.parts)
        return {*here, *Path(tempfile.gettempdir()).glob("tmp*.png")}

    before = there()
    visit = opened()
    visit.give(png("#20c020"))
    visit.wait_for("Tiny ViT: Disc")
    assert {path for path in there() - before if "__pycache__" not in path.parts} == set()
    assert visit.page.evaluate("document.cookie + JSON.stringify({...localStorage})") == "{}"


# ---- without a browser ------------------------------------------------------------------------


def ask(server: str, path: str, body: bytes | None = None, **headers: str):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=10)
    method = "GET" if body is None else "POST"
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, names)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def test_pages_of_other_sites_are_refused(server):
    own = f"http://{urlsplit(server).netloc}"
    kind = {"content_type": "application/octet-stream"}
    assert ask(server, "/picture", png(), origin=own, **kind)[0] == 200
    assert ask(server, "/picture", png(), origin="https://example.org", **kind)[0] == 403
    assert ask(server, "/picture", png(), origin="null", **kind)[0] == 403
    assert ask(server, "/", host="rebound.example.org")[0] == 403
    assert ask(server, "/", host="[broken")[0] == 403
    assert ask(server, "/", host="localhost")[0] == 200


def test_the_page_may_load_nothing_from_elsewhere_and_stand_in_no_frame(server):
    _, headers, _ = ask(server, "/")
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["script-src"].startswith("'sha256-")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_a_body_above_the_limit_is_refused(server):
    status, _, body = ask(server, "/picture", bytes(20_000_001), content_type="image/png")
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")


def test_it_listens_on_loopback_unless_told_otherwise(server):
    assert demo.words().get_default("host") == "127.0.0.1"
    with listening("127.0.0.1", 0) as place:
        assert place.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StudyError, match=f"cannot listen at 127.0.0.1:{port}"):
            listening("127.0.0.1", port)
