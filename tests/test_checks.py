"""Contact sheets, and the list of pictures that look wrong: all are shown, none is taken away."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stages import checks, to_rgb
from stages.pictures import contact_sheets
from stages.pictures.contact_sheets import Cell
from stages.tables import read_table

RED = (176, 0, 32)


def drawn(seed: int, side: int = 120) -> Image.Image:
    """Blots at places of their own on nothing: no two seeds are near."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, radius = rng.integers(0, side, 3)
        colour = (*map(int, rng.integers(0, 200, 3)), 255)
        pen.ellipse((int(x - radius / 4), int(y - radius / 4), int(x), int(y)), colour)
    return picture


@pytest.fixture
def put(study):
    def write(file: str, picture: Image.Image) -> None:
        path = study / "data/raw" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)

    return write


@pytest.fixture
def check(study, list_raw):
    """Run to_rgb and checks; what is flagged, by file."""

    def run() -> dict[str, str]:
        list_raw()
        to_rgb.main()
        checks.main()
        return {row["file"]: row["reason"] for row in read_table("reports/flagged.csv")}

    return run


def test_each_fault_is_listed_with_its_reason_and_no_picture_is_removed(put, check):
    white = Image.new("RGBA", (100, 100))
    ImageDraw.Draw(white).ellipse((20, 20, 80, 80), "white")
    put("Cat/good.png", drawn(0))
    put("Cat/nothing.png", Image.new("RGBA", (100, 100)))
    put("Cat/grey.png", Image.new("RGB", (100, 100), (120, 121, 122)))
    put("Cat/white on nothing.png", white)
    put("Cat/small.png", drawn(1).resize((80, 63)))
    put("Cat/narrow.png", drawn(2).resize((300, 104)))
    put("Cat/at the limits.png", drawn(3).resize((64, 182)))
    assert check() == {
        "Cat/nothing.png": "blank on white and on black",
        "Cat/grey.png": "blank on white and on black",
        "Cat/white on nothing.png": "not to be seen on rgb.background #ffffff",
        "Cat/small.png": "small: 80 x 63, a side below 64",
        "Cat/narrow.png": "narrow: 300 x 104, sides in a ratio below 0.35",
    }
    assert {row["status"] for row in read_table("data/rgb/manifest.csv")} == {"kept"}
    assert json.loads(Path("reports/checks.json").read_text()) == {
        **{"pictures": 7, "flagged": 5, "blank": 2, "invisible": 1},
        **{"small": 1, "narrow": 1, "near_duplicate": 0},
    }


def test_a_picture_with_two_faults_is_one_line(put, check):
    put("Cat/good.png", drawn(0))
    put("Cat/line.png", Image.new("RGB", (100, 1), "white"))
    reasons = check()["Cat/line.png"].split("; ")
    assert [reason.split(" ")[0].rstrip(":") for reason in reasons] == ["blank", "small", "narrow"]


def test_near_duplicates_are_listed_across_classes_mirrored_too_and_not_within(put, check):
    put("Cat/a.png", drawn(0))
    put("Cat/b.png", drawn(0).resize((240, 240)))
    put("Cat/c.png", drawn(1))
    put("Dog/a.png", drawn(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    put("Dog/b.png", drawn(2))
    assert check() == {
        "Cat/a.png": "near duplicate of Dog/a.png",
        "Cat/b.png": "near duplicate of Dog/a.png",
        "Dog/a.png": "near duplicate of Cat/a.png and 1 more",
    }


def test_the_list_can_be_read_against_the_pictures(put, check):
    put("Cat/a.png", drawn(0))
    put("Cat/b.png", Image.new("RGB", (99, 99)))
    check()
    (row,) = read_table("reports/flagged.csv")
    known = {r["raw"]: r["sha256"] for r in read_table("data/rgb/manifest.csv")}
    assert row["sha256"] == known["Cat/b.png"]


def test_every_class_has_a_sheet_on_which_each_picture_is_seen(put, check):
    colours = {"a": "red", "b": "lime", "c": "blue"}
    for name, colour in colours.items():
        put(f"Cat/{name}.png", Image.new("RGB", (100, 100), colour))
    put("Dog house/a.png", drawn(0))
    check()
    sheets = Path("reports/contact_sheets")
    assert sorted(path.name for path in sheets.iterdir()) == ["Cat.jpg", "Dog house.jpg"]
    with Image.open(sheets / "Cat.jpg") as sheet:
        places = [(10 + i * contact_sheets.CELL[0] + 52, 92) for i in range(3)]
        seen = np.array([sheet.getpixel(place) for place in places], int)
    assert abs(seen - np.diag([255] * 3)).max() < 12


def test_a_second_run_gives_the_same_bytes_and_leaves_no_old_sheet(put, check):
    for number in range(12):
        put(f"Cat/{number}.png", drawn(number))
    check()
    first = {path: path.read_bytes() for path in Path("reports").rglob("*") if path.is_file()}
    Path("reports/contact_sheets/Old.jpg").write_bytes(b"of a class that was")
    check()
    assert first == {p: p.read_bytes() for p in Path("reports").rglob("*") if p.is_file()}


def cells(count: int, faulty: range = range(0)) -> list[Cell]:
    return [Cell(str(n), f"set_a-name-{n}", "blank" if n in faulty else "") for n in range(count)]


def test_of_a_large_class_the_suspect_and_some_from_all_along_are_shown():
    shown = checks.chosen(cells(10_000, range(9990, 10_000)))
    assert len(shown) == 400
    assert [int(cell.file) for cell in shown[:10]] == list(range(9990, 10_000))
    others = [int(cell.file) for cell in shown[10:]]
    assert others == sorted(set(others))
    assert np.diff([*others, 9990]).max() <= 26


def test_of_a_small_class_all_are_shown_the_suspect_first():
    shown = [int(cell.file) for cell in checks.chosen(cells(400, range(5, 7)))]
    assert shown == [5, 6, *range(5), *range(7, 400)]


def test_a_page_of_a_hundred_loud_pictures_is_small_enough_to_send():
    def noise(file: str) -> Image.Image:
        rng = np.random.default_rng(int(file))
        return Image.fromarray(rng.integers(0, 256, (300, 200, 3), np.uint8))

    made = contact_sheets.pages("Cat", cells(130), 130, noise)
    assert [len(page) <= 300_000 for page in made] == [True, True]
    assert Image.open(io.BytesIO(made[0])).height > Image.open(io.BytesIO(made[1])).height


def test_only_the_suspect_are_framed():
    (page,) = contact_sheets.pages("Cat", cells(3, range(1, 2)), 3, lambda file: drawn(int(file)))
    sheet = np.array(Image.open(io.BytesIO(page)), int)
    edges = [sheet[92, 8 + i * contact_sheets.CELL[0]] for i in range(3)]
    assert [bool(abs(edge - RED).max() < 30) for edge in edges] == [False, True, False]


def test_names_are_cut_after_hyphens_and_a_rest_is_marked():
    assert contact_sheets._wrapped("emojione-v1_front-facing-baby-chick", 3) == [
        *("emojione-v1_front-", "facing-baby-chick")
    ]
    assert contact_sheets._wrapped("a" * 99, 1)[0].endswith("a…")
    assert len(contact_sheets._wrapped("a" * 99, 1)[0]) < 20
    assert contact_sheets._wrapped("", 2) == []
