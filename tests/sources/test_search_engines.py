"""The whole stage against a web of its own: every engine, its pages, its blocks, and in turn."""

import csv
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from tests import made_params
from tests.sources import search_pages, search_server

ROOT = Path(__file__).parents[2]
KEYLESS = ("google", "bing", "baidu", "duckduckgo", "openverse", "commons")


@pytest.fixture(scope="module")
def port():
    """The port of the test's web, which is a process of its own."""
    server = subprocess.Popen(
        [sys.executable, ROOT / "tests/sources/search_server.py"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with server:
        yield int(server.stdout.readline())
        server.terminate()


class Study:
    """A project in an empty folder that scrapes from the test's web."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.params = made_params.read()
        self.params["classes"] = {"Cat": {}, "Dog": {}}
        self.params["scrape"] |= {"per_class": 12}
        self.params["scrape"]["download"] |= {"retries": 0}

    def scrape(self, source, mode="today", classes=None, key=search_server.FLICKR_KEY, **settings):
        self.params["scrape"] |= {"source": source, **settings}
        self.params["classes"] = classes or self.params["classes"]
        made_params.write(self.folder, self.params)
        server = f"http://127.0.0.1:{self.port}/{mode}"
        environment = {"VITOON_SEARCH_HOST": server, "VITOON_LOOPBACK": "allow"}
        environment |= {"PYTHONPATH": str(ROOT), "VITOON_CACHE": str(self.folder / "cache")}
        return subprocess.run(
            [sys.executable, "-m", "stages.scrape"],
            cwd=self.folder,
            env={**os.environ, "FLICKR_API_KEY": key, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def table(self, name):
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def manifest(self):
        return self.table("data/raw/manifest.csv")

    def counts(self):
        """Of each class, as numbers, and the reasons against pictures with their numbers."""
        found = {}
        for row in self.table("reports/scrape.csv"):
            reasons = (pair.split(" ") for pair in row.pop("reasons").split(", ") if pair)
            numbers = {key: int(value) for key, value in row.items() if key != "class"}
            found[row["class"]] = numbers | {"reasons": {why: int(n) for n, why in reasons}}
        return found

    def asked(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/log") as answer:
            return json.load(answer)


@pytest.fixture
def study(tmp_path, port):
    return Study(tmp_path, port)


def expected(study, query, there=60):
    return {r.image_url: r for r in search_server.results(query, study.port, there)}


def require_all_is_known(study, source, classes=("Cat", "Dog"), number=12):
    rows = study.manifest()
    assert len(rows) == number * len(classes)
    for row in rows:
        result = expected(study, row["query"])[row["image_url"]]
        assert row["query"] == f"cartoon {row['class']}"
        assert row["source"] == source
        if source == "flickr":  # whose pages have a place of their own
            assert row["page_url"].split("/")[-2:] == result.page_url.split("/")[-2:]
        else:
            assert row["page_url"] == result.page_url
        assert row["title"] == result.title
        assert (int(row["width"]), int(row["height"])) == (result.width, result.height)
        data = (study.folder / "data/raw" / row["file"]).read_bytes()
        assert row["format"] == "PNG"
        assert len(data) == int(row["bytes"])


@pytest.mark.parametrize("source", [*KEYLESS, "flickr"])
def test_a_source_of_the_web_gives_the_first_pictures_with_all_that_is_known(study, source):
    done = study.scrape(source)
    assert (done.returncode, done.stderr) == (0, "")
    require_all_is_known(study, source)
    for count in study.counts().values():
        assert count["kept"] == count["asked"] == 12
        assert count["found"] == count["kept"] + count["rejected"]
        assert count["rejected"] == sum(count["reasons"].values())


@pytest.mark.parametrize("shape", search_pages.GOOGLE)
def test_google_is_read_in_every_shape_and_over_many_pages(study, shape):
    done = study.scrape("google", f"google={shape}", per_class=45)
    assert (done.returncode, done.stderr) == (0, "")
    require_all_is_known(study, "google", number=45)


@pytest.mark.parametrize("source", KEYLESS)
def test_the_end_of_the_results_ends_in_an_error_that_counts(study, source):
    done = study.scrape(source, "there=33", per_class=40)
    assert done.returncode == 1
    assert "class Cat has 33 pictures of 40 wanted (33 found" in done.stderr.splitlines()[-1]
    assert study.scrape(source, "there=33", allow_incomplete=True).returncode == 0
    require_all_is_known(study, source, number=33)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("google=captcha", "captcha page"),
        ("google=sorry", "captcha page"),
        ("google=consent", "consent page"),
        ("google=redirect-consent", "consent page"),
        ("google=shell", "script shell"),
        ("google=403", "403, refused"),
        ("google=429", "429, too many requests"),
        ("google=500", "status 500"),
        ("google=new", "unknown page"),
        ("bing=captcha", "captcha page"),
        ("bing=403", "403, refused"),
        ("bing=429", "429, too many requests"),
        ("bing=new", "unknown page"),
        ("bing=unrelated", "page of another query"),
        ("baidu=forbidden", "anti-spider answer (Forbid spider access)"),
        ("baidu=away", "captcha page"),
        ("baidu=new", "unknown page"),
        ("duckduckgo=202", "202, blocked for now"),
        ("duckduckgo=403", "403, refused"),
        ("duckduckgo=new", "page without its token"),
        ("openverse=401", "401, a key is asked for"),
        ("openverse=429", "429, too many requests"),
        ("openverse=new", "unknown page"),
        ("commons=429", "429, too many requests"),
        ("commons=new", "unknown page"),
    ],
)
def test_a_block_page_is_named_with_class_and_query_and_is_an_error(study, mode, name):
    source = mode.partition("=")[0]
    done = study.scrape(source, mode)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert (
        f'class Cat has no pictures of 12 wanted (0 found; {source} for "cartoon Cat": {name}'
        in last
    )
    rows = study.table("data/missed.csv")
    assert [row["reason"] for row in rows if row["class"] == "Cat"] == [name]
    if mode not in ("baidu=away",):  # a redirect has no page
        place = last.partition("kept as ")[2].partition(")")[0].partition(";")[0]
        assert (study.folder / place).stat().st_size > 0


def test_an_engine_that_blocks_is_left_alone(study):
    before = len(study.asked())
    classes = {name: {} for name in ("Ant", "Bee", "Cat", "Dog", "Emu")}
    done = study.scrape("google", "google=captcha", classes)
    assert len(study.asked()) - before == 2
    assert done.stderr.count("not asked any more after: captcha page") == 2 * 3
    assert 'class Emu, google for "cartoon Emu"' in done.stderr


def test_the_next_source_gives_what_the_first_could_not(study):
    done = study.scrape(["google", "bing", "openverse"], "google=captcha")
    assert done.returncode == 0
    assert 'google for "cartoon Cat": captcha page, kept as .unreadable/google-Cat-' in done.stderr
    require_all_is_known(study, "bing")


def test_only_what_is_missing_is_asked_of_the_next_source(study):
    for n in range(12):
        path = study.folder / f"album/Cat/{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (n, 0, 0)).save(path)
    (study.folder / "album/Dog").mkdir()
    Image.new("RGB", (40, 40), "red").save(study.folder / "album/Dog/x.png")
    done = study.scrape(["folder", "bing"], folder="album")
    assert (done.returncode, done.stderr) == (0, "")
    sources = [(row["class"], row["source"]) for row in study.manifest()]
    assert sources.count(("Cat", "folder")) == 12
    assert sources.count(("Dog", "folder")) == 1
    assert sources.count(("Dog", "bing")) == 11


def test_what_the_first_source_gave_does_not_count_for_the_second(study):
    # Both find the same pictures: the second has to look further than the first ten.
    done = study.scrape(["baidu", "bing"], "there=60", classes={"Cat": {"query": ["x"]}, "Dog": {}})
    assert done.returncode == 0
    study.scrape(["openverse", "bing"], "there=60", per_class=60)
    assert done.returncode == 0
    assert {count["kept"] for count in study.counts().values()} == {60}


def test_one_page_of_results_is_enough_where_it_gives_enough(study):
    before = len(study.asked())
    study.scrape("bing", classes={"Cow": {}, "Pig": {}})
    pages = [path for path, _ in study.asked()[before:] if "/images/async" in path]
    assert len(pages) == 2


def test_search_pages_have_their_own_user_agent_and_pictures_ours(study):
    before = len(study.asked())
    study.scrape("bing", search_agent="Mozilla/5.0 (mine)")
    for path, agent in study.asked()[before:]:
        assert agent.startswith("Mozilla/5.0 (mine)" if "/www.bing.com/" in path else "ViToon/")


def test_each_class_has_its_words_its_exclusions_its_size_and_its_number(study):
    classes = {
        "Cat": {"query": ["kitten", "tom cat"], "per_class": 5, "exclude": ["no 3", "sets:cat*"]},
        "Dog": {"per_class": 4, "min_side": 48},
        "Cow": {"per_class": 1, "min_side": 49},
    }
    done = study.scrape("bing", "there=9", classes, allow_incomplete=True)
    assert "class Cow has no pictures of 1 wanted" in done.stderr
    del classes["Cow"]
    done = study.scrape("bing", "there=9", classes, allow_incomplete=False)
    assert done.returncode == 0
    rows = study.manifest()
    assert [row["class"] for row in rows] == ["Cat"] * 5 + ["Dog"] * 4
    assert not [row for row in rows if "no. 3" in row["title"] and row["class"] == "Cat"]
    assert {row["query"] for row in rows if row["class"] == "Cat"} == {"kitten"}
    assert study.counts()["Cat"]["reasons"]["excluded"] == 2  # of each query, one


@pytest.mark.parametrize(
    ("source", "filters", "words"),
    [
        ("google", {"type": "clipart", "size": "large"}, "tbs=itp%3Aclipart%2Cisz%3Al"),
        ("bing", {"type": "lineart"}, "qft=%2Bfilterui%3Aphoto-linedrawing"),
        ("baidu", {"type": "clipart", "size": "large"}, "&st=1&z=3"),
        ("duckduckgo", {"type": "clipart"}, "f=%2C%2C%2Ctype%3Aclipart%2C%2C"),
        ("openverse", {"licence": "commercial"}, "&license_type=commercial"),
        ("commons", {"type": "clipart"}, "gsrsearch=filetype%3Adrawing+"),
        ("flickr", {"licence": "public_domain"}, "&license=9,10"),
    ],
)
def test_filters_are_said_in_the_engines_words(study, source, filters, words):
    before = len(study.asked())
    study.params["scrape"]["filters"] |= filters
    assert study.scrape(source, classes={"Fox": {}, "Elk": {}}).returncode == 0
    assert any(words in path for path, _ in study.asked()[before:])


def test_a_filter_that_an_engine_lacks_is_refused(study):
    study.params["scrape"]["filters"]["licence"] = "public_domain"
    done = study.scrape("google")
    assert (done.returncode, done.stderr) == (
        2,
        "stages.scrape: params.yaml: filters.licence is public_domain; "
        "allowed with source google: any, creative_commons\n",
    )


def test_flickr_needs_a_key_and_never_tells_it(study):
    for mode in ("today", "flickr=500"):
        done = study.scrape("flickr", mode)
        everything = [p.read_bytes() for p in study.folder.rglob("*") if p.is_file()]
        assert search_server.FLICKR_KEY not in done.stderr + str(everything)
    done = study.scrape("flickr", key="another")
    assert 'flickr for "cartoon Cat": answer that says: Invalid API Key' in done.stderr
    done = study.scrape("flickr", key="")
    assert done.stderr == (
        "stages.scrape: source flickr needs a key of Flickr's API in the variable FLICKR_API_KEY\n"
    )


# ---- lists and saved pages --------------------------------------------------------------------


def test_a_list_of_addresses_is_fetched_with_what_it_says(study):
    cats = [r.image_url for r in search_server.results("a", study.port, 12)]
    dogs = [r.image_url for r in search_server.results("b", study.port, 12)]
    lines = ["class,url,author,title"]
    lines += [f"Cat,{url},Ann,A cat" for url in cats] + [f"Dog,{url},," for url in dogs]
    lines += ["Dog,http://127.0.0.1:1/nothing.png,,", "Dog,no address,,", "Cow,x,,"]
    (study.folder / "list.csv").write_text("\n".join(lines))
    done = study.scrape("urls", urls="list.csv")
    assert (done.returncode, done.stderr) == (0, "")
    rows = study.manifest()
    assert len(rows) == 24
    assert {(r["author"], r["title"]) for r in rows if r["class"] == "Cat"} == {("Ann", "A cat")}
    assert study.counts()["Dog"]["reasons"] == {"bad_url": 1, "connection": 1}


def mhtml(page):
    from email.message import EmailMessage

    whole = EmailMessage()
    whole["From"] = "<Saved by Blink>"
    whole["Snapshot-Content-Location"] = "https://www.google.com/search?q=cat&udm=2"
    whole.set_content(page, subtype="html", cte="quoted-printable")
    whole.make_related()
    whole.add_related(b"x", "image", "jpeg")
    return whole.as_bytes()


def test_saved_pages_of_google_are_read_before_google_is_asked(study):
    cats = search_server.results("my cats", study.port, 12)
    dogs = search_server.results("my dogs", study.port, 12)
    for name in ("Cat", "Dog"):
        (study.folder / "saved" / name).mkdir(parents=True)
    page = search_pages.g1(cats[:6], "my cats")
    start, end = page.index("<script"), page.index("</script>")
    (study.folder / "saved/Cat/cats.html").write_text(page[:start] + page[end:], "utf-8")
    files = study.folder / "saved/Cat/cats_files"
    files.mkdir()
    (files / "rs=1.js.download").write_text(page[start:end], "utf-8")
    (study.folder / "saved/Cat/more.htm").write_text(search_pages.g2_saved(cats[6:], "my cats"))
    (study.folder / "saved/Dog/dogs.mhtml").write_bytes(
        mhtml(search_pages.g2_saved(dogs, "my dogs"))
    )
    before = len(study.asked())
    done = study.scrape("google", "google=captcha", pages="saved", per_class=2)
    assert (done.returncode, done.stderr) == (0, "")
    assert not [path for path, _ in study.asked()[before:] if "www.google.com" in path]
    queries = {(row["class"], row["query"]) for row in study.manifest()}
    assert queries == {("Cat", "my cats"), ("Dog", "my dogs")}
    done = study.scrape("google", "google=captcha", per_class=12, allow_incomplete=True)
    assert len(study.manifest()) == 24
    assert 'class Cat, google for "cartoon Cat": captcha page' in done.stderr


def test_a_saved_page_that_cannot_be_read_is_named_and_kept(study):
    for name in ("Cat", "Dog"):
        (study.folder / "saved" / name).mkdir(parents=True)
        (study.folder / "saved" / name / "page.html").write_text(search_pages.THUMBS_ONLY)
    done = study.scrape("google", "google=shell", pages="saved")
    assert 'google for "page.html": page of thumbnails, without the addresses' in done.stderr
    assert len(list((study.folder / ".unreadable").glob("google-Cat-*.html"))) == 2
    done = study.scrape("google", pages="elsewhere")
    assert done.stderr.endswith(
        "elsewhere is no folder: scrape.pages needs one with saved result pages\n"
    )


def test_a_second_run_fetches_no_picture_again_and_gives_the_same_bytes(study):
    study.scrape("bing")
    first = (study.folder / "data/raw/manifest.csv").read_bytes()
    before = len(study.asked())
    study.scrape("bing")
    assert (study.folder / "data/raw/manifest.csv").read_bytes() == first
    assert not [path for path, _ in study.asked()[before:] if path.startswith("/pictures/")]
