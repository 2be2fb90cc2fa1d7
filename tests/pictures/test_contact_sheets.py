"""Contact sheets to the pixel: pages are looked at before they become JPEG."""

import io

import numpy as np
import pytest
from PIL import Image

from stages.pictures import contact_sheets
from stages.pictures.contact_sheets import Cell

GREEN, PAPER, ALARM = (0, 255, 0), (0xEC, 0xEF, 0xF1), (0xB0, 0, 0x20)


@pytest.fixture
def sheets(monkeypatch):
    """Pages as arrays (height, width, 3), without what JPEG does to edges; and their headings."""

    def as_png(page):
        file = io.BytesIO()
        page.save(file, "PNG")
        return file.getvalue()

    heads, real = [], contact_sheets._page
    monkeypatch.setattr(contact_sheets, "_jpeg", as_png)
    monkeypatch.setattr(
        contact_sheets, "_page", lambda *words: heads.append(words[0]) or real(*words)
    )

    def made(cells, total=None, size=(104, 104)):
        opened = lambda _: Image.new("RGB", size, GREEN)  # noqa: E731
        pages = contact_sheets.pages("Cat", cells, total or len(cells), opened)
        return [np.array(Image.open(io.BytesIO(page))).astype(int) for page in pages], heads

    return made


def cells(count, name="", fault=""):
    return [Cell(str(number), name, fault) for number in range(count)]


def places(page, colour):
    """Left, top, right and bottom (both inside) of all that has a colour."""
    rows, columns = np.nonzero((page == colour).all(axis=2))
    return columns.min(), rows.min(), columns.max(), rows.max()


def dark(page):
    return page.max(axis=2) < 128


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, [(203, 1150)]),
        (10, [(203, 1150)]),
        (11, [(356, 1150)]),
        (100, [(1580, 1150)]),
        (101, [(1580, 1150), (203, 1150)]),
    ],
)
def test_ten_pictures_stand_in_a_row_and_ten_rows_on_a_page(sheets, count, sizes):
    pages, _ = sheets(cells(count))
    assert [page.shape[:2] for page in pages] == sizes
    shown = sum((page == GREEN).all(axis=2).sum() for page in pages)
    assert shown == count * 104 * 104


def test_no_page_is_made_for_no_picture(sheets):
    assert sheets([], 5)[0] == []


def test_rows_and_columns_are_apart_by_their_gap_and_three_lines_of_text(sheets):
    (page,), _ = sheets(cells(12))
    (first,), _ = sheets(cells(1))
    assert places(first, GREEN) == (10, 40, 113, 143)
    green = (page == GREEN).all(axis=2)
    across = np.flatnonzero(np.diff(green[90].astype(int)))
    down = np.flatnonzero(np.diff(green[:, 60].astype(int)))
    assert across.tolist() == [edge for left in range(9, 1140, 114) for edge in (left, left + 104)]
    assert down.tolist() == [39, 143, 192, 296]
    assert green.any(axis=0)[:238].sum() == 2 * 104
    assert not green[200, 240:].any()


@pytest.mark.parametrize(
    ("size", "place"),
    [
        ((208, 104), (10, 66, 113, 117)),
        ((104, 208), (36, 40, 87, 143)),
        ((50, 30), (37, 77, 86, 106)),  # never larger than it is
        ((1000, 4), (10, 91, 113, 91)),  # a pixel at least
    ],
)
def test_a_picture_is_shown_whole_in_the_middle_of_its_square(sheets, size, place):
    (page,), _ = sheets(cells(1), size=size)
    assert places(page, GREEN) == place


def test_a_suspect_picture_has_a_red_frame_of_three_pixels_outside_it(sheets):
    (page,), _ = sheets(cells(1, fault="blank"), size=(400, 400))
    frame = (page[:147] == ALARM).all(axis=2)
    assert places(page[:147], ALARM) == (7, 37, 116, 146)
    assert (page[40:144, 10:114] == GREEN).all()
    assert frame[37:147, 7:10].all()
    assert frame[37:40, 7:117].all()


def test_the_heading_says_how_many_are_shown_of_how_many_and_how_many_are_suspect(sheets):
    _, heads = sheets(cells(3))
    assert heads.pop() == "Cat: 3 pictures"
    _, heads = sheets(cells(3), 1234)
    assert heads.pop() == "Cat: 3 of 1,234 pictures"
    _, heads = sheets([*cells(2), *cells(1, fault="blank")])
    assert heads.pop() == "Cat: 3 pictures, 1 of them suspect (red)"
    _, heads = sheets([*cells(100), *cells(99, fault="small")], 5000)
    suspect = "Cat: 199 of 5,000 pictures, 99 of them suspect (red)"
    assert heads == [f"{suspect} – page 1 of 2", f"{suspect} – page 2 of 2"]


def test_text_stands_above_and_below_its_picture_and_touches_no_other(sheets):
    long = "a-very-long-name_of-a-picture that nobody would give it and that goes on and on " * 3
    (page,), _ = sheets(cells(12, long, "not to be seen on rgb.background #ffffff " * 4))
    (free,), _ = sheets(cells(12))
    written = (page != free).any(axis=2)
    assert ((page == GREEN).all(axis=2) == (free == GREEN).all(axis=2)).all(), "none on a picture"
    assert dark(page)[8:37].any(), "the heading"
    assert not dark(page)[:8].any()
    for top in (40, 193):
        below = slice(top + 107, top + 104 + 3 + 3 * 13 + 3)
        assert written[below, 10:114].any()
        assert not written[below, 115:121].any(), "nothing between two columns"
    assert not written[40 + 153 - 4 : 40 + 153 - 3, 10:114].any(), "nothing between two rows"


def test_the_name_is_dark_and_the_fault_below_it_red(sheets):
    (page,), _ = sheets(cells(1, "name", "fault"))
    text = page[147:, 10:114]
    reddish = (text[..., 0] > text[..., 1] + 60) & (text[..., 0] > 100)
    lines = [np.flatnonzero(part.any(axis=1)) for part in (dark(text) & ~reddish, reddish)]
    assert lines[0].max() < lines[1].min()
    assert lines[1].min() - lines[0].min() in range(10, 16)
    (page,), _ = sheets(cells(1, "name"))
    assert (page[147:, 10:114].max(axis=2) < 128).any()


def test_a_name_has_three_lines_beside_a_fault_one():
    (name, fault) = ("name " * 60, "fault " * 60)
    assert [len(contact_sheets._wrapped(name, most)) for most in (1, 2, 3)] == [1, 2, 3]
    assert len(contact_sheets._wrapped(fault, 2)) == 2


@pytest.mark.parametrize(
    "text",
    ["a" * 200, "W" * 50, "i" * 300, "a-b_c d" * 30, "x " * 90, "-" * 90, "word " * 40 + "end"],
)
@pytest.mark.parametrize("most", [1, 2, 3])
def test_every_line_is_as_wide_as_a_picture_at_most_and_nothing_before_the_rest_is_lost(text, most):
    lines = contact_sheets._wrapped(text, most)
    assert 0 < len(lines) <= most
    assert max(map(contact_sheets._width, lines)) <= 104
    assert lines[-1].endswith("…")
    shown = "".join(lines)[:-1].replace(" ", "")
    assert text.replace(" ", "").startswith(shown)
    wide = min(map(contact_sheets._width, lines))
    assert wide > 104 / 2 - 12, "lines are filled, or cut in their second half"


def test_a_text_that_fits_is_one_line_and_has_no_mark():
    fitting = next(n for n in range(99, 0, -1) if contact_sheets._width("a" * n) <= 104)
    assert contact_sheets._wrapped("a" * fitting, 3) == ["a" * fitting]
    assert contact_sheets._wrapped("a" * (fitting + 1), 3) == ["a" * fitting, "a"]
    assert contact_sheets._wrapped("a-" + "b" * 40, 2)[0].startswith("a-bbb"), "too early a break"
    assert contact_sheets._wrapped("short-name", 3) == ["short-name"]
    assert contact_sheets._wrapped("one-break" + "-then" * 9, 1)[0].startswith("one-break-then")
    one_break = "a" * 12 + "-" + "b" * 20
    assert contact_sheets._wrapped(one_break, 3)[0] == "a" * 12 + "-"


def noise(strength, side=104):
    def opened(file):
        rng = np.random.default_rng(int(file))
        return Image.fromarray((128 + strength * rng.normal(size=(side, side, 3))).clip(0, 255)
                               .astype(np.uint8))  # fmt: skip

    return opened


def test_a_page_is_a_progressive_jpeg_of_the_best_quality_that_is_small_enough():
    sizes = {}
    for count in (5, 40, 100):
        (page,) = contact_sheets.pages("Cat", cells(count), count, noise(60))
        picture = Image.open(io.BytesIO(page))
        assert (picture.format, picture.info.get("progressive")) == ("JPEG", 1)
        sizes[count] = (len(page), picture.quantization[0][0])
    coarse = [sizes[count][1] for count in (5, 40, 100)]
    assert coarse[0] < coarse[1] < coarse[2]
    assert coarse[0] == 5, "quality 85"
    assert 200_000 < sizes[40][0] <= 300_000
    assert 200_000 < sizes[100][0] <= 300_000


def test_what_no_quality_makes_small_has_the_worst(monkeypatch):
    monkeypatch.setattr(contact_sheets, "BYTES", 1000)
    (page,) = contact_sheets.pages("Cat", cells(5), 5, noise(60))
    assert Image.open(io.BytesIO(page)).quantization[0][0] == 32, "quality 25"
