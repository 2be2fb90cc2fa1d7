"""The stage to_rgb, run on folders of pictures drawn here."""

import hashlib
import io
import json
import os

import pytest
from PIL import Image

from stages import to_rgb
from stages.errors import StudyError
from stages.pictures import conversions, images, isolation
from stages.tables import read_table

PINK = (255, 127, 127)


def put(study, file: str, picture: Image.Image | bytes, **options) -> None:
    path = study / "data/raw" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    else:
        picture.save(path, **options)


def square(mode: str = "RGB", colour: object = "red", side: int = 8) -> Image.Image:
    return Image.new(mode, (side, side), colour)


def rows() -> dict[str, dict]:
    return {row["raw"]: row for row in read_table("data/rgb/manifest.csv")}


def test_half_transparent_red_on_white_becomes_a_pink_file_and_a_row(study, list_raw):
    put(study, "Cat/a.png", square("RGBA", (255, 0, 0, 128)))
    list_raw()
    to_rgb.main()
    with Image.open("data/rgb/Cat/a.png") as picture:
        assert (picture.mode, picture.size, picture.getpixel((4, 4))) == ("RGB", (8, 8), PINK)
    digest = hashlib.sha256((study / "data/raw/Cat/a.png").read_bytes()).hexdigest()
    assert rows()["Cat/a.png"] == {
        **{"file": "Cat/a.png", "class": "Cat", "raw": "Cat/a.png", "status": "kept", "reason": ""},
        **{"mode": "RGBA", "format": "PNG", "width": "8", "height": "8", "sha256": digest},
        "image_url": "",
    }


def test_everything_found_is_kept_or_rejected_with_a_reason(study, list_raw):
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(whole, "JPEG")
    put(study, "Cat/a.jpg", whole.getvalue())
    put(study, "Cat/cut.jpg", whole.getvalue()[:600])
    put(study, "Cat/empty.png", b"")
    put(study, "Cat/page.jpg", b"<!doctype html><title>404</title>")
    put(study, "Cat/huge.png", Image.new("1", (8000, 7000)))
    put(study, "Cat/drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    (study / "data/raw/Cat/folder.png").mkdir()
    list_raw("Cat/gone.png")
    to_rgb.main()
    reasons = {row["raw"]: row["reason"] for row in rows().values()}
    assert reasons == {
        "Cat/a.jpg": "",
        "Cat/cut.jpg": "truncated JPEG",
        "Cat/drawing.svg": "damaged SVG: it says no size",
        "Cat/empty.png": "empty file",
        "Cat/folder.png": "not a file",
        "Cat/gone.png": "missing, though the manifest lists it",
        "Cat/huge.png": "too large: 8000 x 7000, above 50 megapixels",
        "Cat/page.jpg": "a web page, not a picture",
    }
    assert list(reasons) == sorted(reasons)
    assert json.loads((study / "reports/to_rgb.json").read_text()) == {
        **{"found": 8, "kept": 1, "rejected": 7, "excluded": 0, "modes": {"L": 1}},
        "exclusions_unmet": 0,
    }
    assert [p.name for p in (study / "data/rgb/Cat").iterdir()] == ["a.png"]


def test_the_modes_that_pictures_came_in_are_counted(study, list_raw):
    for number, mode in enumerate(["RGBA", "RGB", "P", "RGBA", "L", "LA", "1"]):
        put(study, f"Cat/{number}.png", Image.new(mode, (4, 4)))
    put(study, "Cat/7.jpg", Image.new("CMYK", (4, 4)))
    put(study, "Cat/8.png", Image.new("I;16", (4, 4)))
    list_raw()
    to_rgb.main()
    modes = json.loads((study / "reports/to_rgb.json").read_text())["modes"]
    assert modes == {"1": 1, "CMYK": 1, "I;16": 1, "L": 1, "LA": 1, "P": 1, "RGB": 1, "RGBA": 2}


def test_files_of_one_name_do_not_overwrite_each_other(study, list_raw):
    put(study, "Cat/a.png", square(colour="red"))
    put(study, "Cat/a.gif", square(colour="blue"))
    put(study, "Cat/a-2.png", square(colour="lime"))
    put(study, "Dog/a.png", square(colour="white"))
    list_raw()
    to_rgb.main()
    kept = {row["raw"]: row["file"] for row in rows().values()}
    assert len(set(kept.values())) == len(kept) == 4
    assert kept["Dog/a.png"] == "Dog/a.png"
    shown = {
        raw: Image.open(study / "data/rgb" / file).getpixel((0, 0)) for raw, file in kept.items()
    }
    assert shown == {
        **{"Cat/a.png": (255, 0, 0), "Cat/a.gif": (0, 0, 255)},
        **{"Cat/a-2.png": (0, 255, 0), "Dog/a.png": (255, 255, 255)},
    }


def test_names_that_differ_in_case_alone_stay_apart(study):
    manifest = [{"file": "Cat/A.png"}, {"file": "Cat/a.png"}]
    assert to_rgb.find(manifest) == {"Cat/A.png": "Cat/A.png", "Cat/a.png": "Cat/a-2.png"}


def test_a_large_picture_is_made_smaller(study, list_raw):
    put(study, "Cat/a.png", Image.new("RGB", (1024, 300)))
    list_raw()
    to_rgb.main()
    with Image.open("data/rgb/Cat/a.png") as picture:
        assert picture.size == (512, 150)
    assert (rows()["Cat/a.png"]["width"], rows()["Cat/a.png"]["height"]) == ("1024", "300")


def test_a_second_run_gives_the_same_bytes_and_leaves_nothing_old(study, list_raw):
    for number in range(5):
        put(study, f"Cat/{number}.png", Image.effect_noise((50, 40), number + 1))
    list_raw()

    def everything() -> dict[str, bytes]:
        made = [*(study / "data/rgb").rglob("*"), study / "reports/to_rgb.json"]
        return {str(path): path.read_bytes() for path in made if path.is_file()}

    to_rgb.main()
    first = everything()
    (study / "data/rgb/Cat/old.png").write_bytes(b"of an earlier run")
    to_rgb.main()
    assert everything() == first


def test_a_link_into_the_cache_is_replaced_and_not_written_through(study, list_raw):
    put(study, "Cat/a.png", square())
    list_raw()
    (study / "cache").write_bytes(b"cached by DVC")
    (study / "data/rgb/Cat").mkdir(parents=True)
    os.link(study / "cache", study / "data/rgb/Cat/a.png")
    to_rgb.main()
    assert (study / "cache").read_bytes() == b"cached by DVC"


def test_a_class_left_without_pictures_is_named_with_the_first_reason(study, list_raw):
    put(study, "Cat/a.png", square())
    put(study, "Dog/a.png", b"")
    list_raw()
    with pytest.raises(StudyError) as error:
        to_rgb.main()
    assert str(error.value) == (
        "class Dog is left without pictures (1 found and rejected or excluded, the first "
        "Dog/a.png: empty file): add search words in classes.Dog of params.yaml"
    )


def test_an_empty_class_folder_is_a_class_without_pictures(study, list_raw):
    put(study, "Cat/a.png", square())
    (study / "data/raw/Emu").mkdir()
    list_raw()
    with pytest.raises(StudyError, match=r"^class Emu is left without pictures \(0 found"):
        to_rgb.main()


def test_no_pictures_at_all(study, list_raw):
    (study / "data/raw").mkdir(parents=True)
    with pytest.raises(StudyError, match=r"data/raw/manifest.csv is missing: `dvc repro` makes it"):
        to_rgb.main()
    list_raw()
    with pytest.raises(StudyError, match="data/raw holds no pictures"):
        to_rgb.main()


def test_a_drawing_and_a_picture_of_a_phone_are_kept(study, list_raw):
    text = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 2"><path d="M0 0H4V2H0"/></svg>'
    put(study, "Cat/a.svg", text.encode())
    put(study, "Cat/b.heic", square(side=64), format="HEIF")
    list_raw()
    to_rgb.main()
    kept = rows()
    assert (study / "data/raw/Cat/a.svg").read_text() == text
    assert [(row["format"], row["width"], row["height"]) for row in kept.values()] == [
        ("SVG", "512", "256"),
        ("HEIF", "64", "64"),
    ]
    with Image.open("data/rgb/Cat/a.png") as picture:
        assert (picture.size, picture.getpixel((9, 9))) == ((512, 256), (0, 0, 0))


def test_what_a_library_says_of_a_picture_is_not_on_the_screen(study, list_raw, capfd):
    file = io.BytesIO()
    square().save(file, "TIFF", compression="tiff_lzw")
    entry = (259).to_bytes(2, "little") + b"\3\0\1\0\0\0"  # Compression
    assert file.getvalue().count(entry) == 1
    webp = file.getvalue().replace(entry + b"\5\0", entry + (50001).to_bytes(2, "little"))
    put(study, "Cat/a.png", square())
    put(study, "Cat/b.tif", webp)
    list_raw()
    to_rgb.main()
    assert rows()["Cat/b.tif"]["status"] == "rejected"
    assert "tempfile.tif" not in capfd.readouterr().err


def test_a_picture_whose_process_ends_is_a_row_with_its_reason(study, list_raw, monkeypatch):
    put(study, "Cat/a.png", square())
    put(study, "Cat/bad.png", square())
    list_raw()
    convert_all = isolation.on_all_cores  # a file that crashes every decoder is not at hand

    def with_a_crash(work, found):
        for raw, made in convert_all(work, found):
            yield raw, None if "bad" in raw else made

    monkeypatch.setattr(isolation, "on_all_cores", with_a_crash)
    to_rgb.main()
    row = rows()["Cat/bad.png"]
    assert (row["class"], row["status"]) == ("Cat", "rejected")
    assert row["reason"] == "its decoder crashed or took more than 60 s"


def test_a_full_disk_is_no_rejection(study, list_raw, monkeypatch):
    put(study, "Cat/a.png", square())

    def full(*_):
        raise OSError(28, "No space left on device")

    data = (study / "data/raw/Cat/a.png").read_bytes()
    monkeypatch.setattr(images, "as_png", full)
    with pytest.raises(OSError, match="No space left"):
        conversions.convert("Cat/a.png", data, to_rgb.load("rgb").rgb)
