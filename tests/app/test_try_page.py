"""The page that runs a network itself, opened as a file, with no network at all."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from app import try_page
from app.demonstration import pages, runtime
from app.prediction import model
from app.prediction.pictures import square_of
from stages.errors import StudyError
from tests.app.made_model import CARD, write_model
from tests.app.seen import Visit, png
from tests.chromium import needs_chromium

BAD = {
    "text.png": (b"no picture", "text.png is no picture that this browser can read."),
    "large.png": (bytes(20_600_000), "The file has 21 MB, allowed are 20."),
    "wide.png": (png(size=(2000, 1000)), "The picture has 2 megapixels, allowed"),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two exported networks, the better one with its page."""
    try:
        runtime.runtime()
    except StudyError as error:
        if "could not be fetched" in str(error):
            pytest.skip(str(error))
        raise
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        worse = {"pictures": 20, "accuracy": 0.8, "log_loss": 0.3}
        for name, changes in (("tiny_vit", {"validation": worse}), ("tiny_cnn", {})):
            file = write_model(folder / "models" / name / "export", network=name, **changes)
            file.rename(file.with_name("int8.onnx"))
        assert try_page.main(None, try_page.PAGE).startswith("Tiny CNN in ")
        yield folder


@pytest.fixture(scope="module")
def opened(browser, study):
    """Call it with a width and a colour scheme: the page as a visit, its network loaded."""
    visits = {}

    def visit(width=1280, scheme="light"):
        if (width, scheme) not in visits:
            size = {"width": width, "height": 800}
            context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
            visits[width, scheme] = visit = Visit(context.new_page())
            visit.page.goto((study / try_page.PAGE).as_uri())
            visit.wait_for("The network is ready.")
        return visits[width, scheme]

    yield visit
    for visit in visits.values():
        visit.page.context.close()


def shares(page) -> dict[str, float]:
    """What the page shows: percent by class."""
    rows = [row.split("\t") for row in page.locator("article tr").all_inner_texts()]
    return {words[0].strip(): float(words[-1].strip("<>% ")) for words in rows}


@needs_chromium
@pytest.mark.parametrize("way", ["give", "drop", "paste"])
def test_a_picture_gets_the_answer_of_the_network(opened, study, way):
    visit, data = opened(), png("#c08020")
    getattr(visit, way)(data)
    visit.wait_for("Tiny CNN: Red")
    expected = model.load(study / "models/tiny_cnn/export/int8.onnx").probabilities(
        square_of(data, CARD)[None]
    )[0]
    assert shares(visit.page) == pytest.approx(
        dict(zip(CARD["classes"], 100 * expected, strict=True)), abs=0.06
    )
    assert [url for url in visit.asked if not url.startswith(("file:", "blob:", "data:"))] == []
    assert visit.said == []


@needs_chromium
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_gets_a_sentence_and_the_next_one_an_answer(opened, name, tmp_path):
    visit = opened()
    data, sentence = BAD[name]
    (tmp_path / name).write_bytes(data)
    visit.page.set_input_files("#file", tmp_path / name)
    visit.wait_for(sentence)
    visit.give(png("#2030d0"))
    visit.wait_for("Tiny CNN: Blue")


@needs_chromium
def test_how_sure_the_network_is_is_said_in_terms_of_validation_pictures(opened):
    visit = opened()
    visit.give(png("#ff0000"))
    visit.page.get_by_text("at most 1 % were wrong").wait_for()
    visit.give(png("#808080"))
    visit.page.get_by_text("Not sure: take it as a guess.").wait_for()


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_is_open_to_everyone_at_every_width(opened, width, scheme):
    visit = opened(width, scheme)
    visit.give(png())
    visit.wait_for("Tiny CNN: Red")
    assert visit.width() <= width
    assert visit.faults() == []


@needs_chromium
def test_a_picture_is_chosen_by_keyboard(opened):
    page = opened().page
    page.evaluate("document.activeElement.blur(); getSelection().collapse(document.body, 0)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the answers"
    page.keyboard.press("Tab")
    page.bring_to_front()  # a page in the background opens no chooser
    page.wait_for_function("document.hasFocus()")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    assert not chooser.value.is_multiple()


@needs_chromium
def test_the_page_runs_no_script_but_its_own(opened):
    page = opened(390, "dark").page
    foreign = '<img src="data:," onerror="window.foreign = 1">'
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", foreign)
    page.wait_for_timeout(100)
    assert page.evaluate("window.foreign") is None


# ---- pre-processing ---------------------------------------------------------------------------


def noise(width: int, height: int, mode: str) -> bytes:
    """A smooth picture with something at every scale; RGBA has every transparency."""
    rng = np.random.default_rng([width, height])
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, len(mode)), np.uint8), mode)
    file = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def squares(browser):
    """Call it with a data URI and a card: the square that the page makes of it."""
    page = browser.new_page()
    page.add_script_tag(content=pages.scripts("square.js"))

    def square(uri: str, card: dict, drawing: bool = False) -> np.ndarray:
        found = page.evaluate(
            """async ([uri, card, drawing]) => {
              const picture = Object.assign(new Image(), {src: uri, isDrawing: drawing})
              await picture.decode()
              return [...square(picture, card)]
            }""",
            [uri, card, drawing],
        )
        return np.array(found, np.uint8).reshape(card["image_size"], card["image_size"], 3)

    yield square
    page.close()


@needs_chromium
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(
    ("width", "height"), [(60, 60), (33, 7), (7, 33), (1, 1), (128, 37), (64, 200), (3000, 1500)]
)
def test_the_browser_makes_the_square_that_the_study_makes(squares, width, height, mode):
    card = CARD | {"image_size": 24, "background": "#20c040", "max_megapixels": 10}
    data = noise(width, height, mode)
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    apart = np.abs(squares(uri, card).astype(int) - square_of(data, card))
    # A canvas composites in 8 bits with another rounding; Pillow's Lanczos counts in fixed point.
    assert apart.max() <= 2
    assert apart.mean() < 0.3


@needs_chromium
def test_a_drawing_is_drawn_as_large_as_the_study_draws_it(squares):
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="20" viewBox="0 0 10 20">'
        b'<rect width="10" height="10" fill="#c02040"/></svg>'
    )
    uri = f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode()}"
    apart = np.abs(squares(uri, CARD, drawing=True).astype(int) - square_of(drawing, CARD))
    assert apart.max() <= 2


# ---- the command ------------------------------------------------------------------------------


def test_a_network_that_is_not_exported_is_refused_with_those_that_are(study):
    with pytest.raises(
        StudyError, match=r"vit_b32 is no file, and no network of models/: tiny_cnn, tiny_vit"
    ):
        try_page.main("vit_b32", try_page.PAGE)


def test_the_same_network_gives_the_same_bytes(study, tmp_path):
    try_page.main("tiny_cnn", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (study / try_page.PAGE).read_bytes()
