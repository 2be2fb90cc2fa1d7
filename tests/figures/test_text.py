"""Text in figures: what fits, and whose fonts draw it."""

import re

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.figures import Figure, Panel
from stages.figures.drawing import render
from stages.figures.text import columns, fitting, shortened
from tests.made_font import make_font


def test_wide_letters_are_two_columns_and_marks_none():
    assert [columns(text) for text in ("Cat", "猫", "e\u0301", "ल्", "🐱")] == [3, 2, 1, 1, 2]


@given(st.text(max_size=30), st.integers(4, 20))
def test_what_is_shortened_fits(text, fits):
    assert columns(shortened(text, fits)) <= fits


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_latin_is_shortened_by_its_letters(text):
    assert shortened(text, 9) == (text if len(text) <= 9 else f"{text[:8].rstrip()}…")


def test_half_as_many_wide_letters_fit():
    assert (fitting("猫" * 40, 113), fitting("a" * 40, 113)) == ("猫" * 9 + "…", "a" * 19 + "…")


def drawn(folder, title="猫 🐼"):
    """The page's SVG and the slide's PNG of a figure with a title in bold and a plain text."""
    panel = Panel(title, 330, 100, lambda canvas: canvas.text(0.1, 0.3, f"{title} plain"))
    (svg,) = render(Figure("A figure", "", "", [panel], [], []), "a", folder)
    with Image.open(folder / "png/a.png") as picture:
        return svg, (folder / "svg/a.svg").read_bytes(), picture.convert("L").tobytes()


def test_letters_without_a_font_are_boxes_and_no_warnings(install, tmp_path, capfd):
    install()
    drawn(tmp_path)  # warnings are errors here
    assert capfd.readouterr() == ("", "")


def test_an_installed_font_draws_the_pixels_and_nothing_else_changes(install, tmp_path, capfd):
    install()
    svg, static, pixels = drawn(tmp_path)
    install(make_font(tmp_path / "a.ttf", "猫🐼"))
    assert drawn(tmp_path)[:2] == (svg, static)
    assert drawn(tmp_path)[2] != pixels
    assert capfd.readouterr() == ("", "")
    assert re.findall("(?<=>)猫 🐼[^<]*(?=</text>)", svg) == ["猫 🐼", "猫 🐼 plain"]


def test_latin_is_the_same_whatever_fonts_there_are(install, tmp_path):
    install()
    before = drawn(tmp_path, "Éléphant")
    install(make_font(tmp_path / "a.ttf", "猫Elphant"))
    assert drawn(tmp_path, "Éléphant") == before


def test_a_title_longer_than_its_panel_is_cut(install, tmp_path):
    install()
    svg, *_ = drawn(tmp_path, "W" * 60)
    assert re.findall("W+…", svg) == ["W" * 50 + "…"]
