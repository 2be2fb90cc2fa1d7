"""Stage 1 as a whole, from a folder of pictures; and what it does with repeats."""

import csv
import hashlib
import json
import os
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


def test_what_is_no_picture_is_missed_for_a_reason_and_told_in_one_line(project, capsys):
    two_each()
    Path("album/Dog/broken.png").write_bytes(b"not a picture")
    Path("album/Dog/empty.png").write_bytes(b"")
    Path("album/Dog/cut.png").write_bytes(Path("album/Dog/a.png").read_bytes()[:-20])
    os.mkfifo("album/Dog/pipe.png")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        Path("album/Dog", name).write_bytes(Path("album/Dog/a.png").read_bytes())
    draw("album/Dog/.hidden/x.png", "red")
    scrape.main()
    assert missed() == {
        "folder:Dog": "hidden",
        "folder:Dog/broken.png": "unknown_format",
        "folder:Dog/cut.png": "truncated",
        "folder:Dog/empty.png": "empty",
        "folder:Dog/pipe.png": "not_a_file",
    }
    assert counts_of("Dog")["found"] == "10"
    assert counts_of("Dog")["reasons"] == (
        "1 empty, 4 hidden, 1 not_a_file, 1 truncated, 1 unknown_format"
    )
    assert capsys.readouterr().err == (
        "scrape: 8 files of your folder are left out (4 hidden, 1 empty, 1 not_a_file, "
        "1 truncated, 1 unknown_format): data/missed.csv says which\n"
    )


def missed():
    return {row["image_url"]: row["reason"] for row in read_table("data/missed.csv")}


def test_the_attribution_counts_pictures_by_set_and_licence(project):
    known = "A | B,Ann,https://example.org/a,CC-BY-4.0,https://example.org/by"
    list_ = ["class,file,title,author,page_url,licence,licence_url"]
    for name, colour, facts in (("a", "red", known), ("b", "blue", ",,,,"), ("c", "tan", known)):
        draw(f"album/{name}.png", colour)
        list_.append(f"Cat,{name}.png,{facts}")
    draw("album/dog.png", "brown")
    Path("album/pictures.csv").write_text("\n".join([*list_, "Dog,dog.png,Z,,,,", ""]))
    set_scrape(folder="album")
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
    found = folder.pictures(wanted, settings)
    return [item.name for item in found if isinstance(item, sources.Picture)]


def test_folders_in_a_class_are_walked_and_a_file_keeps_its_place_as_origin(project):
    two_each()
    draw("album/Cat/holiday/2024/a.png", "red")
    draw("album/Cat/.trash/c.png", "blue")
    set_scrape(per_class=5)
    scrape.main()
    cats = {row["file"]: row["image_url"] for row in manifest() if row["class"] == "Cat"}
    assert cats == {
        "Cat/a.png": "folder:Cat/a.png",
        "Cat/b.jpg": "folder:Cat/b.jpg",
        "Cat/a-2.png": "folder:Cat/holiday/2024/a.png",
    }


def test_a_file_is_what_it_holds_and_not_what_it_is_called(project):
    for place in ("noext", "x.jpg.exe", "Y.PNG", "z.jpeg", "really-a-png.jpg"):
        draw("album/Cat/new.png", "red")
        Path("album/Cat/new.png").rename(f"album/Cat/{place}")
    assert sorted(names()) == [
        *("Y.PNG", "noext.png", "really-a-png.jpg.png", "x.jpg.exe.png", "z.jpeg.png")
    ]


def test_names_of_any_letters_are_taken_with_their_origin(project):
    odd = ("a\nb.png", 'say "cat", twice.png', "\N{CAT}.png", f"{'long' * 60}.png", "caf\udce9.png")
    for number, name in enumerate(odd):
        draw("album/Cat/new.png", (number, 0, 0))
        os.rename("album/Cat/new.png", f"album/Cat/{name}")
    draw("album/Dog/a.png", "red")
    set_scrape(per_class=9)
    scrape.main()
    cats = {row["image_url"]: row["file"] for row in manifest() if row["class"] == "Cat"}
    assert {origin.removeprefix("folder:Cat/") for origin in cats} == {*odd[:4], "caf%E9.png"}
    assert cats["folder:Cat/caf%E9.png"] == "Cat/caf-.png"
    assert cats["folder:Cat/\N{CAT}.png"] == "Cat/-.png"
    assert cats[f"folder:Cat/{odd[3]}"] == f"Cat/{'long' * 25}.png"


def test_classes_called_no_null_and_1_are_classes(project):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["classes"] = {"no": {}, "null": {}, "1": {}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    for number, name in enumerate(params["classes"]):
        draw(f"album/{name}/only.png", (number, 0, 0))
    scrape.main()
    assert [row["class"] for row in manifest()] == ["1", "no", "null"]
    assert [row["class"] for row in read_table("reports/scrape.csv")] == ["1", "no", "null"]


def test_copies_do_not_keep_later_pictures_out(project):
    for number in range(30):
        draw(f"album/Cat/a{number}.png", "red")
    draw("album/Cat/b.png", "blue")
    assert names(per_class=2)[-1] == "b.png"


def test_files_beyond_those_needed_are_counted(project):
    two_each()
    for number in range(20):
        draw(f"album/Cat/c{number}.png", (number, 0, 0))
    scrape.main()
    assert missed()["folder:Cat"] == "not_needed"
    assert counts_of("Cat")["reasons"] == "9 not_needed, 10 surplus"
    assert counts_of("Cat")["found"] == "22"


def test_a_list_beside_the_folders_has_to_be_called_by_its_folder(project):
    two_each()
    Path("album/mine.csv").write_text("class,file\n")
    for place, remedy in (("album/mine.csv", "call the list pictures.csv"), ("gone", "name one")):
        set_scrape(folder=place)
        with pytest.raises(StudyError, match=f"scrape.folder is {place}, which is no .*{remedy}"):
            scrape.main()


def test_odd_names_become_plain_ones_and_stay_different(project):
    for name in ("my cat (1).png", "my cat [1].png", "MY-CAT-1-.png"):
        draw(f"album/Cat/{name}", "red")
    assert names() == ["MY-CAT-1-.png", "my-cat-1--2.png", "my-cat-1--3.png"]


def test_a_folder_gives_no_more_than_asked_and_the_reserve(project):
    for i in range(30):
        draw(f"album/Cat/{i:02}.png", (i, 0, 0))
    assert names(per_class=2) == [f"{i:02}.png" for i in range(2 + sources.RESERVE)]


def test_links_out_of_the_folder_broken_and_in_a_circle_are_missed(project):
    two_each()
    Path("album/Cat/c.png").symlink_to("a.png")
    draw("elsewhere/c.png", "red")
    links = {"out.png": project / "elsewhere/c.png", "broken.png": "gone", "self.png": "self.png"}
    links |= {"round": ".", "all": project / "elsewhere"}
    for name, target in links.items():
        Path("album/Cat", name).symlink_to(target)
    assert names() == ["a.png", "b.jpg", "c.png"]
    scrape.main()
    assert {place.removeprefix("folder:Cat/"): why for place, why in missed().items()} == {
        **{"out.png": "link_outside", "all": "link_outside", "round": "link_to_folder"},
        **{"broken.png": "broken_link", "self.png": "broken_link", "c.png": "repeated"},
    }


def test_a_missing_and_an_empty_class_folder_are_named(project):
    draw("album/Cat/a.png", "red")
    with pytest.raises(StudyError, match="album has no folder Dog"):
        names("Dog")
    Path("album/Dog").mkdir()
    with pytest.raises(StudyError, match=r"album.Dog has no files: class Dog needs"):
        names("Dog")


def test_files_may_be_listed_with_what_is_known_of_them(project):
    draw("album/in/x.png", "red")
    draw("album/y.png", "blue")
    Path("album/pictures.csv").write_text(
        "class,file,author,licence\nCat,in/x.png,Ann,CC0-1.0\nDog,y.png,,\nDog,y.png,,\nCow,z.png,,\n"
    )
    set_scrape(folder="album")
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
    Path("album/pictures.csv").write_text(text)
    set_scrape(folder="album")
    with pytest.raises(StudyError, match=message):
        scrape.main()
