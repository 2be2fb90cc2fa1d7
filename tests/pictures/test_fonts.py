"""Which font draws which part of a text, and what is said where none can."""

from pathlib import Path

import matplotlib as mpl
import pytest

from stages.pictures import contact_sheets, fonts
from stages.pictures.contact_sheets import Cell
from stages.pictures.fonts import DEJAVU
from tests.made_font import make_font

BOXES = Path(mpl.get_data_path(), "fonts/ttf/LastResortHE-Regular.ttf")


def test_what_dejavu_has_looks_for_no_other_font(install):
    install()
    fonts._installed.cache_clear()
    assert fonts.runs("Éléphant Кошка قطة ✓ 12 %") == [(DEJAVU, "Éléphant Кошка قطة ✓ 12 %")]
    assert fonts._installed.cache_info().misses == 0


def test_a_word_is_drawn_in_a_font_that_has_all_of_it(install, tmp_path):
    some = make_font(tmp_path / "some.ttf", "猫", family="Noto Sans A")
    more = make_font(tmp_path / "more.ttf", "猫犬", family="Noto Sans B")
    install(some, more)
    assert fonts.runs("cat-猫 猫犬") == [
        (DEJAVU, "cat-"),
        (some, "猫"),
        (DEJAVU, " "),
        (more, "猫犬"),
    ]


def test_a_mark_stays_with_its_letter(install, tmp_path, capsys):
    install(make_font(tmp_path / "a.ttf", "ब"))
    assert fonts.runs("बि") == [(DEJAVU, "बि")]
    fonts.tell_missing("figures", "report")
    assert "no installed font has DEVANAGARI (बि): boxes in figures." in capsys.readouterr().err


def test_plain_sans_serifs_come_first(install, tmp_path):
    bold = make_font(tmp_path / "a.ttf", "猫", family="Noto Sans A", style="Bold")
    serif = make_font(tmp_path / "b.ttf", "猫", family="A Serif")
    plain = make_font(tmp_path / "c.ttf", "猫", family="Noto Sans Z")
    install(bold, serif, plain)
    assert fonts._installed() == [plain, bold, serif]


def test_fonts_that_draw_nothing_are_passed_over(install, tmp_path):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    some = make_font(tmp_path / "some.ttf", "猫")
    install(broken, BOXES, some)
    assert fonts._installed() == [some]


@pytest.mark.parametrize("unseen", ["\a", "\u200d", "\u200e", "\ufe0e"])
def test_a_font_need_not_have_what_is_not_seen(install, tmp_path, unseen):
    some = make_font(tmp_path / "some.ttf", "猫")
    install(some)
    assert fonts.font_of(f"猫{unseen}") == some


def test_missing_letters_are_one_line_with_what_to_install(install, capsys):
    install()
    fonts.tell_missing("figures", "report")
    fonts.runs("Cat 🐼猫")
    fonts.runs("한국어")
    fonts.tell_missing("figures", "report")
    assert capsys.readouterr().err == (
        "no installed font has CJK (猫), HANGUL (국 어 한), emoji and symbols (🐼): boxes in "
        "figures. Install one (Debian: fonts-noto-cjk, fonts-symbola), "
        "then `dvc repro -f -s report`\n"
    )


def test_a_contact_sheet_is_lettered_in_an_installed_font(install, tmp_path, monkeypatch):
    from PIL import Image

    def sheet():
        cells = [Cell("a.png", "猫 asleep", "near duplicate of 猫/b.png")]
        (page,) = contact_sheets.pages("猫", cells, 1, lambda file: Image.new("RGB", (9, 9)))
        return page

    install()
    without = sheet()
    install(make_font(tmp_path / "a.ttf", "猫"))
    assert sheet() != without


@pytest.mark.parametrize("name", ["बिल्ली" * 9, "猫" * 60, "👩\u200d🚀" * 20, "a" * 60])
def test_a_name_on_a_contact_sheet_is_cut_between_letters(install, name):
    install()
    lines = contact_sheets._wrapped(name, 2)
    assert len(lines) == 2
    letters = list(fonts.wcwidth.iter_graphemes(name))
    cut = len(list(fonts.wcwidth.iter_graphemes("".join(lines).removesuffix("…"))))
    assert "".join(lines) == "".join(letters[:cut]) + "…"
    assert all(contact_sheets._width(line) <= contact_sheets.SIDE for line in lines)
