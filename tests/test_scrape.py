"""Stage 1 as a whole, from a folder of pictures; and what it does with repeats."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from stages import scrape, sources
from stages.errors import StudyError
from stages.params import Class, load
from stages.sources import folder
from stages.sources.selection import settled
from stages.tables import read_table
from tests import made_params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path, monkeypatch, content):
    """An empty project whose pictures lie in `album`, with two classes."""
    content["classes"] = {name: {"search": [name], "exclude": []} for name in ("Cat", "Dog")}
    content["scrape"] |= {"source": "folder", "folder": "album", "per_class": 3}
    content["scrape"]["allow_incomplete"] = True
    monkeypatch.chdir(tmp_path)
    made_params.write(tmp_path, content)
    return tmp_path


def draw(path, colour, size=(8, 6)):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def two_each():
    for name, colour in (("Cat", "orange"), ("Dog", "brown")):
        draw(f"album/{name}/a.png", colour)
        draw(f"album/{name}/b.jpg", colour, (20, 10))


def counts_of(name):
    return next(row for row in read_table("reports/scrape.csv") if row["class"] == name)


def manifest():
    with open("data/raw/manifest.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def everything():
    files = [p for place in ("data", "reports") for p in Path(place).rglob("*") if p.is_file()]
    return {str(path): path.read_bytes() for path in files}


def test_every_picture_has_a_row_and_its_own_bytes(project):
    two_each()
    scrape.main()
    rows = manifest()
    assert [row["file"] for row in rows] == ["Cat/a.png", "Cat/b.jpg", "Dog/a.png", "Dog/b.jpg"]
    for row in rows:
        data = Path("data/raw", row["file"]).read_bytes()
        assert data == Path("album", row["file"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert int(row["bytes"]) == len(data)
    assert (rows[1]["width"], rows[1]["height"], rows[1]["format"]) == ("20", "10", "JPEG")
    assert (rows[1]["class"], rows[1]["source"]) == ("Cat", "folder")
    assert rows[1]["image_url"] == "folder:Cat/b.jpg"
    assert list(rows[0]) == scrape.COLUMNS


def test_a_second_run_gives_the_same_bytes(project):
    two_each()
    scrape.main()
    before = everything()
    scrape.main()
    assert everything() == before
    assert str(project) not in b"".join(before.values()).decode("latin-1")


def test_pictures_of_an_earlier_run_do_not_stay(project):
    two_each()
    draw("data/raw/Cat/old.png", "red")
    scrape.main()
    assert sorted(p.name for p in Path("data/raw/Cat").iterdir()) == ["a.png", "b.jpg"]


def test_no_more_than_per_class_are_kept(project):
    two_each()
    for i in range(5):
        draw(f"album/Cat/c{i}.png", (i, i, i))
    scrape.main()
    files = [row["file"] for row in manifest() if row["class"] == "Cat"]
    assert files == ["Cat/a.png", "Cat/b.jpg", "Cat/c0.png"]
    assert sorted(p.name for p in Path("data/raw/Cat").iterdir()) == ["a.png", "b.jpg", "c0.png"]
    assert counts_of("Cat") == {
        "class": "Cat",
        "asked": "3",
        "found": "7",
        "fetched": "7",
        "kept": "3",
        "rejected": "4",
        "reasons": "4 surplus",
    }
    assert json.loads(Path("reports/scrape.json").read_text()) == {
        "asked": 6,
        "found": 9,
        "fetched": 9,
        "kept": 5,
        "rejected": {"surplus": 4},
    }


def test_a_repeated_picture_is_kept_once_and_makes_room_for_the_next(project):
    two_each()
    draw("album/Cat/a2.png", "red")
    draw("album/Cat/a3.png", "red")
    draw("album/Cat/c.png", "blue")
    scrape.main()
    files = [row["file"] for row in manifest() if row["class"] == "Cat"]
    assert files == ["Cat/a.png", "Cat/a2.png", "Cat/b.jpg"]
    assert counts_of("Cat")["reasons"] == "1 repeated, 1 surplus"


def test_a_picture_of_two_classes_is_dropped_from_both(project):
    two_each()
    draw("album/Cat/both.png", "red")
    draw("album/Dog/too.png", "red")
    scrape.main()
    assert [row["file"] for row in manifest()] == [
        "Cat/a.png",
        "Cat/b.jpg",
        "Dog/a.png",
        "Dog/b.jpg",
    ]
    assert not Path("data/raw/Dog/too.png").exists()
    total = json.loads(Path("reports/scrape.json").read_text())
    assert total["rejected"] == {"in_two_classes": 2}
    with open("data/missed.csv", newline="") as file:
        rows = [(row["image_url"], row["reason"]) for row in csv.DictReader(file)]
    assert rows == [
        ("folder:Cat/both.png", "in_two_classes"),
        ("folder:Dog/too.png", "in_two_classes"),
    ]


def test_a_class_without_pictures_of_its_own_is_named_with_a_remedy(project):
    draw("album/Cat/a.png", "red")
    draw("album/Dog/a.png", "red")
    with pytest.raises(StudyError, match=r"class Cat has no pictures of 3 wanted .*add words"):
        scrape.main()


def test_a_class_with_too_few_pictures_is_an_error_unless_allowed(project):
    two_each()
    set_scrape(allow_incomplete=False)
    expected = (
        r"class Cat has 2 pictures of 3 wanted \(2 found\); class Dog .*allow_incomplete goes"
    )
    with pytest.raises(StudyError, match=expected):
        scrape.main()
    set_scrape(allow_incomplete=False, per_class=2)
    scrape.main()


def set_scrape(**values):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["scrape"] |= values
    made_params.write(Path(), params)


def test_a_class_may_want_its_own_number(project):
    two_each()
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["classes"]["Dog"] = {"per_class": 1}
    params["scrape"] |= {"per_class": 2, "allow_incomplete": False}
    made_params.write(Path(), params)
    scrape.main()
    assert [row["file"] for row in manifest()] == ["Cat/a.png", "Cat/b.jpg", "Dog/a.png"]


def test_what_is_no_picture_is_kept_for_the_next_stage_to_reject(project):
    two_each()
    Path("album/Dog/broken.png").write_bytes(b"not a picture")
    scrape.main()
    row = next(row for row in manifest() if row["file"] == "Dog/broken.png")
    assert (row["width"], row["height"], row["format"]) == ("", "", "")


def test_the_attribution_counts_pictures_by_set_and_licence(project):
    known = "A | B,Ann,https://example.org/a,CC-BY-4.0,https://example.org/by"
    list_ = ["class,file,title,author,page_url,licence,licence_url"]
    for name, colour, facts in (("a", "red", known), ("b", "blue", ",,,,"), ("c", "tan", known)):
        draw(f"album/{name}.png", colour)
        list_.append(f"Cat,{name}.png,{facts}")
    draw("album/dog.png", "brown")
    Path("album/list.csv").write_text("\n".join([*list_, "Dog,dog.png,Z,,,,", ""]))
    set_scrape(folder="album/list.csv")
    scrape.main()
    lines = Path("data/raw/ATTRIBUTION.md").read_text().splitlines()
    assert lines[4:] == [
        "|  | unknown | unknown | 1 |",
        "| A \\| B | [Ann](<https://example.org/a>) | [CC-BY-4.0](<https://example.org/by>) | 2 |",
        "| Z | unknown | unknown | 1 |",
    ]


def test_no_address_breaks_out_of_the_attribution():
    fields = dict.fromkeys(("title", "author", "licence", "licence_url"), "")
    page = "https://example.org/a|b>) <c"
    row = fields | {"page_url": page, "author": "Ann", "pictures": 1}
    line = "".join(scrape.attribution([row])).splitlines()[4]
    assert line == "|  | [Ann](<https://example.org/a%7Cb%3E)%20%3Cc>) | unknown | 1 |"


def test_a_folder_that_the_stage_empties_is_refused(project):
    draw("data/raw/Cat/a.png", "red")
    set_scrape(folder="data/raw")
    with pytest.raises(StudyError, match=r"scrape\.folder is data/raw, which this stage empties"):
        scrape.main()
    assert Path("data/raw/Cat/a.png").exists()


# ---- the folder -------------------------------------------------------------------------------


def names(class_name="Cat", per_class=100):
    settings = load("scrape").scrape.model_copy(update={"per_class": per_class})
    wanted = settled({class_name: Class()}, settings)
    return [picture.name for picture in folder.pictures(wanted, settings)]


def test_hidden_files_other_files_and_folders_are_left_out(project):
    for name in ("b.PNG", "a.webp", ".hidden.png"):
        draw(f"album/Cat/{name}", "red")
    Path("album/Cat/notes.txt").write_text("no picture")
    Path("album/Cat/folder.png").mkdir()
    assert names() == ["a.webp", "b.PNG"]


def test_odd_names_become_plain_ones_and_stay_different(project):
    for name in ("my cat (1).png", "my cat [1].png", "MY-CAT-1-.png"):
        draw(f"album/Cat/{name}", "red")
    assert names() == ["MY-CAT-1-.png", "my-cat-1--2.png", "my-cat-1--3.png"]


def test_a_folder_gives_no_more_than_asked_and_the_reserve(project):
    for i in range(30):
        draw(f"album/Cat/{i:02}.png", "red")
    assert names(per_class=2) == [f"{i:02}.png" for i in range(2 + sources.RESERVE)]


def test_a_link_to_elsewhere_is_refused_and_one_inside_is_not(project):
    draw("album/Cat/a.png", "red")
    Path("album/Cat/b.png").symlink_to("a.png")
    assert names() == ["a.png", "b.png"]
    draw("elsewhere/c.png", "red")
    Path("album/Cat/c.png").symlink_to(project / "elsewhere/c.png")
    with pytest.raises(StudyError, match=r"c\.png is a link to a file outside album"):
        names()


def test_a_missing_and_an_empty_class_folder_are_named(project):
    draw("album/Cat/a.png", "red")
    with pytest.raises(StudyError, match="album has no folder Dog"):
        names("Dog")
    Path("album/Dog").mkdir()
    with pytest.raises(StudyError, match=r"album.Dog has no image files"):
        names("Dog")


def test_files_may_be_listed_with_what_is_known_of_them(project):
    draw("album/in/x.png", "red")
    draw("album/y.png", "blue")
    Path("album/list.csv").write_text(
        "class,file,author,licence\nCat,in/x.png,Ann,CC0-1.0\nDog,y.png,,\nDog,y.png,,\nCow,z.png,,\n"
    )
    set_scrape(folder="album/list.csv")
    scrape.main()
    first, second = manifest()
    assert (first["file"], first["author"], first["licence"]) == ("Cat/x.png", "Ann", "CC0-1.0")
    assert second["file"] == "Dog/y.png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,path\n", "has no column file: its first line has to name them, class,file"),
        ("class,file\nCat,x.png\n", "lists x.png, which is no file beside it or below"),
        ("class,file\nCat,../params.yaml\n", r"lists ../params.yaml, which is outside album"),
        ("class,file\nDog,x.png\n", "has no line of class Cat"),
        ('class,file\n"Cat', "cannot be read as a CSV file"),
    ],
)
def test_a_list_that_is_wrong_is_named(project, text, message):
    Path("album").mkdir()
    Path("album/list.csv").write_text(text)
    set_scrape(folder="album/list.csv")
    with pytest.raises(StudyError, match=message):
        scrape.main()
