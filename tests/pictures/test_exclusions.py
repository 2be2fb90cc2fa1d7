"""What somebody has looked at and does not want is left out by to_rgb, with the reason."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from stages import checks, split, to_rgb
from stages.errors import StudyError
from stages.pictures import exclusions
from stages.tables import read_table

SHA = "0123456789abcdef" * 4


@pytest.fixture
def pictures(study, list_raw):
    """Five cats and five dogs, no two near, each with a mark of its own."""
    for number in range(10):
        path = study / f"data/raw/{('Cat', 'Dog')[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.effect_noise((90, 90), 60).convert("RGB")
        pen = ImageDraw.Draw(picture)
        pen.rectangle((9 * number, 0, 9 * number + 30, 90 - 9 * number), "red")
        picture.save(path)
    list_raw()
    return study


def exclude(*lines: str) -> None:
    Path("data/exclude.csv").write_text("\n".join(["file,sha256,reason", *lines, ""]))


def ends() -> dict[str, tuple[str, str]]:
    rows = read_table("data/rgb/manifest.csv")
    return {row["raw"]: (row["status"], row["reason"]) for row in rows}


def sha256(raw: str) -> str:
    to_rgb.main()
    return next(r["sha256"] for r in read_table("data/rgb/manifest.csv") if r["raw"] == raw)


def test_a_picture_is_excluded_by_its_file_or_its_sha256_and_no_other_is(pictures):
    exclude("Cat/0.png,,a fox", f",{sha256('Dog/3.png')},someone's logo")
    to_rgb.main()
    excluded = {raw: reason for raw, (status, reason) in ends().items() if status == "excluded"}
    assert excluded == {"Cat/0.png": "a fox", "Dog/3.png": "someone's logo"}
    kept = [raw for raw, (status, _) in ends().items() if status == "kept"]
    files = sorted(p.relative_to("data/rgb").as_posix() for p in Path("data/rgb").glob("*/*"))
    assert files == kept
    assert len(kept) == 8
    counts = json.loads(Path("reports/to_rgb.json").read_text())
    assert (counts["found"], counts["kept"], counts["excluded"]) == (10, 8, 2)
    split.main()
    assert [row["file"] for row in read_table("data/split.csv")] == kept


def test_a_sha256_follows_a_picture_to_another_name_and_not_the_name_to_another_picture(pictures):
    exclude(f"Cat/0.png,{sha256('Cat/0.png')},a fox")
    raw = pictures / "data/raw/Cat"
    (raw / "0.png").rename(raw / "renamed.png")
    shutil.copy(raw / "2.png", raw / "0.png")
    to_rgb.main()
    assert ends()["Cat/renamed.png"] == ("excluded", "a fox")
    assert ends()["Cat/0.png"] == ("kept", "")


def test_a_line_of_the_flagged_list_is_a_line_of_the_exclusions(pictures, list_raw):
    Image.new("RGB", (90, 90), "white").save(pictures / "data/raw/Cat/blank, really.png")
    list_raw()
    to_rgb.main()
    checks.main()
    Path("data/exclude.csv").write_bytes(Path("reports/flagged.csv").read_bytes())
    to_rgb.main()
    excluded = [raw for raw, (status, _) in ends().items() if status == "excluded"]
    assert excluded == ["Cat/blank, really.png"]
    checks.main()
    assert read_table("reports/flagged.csv") == []


def test_lines_that_name_no_picture_are_counted_and_the_first_is_printed(pictures, capsys):
    exclude("Cat/0.png,,a fox", "Cat/gone.png,,was blank", f",{SHA},a logo")
    to_rgb.main()
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "to_rgb: data/exclude.csv: 2 of 3 lines name no picture that was found "
        "(first: line 3, Cat/gone.png)"
    ]
    assert json.loads(Path("reports/to_rgb.json").read_text())["exclusions_unmet"] == 2


def test_a_spreadsheets_file_is_read_too(pictures):
    text = "file,sha256,reason\r\ndata/raw/Cat/0.png,,Füchse\r\n,,\r\n"
    Path("data/exclude.csv").write_bytes(text.encode("utf-8-sig"))
    to_rgb.main()
    assert ends()["Cat/0.png"] == ("excluded", "Füchse")


def test_a_class_that_is_excluded_whole_is_named(pictures):
    exclude(*(f"Cat/{number}.png,,a fox" for number in range(0, 10, 2)))
    with pytest.raises(StudyError, match=r"^class Cat is left without .*Cat/0\.png: a fox"):
        to_rgb.main()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "starts with nothing; its first line is file,sha256,reason"),
        (b"name;why\n", "starts with name;why; its first line is file,sha256,reason"),
        (b"file,sha256,reason\nCat/a.png,blank\n", "line 2 has 2 columns, not file,sha256,reason"),
        (b"file,sha256,reason\nCat/a.png,,red, round\n", "line 2 has 4 columns"),
        (b"file,sha256,reason\n,,blank\n", "line 2 names no picture"),
        (b"file,sha256,reason\n\nCat/a.png,,\n", "line 3 gives no reason to exclude Cat/a.png"),
        (b"file,sha256,reason\n,0xAB,blank\n", "line 2 has the sha256 0xAB: it is 64 digits"),
        (b"file,sha256,reason\nCat/\xff.png,,blank\n", "cannot be read ('utf-8' codec"),
        (b'file,sha256,reason\n"Cat/a.png,,blank\n', "cannot be read (unexpected end of data)"),
    ],
)
def test_a_malformed_file_is_one_clear_line(study, content, said):
    path = study / "exclude.csv"
    path.write_bytes(content)
    with pytest.raises(StudyError) as error:
        exclusions.read(path)
    assert said in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_no_empty_one(study):
    with pytest.raises(StudyError, match=r"^data/exclude\.csv is missing: `git checkout data/ex"):
        exclusions.read()


def test_the_project_ships_no_exclusions_and_git_keeps_the_file(project):
    assert exclusions.read(project / "data/exclude.csv") == []


def test_the_how_to_does_what_it_says(pictures, list_raw, project):
    text = (project / "docs/exclude-pictures.md").read_text()
    table, command = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
    Image.new("RGB", (90, 90), "white").save(pictures / "data/raw/Cat/blank.png")
    Image.effect_noise((90, 90), 60).save(pictures / "data/raw/Dog/openmoji_hot-dog.png")
    list_raw()
    to_rgb.main()
    checks.main()
    Path("data/exclude.csv").write_text(table)
    subprocess.run(["sh", "-c", command], check=True)
    to_rgb.main()
    excluded = {raw: reason for raw, (status, reason) in ends().items() if status == "excluded"}
    assert excluded == {
        "Cat/blank.png": "blank on white and on black",
        "Dog/openmoji_hot-dog.png": "food",
    }


def line(number, file="", sha256="", reason="why"):
    return exclusions.Exclusion(number, file, sha256, reason)


def found_row(raw, sha256, status="kept"):
    return {"raw": raw, "sha256": sha256, "file": raw, "status": status, "reason": ""}


def test_a_picture_is_known_by_its_bytes_before_its_name_and_by_the_first_line_of_several():
    rows = [found_row("a.png", SHA), found_row("b.png", "other"), found_row("c.png", "third")]
    lines = [
        line(2, "a.png", reason="by name"),
        line(3, "a.png", SHA, "by bytes"),
        line(4, "b.png", reason="first"),
        line(5, "b.png", reason="second"),
        line(6, "c.png", "0" * 64, "other bytes"),
    ]
    marked, unmet = exclusions.apply(lines, rows)
    assert [(row["status"], row["reason"], row["file"]) for row in marked] == [
        ("excluded", "by bytes", ""),
        ("excluded", "first", ""),
        ("kept", "", "c.png"),
    ]
    assert [exclusion.line for exclusion in unmet] == [6]
    assert rows[0]["status"] == "kept", "the rows given are left as they are"


def test_a_file_is_read_with_spaces_capitals_and_empty_lines(study):
    path = study / "exclude.csv"
    path.write_text(f"file,sha256,reason\n\n a.png , {SHA.upper()} , a fox \n,,\ndata/raw/b,,c\n")
    assert exclusions.read(path) == [line(3, "a.png", SHA, "a fox"), line(5, "b", reason="c")]


@pytest.mark.parametrize("digits", ["0" * 63, "0" * 65, "0" * 63 + "g", "x" * 5000])
def test_what_is_no_sha256_is_said_in_a_short_line(study, digits):
    path = study / "exclude.csv"
    path.write_text(f"file,sha256,reason\na.png,{digits},why\n")
    with pytest.raises(StudyError, match="line 2 has the sha256") as error:
        exclusions.read(path)
    assert len(str(error.value)) < len(str(path)) + 150


def test_a_wrong_first_line_is_quoted_in_part(study):
    path = study / "exclude.csv"
    path.write_text("a" * 5000 + "\n")
    with pytest.raises(StudyError, match=r"starts with a{50,100}; its first line is"):
        exclusions.read(path)
