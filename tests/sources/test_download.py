"""Stage 1 from a list of URLs, as a process: what arrives, what does not, what a kill leaves."""

import csv
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from stages.web import addresses
from tests import made_params
from tests.web import image_server

TESTS = Path(__file__).parents[1]
KILLS = int(os.environ.get("VITOON_KILLS", "3"))  # 20 for the figure in docs/decisions.md


class Study:
    """A project in a folder, whose pictures are a list of URLs."""

    def __init__(self, folder, urls, per_class=100, **download):
        self.folder, self.cache = folder, folder / "cache"
        folder.mkdir(exist_ok=True)
        content = made_params.read()
        content["classes"] = {name: {"search": [name], "exclude": []} for name in urls}
        content["scrape"] |= {"source": "urls", "urls": "list.csv", "per_class": per_class}
        content["scrape"]["allow_incomplete"] = True
        content["scrape"]["download"] |= {"connect_timeout": 2, "read_timeout": 1, "retries": 2}
        content["scrape"]["download"] |= {"total_timeout": 3, **download}
        made_params.write(folder, content)
        with (folder / "list.csv").open("w", encoding="utf-8", newline="") as file:
            lines = [(name, url) for name, some in urls.items() for url in some]
            csv.writer(file).writerows([("class", "url"), *lines])

    def start(self):
        environment = {**os.environ, "VITOON_CACHE": str(self.cache), addresses.SWITCH: "allow"}
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(TESTS.parent), str(TESTS / "web/resolver")]
        )
        command = [sys.executable, "-m", "stages.scrape"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stderr=pipe, stdout=pipe, text=True
        )

    def scrape(self):
        process = self.start()
        _, said = process.communicate()
        assert process.returncode == 0, said
        return self

    def rows(self, name):
        with (self.folder / "data" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def formats(self):
        return {row["image_url"]: row["format"] for row in self.rows("raw/manifest.csv")}

    def reasons(self):
        return {row["image_url"]: row["reason"] for row in self.rows("missed.csv")}

    def counts_of(self, name):
        file = self.folder / "reports/scrape.csv"
        with file.open(encoding="utf-8", newline="") as table:
            row = next(row for row in csv.DictReader(table) if row["class"] == name)
        pairs = (pair.split(" ") for pair in row["reasons"].split(", ") if pair)
        return row | {"reasons": {why: int(number) for number, why in pairs}}

    def everything(self):
        files = [p for place in ("data", "reports") for p in (self.folder / place).rglob("*")]
        return {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in files if p.is_file()}


def numbered(server, class_name, count):
    return [f"{server.url}/{class_name}/{number}.png" for number in range(count)]


# ---- the web's faults -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A study of all that the server has, scraped twice; what it was asked by each."""
    with image_server.running() as server:
        paths = [*image_server.GOOD, *image_server.BAD]
        urls = {"Cat": [server.url + path for path in paths], "Dog": numbered(server, "Dog", 3)}
        urls["Dog"] += ["http://private.test/secret.png", "http://10.1.2.3/", "cat.png"]
        study = Study(tmp_path_factory.mktemp("faulty"), urls, max_megabytes=1).scrape()
        study.server, study.asked = server, Counter(server.asked())
        study.first = study.everything()
        study.scrape()
        study.asked_again = Counter(server.asked()) - study.asked
    return study


def test_every_good_picture_arrives_with_its_format(faulty):
    formats = faulty.formats()
    arrived = {path: formats.get(faulty.server.url + path) for path in image_server.GOOD}
    assert arrived == image_server.GOOD


def test_no_bad_one_gets_through_and_each_has_its_reason(faulty):
    reasons, formats = faulty.reasons(), faulty.formats()
    assert not [path for path in image_server.BAD if faulty.server.url + path in formats]
    told = {path: reasons.get(faulty.server.url + path) for path in image_server.BAD}
    assert told == image_server.BAD


def test_hosts_that_are_not_public_are_told(faulty):
    reasons = faulty.reasons()
    assert reasons["http://private.test/secret.png"] == "not_public"
    assert reasons["http://10.1.2.3/"] == "not_public"
    assert reasons["cat.png"] == "bad_url"


# What a server is asked for, where that is not the path as the list has it.
ASKED_AS = {
    "/../../../up.png": "/up.png",
    "/..%2f..%2f..%2fescaped.png": "/..%2F..%2F..%2Fescaped.png",
    "/Kätzchen im Schnee.png": "/K%C3%A4tzchen%20im%20Schnee.png",
    "/redirect-to-good.png": "/elsewhere/good.png",
    "/redirect-unicode.png": "/v%C3%B6gel.png",
}


def test_original_bytes_are_kept_under_plain_names(faulty):
    for row in faulty.rows("raw/manifest.csv"):
        file = faulty.folder / "data/raw" / row["file"]
        path = row["image_url"].removeprefix(faulty.server.url)
        assert file.read_bytes() == image_server.picture(ASKED_AS.get(path, path))
        assert file.stem == f"urls_{row['sha256'][:16]}"


def test_found_pictures_and_missed_ones_are_counted(faulty):
    counts = faulty.counts_of("Cat")
    assert counts["fetched"] == counts["kept"] == str(len(image_server.GOOD))
    assert counts["reasons"] == dict(Counter(image_server.BAD.values()))


def test_a_second_run_gives_the_same_bytes_and_fetches_no_picture(faulty):
    assert faulty.everything() == faulty.first
    # Asked again: robots.txt, and what may have passed since.
    passing = {path for path, why in image_server.BAD.items() if why not in LASTING_HERE}
    assert set(faulty.asked_again) <= {"/robots.txt", *passing}


LASTING_HERE = {
    *("http_404", "too_many_redirects", "not_public", "bad_url", "html", "text", "empty"),
    *("unknown_format", "truncated", "too_small", "too_many_pixels", "too_large"),
    *("opted_out", "robots"),
}


# ---- nothing twice ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    with image_server.running(latency=0.01) as running:
        yield running


def test_a_changed_class_fetches_only_what_is_new(server, tmp_path):
    urls = {"Cat": numbered(server, "some-cat", 6), "Dog": numbered(server, "some-dog", 6)}
    Study(tmp_path, urls).scrape()
    before = server.asked()
    urls["Dog"].append(f"{server.url}/some-dog/new.png")
    Study(tmp_path, urls).scrape()
    assert Counter(server.asked()) - Counter(before) == {
        "/robots.txt": 1,
        "/some-dog/new.png": 1,
    }


def test_one_picture_of_many_urls_is_kept_once_and_one_of_two_classes_not_at_all(server, tmp_path):
    same, both = f"{server.url}/same.png", f"{server.url}/both.png"
    urls = {
        "Cat": [*numbered(server, "more-cat", 2), same, f"{server.url}/Same.png", same, both],
        "Dog": [*numbered(server, "more-dog", 2), both],
    }
    study = Study(tmp_path, urls).scrape()
    kept = [row["image_url"] for row in study.rows("raw/manifest.csv")]
    assert kept.count(same) == 1
    assert both not in kept
    assert server.asked()["/same.png"] == server.asked()["/both.png"] == 1
    assert study.counts_of("Cat")["reasons"] == {"in_two_classes": 1, "repeated": 1}
    assert study.counts_of("Dog")["reasons"] == {"in_two_classes": 1}


def test_no_more_is_fetched_than_wanted_and_the_first_of_the_list_are_kept(server, tmp_path):
    urls = {"Cat": numbered(server, "long-cat", 300), "Dog": numbered(server, "long-dog", 300)}
    study = Study(tmp_path, urls, per_class=20).scrape()
    for name in urls:
        kept = {r["image_url"] for r in study.rows("raw/manifest.csv") if r["class"] == name}
        assert kept == set(urls[name][:20])
    assert len([path for path in server.asked() if path.startswith("/long")]) <= 2 * (30 + 16)


def test_what_is_opted_out_comes_when_its_parameter_says_so(server, tmp_path):
    urls = {"Cat": [f"{server.url}{path}" for path in ("/noai.png", "/disallowed/by-robots.png")]}
    urls |= {"Dog": numbered(server, "free-dog", 1)}
    urls["Cat"].append(f"{server.url}/free-cat.png")
    assert set(Study(tmp_path, urls).scrape().reasons().values()) == {"opted_out", "robots"}
    free = Study(tmp_path, urls, respect_robots=False, respect_opt_out=False).scrape()
    assert free.reasons() == {}
    assert set(Study(tmp_path, urls).scrape().reasons().values()) == {"opted_out", "robots"}


def journal(study):
    """The URLs of pictures that a run has in its journal."""
    file = study.cache / "pictures/journal.jsonl"
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    return {json.loads(line)["url"] for line in lines if b"sha256" in line}


def test_a_killed_scrape_goes_on_where_it_was_and_ends_in_the_same_bytes(server, tmp_path):
    names = [f"/kill-{part}/{i}.png" for part in "ab" for i in range(150)]
    urls = {"Cat": [*names[:150], "/404.png"], "Dog": ["/html-named.jpg", *names[150:]]}
    urls = {name: [server.url + path for path in paths] for name, paths in urls.items()}
    whole = Study(tmp_path / "whole", urls, per_class=200).scrape()

    study, dice = Study(tmp_path / "killed", urls, per_class=200), random.Random(4)
    moments = sorted(dice.randrange(320) for _ in range(KILLS))  # pictures; 300 are all
    for moment in moments:
        kept, before = journal(study), Counter(server.asked())
        process = study.start()
        while process.poll() is None and len(journal(study)) < min(moment, 300):
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.05 if moment < 300 else 1))
        process.kill()
        process.communicate()
        assert refetched(kept, server, before) == []
    kept, before = journal(study), Counter(server.asked())
    study.scrape()
    assert refetched(kept, server, before) == []
    assert study.everything() == whole.everything()


def refetched(kept, server, before):
    """The URLs of those in a journal that the server was asked for since."""
    since = Counter(server.asked()) - before
    return [url for url in kept if since[url.removeprefix(server.url)]]


# ---- the list ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "class;url\nCat;http://a/\n",
            "has no column class and no column url: its first line has to name them",
        ),
        ("class,link\n", "has no column url: its first line has to name them, class,url"),
        ("class,url\nCat,http://a/\n", "has no line of class Dog"),
        ("\xff", "cannot be read"),
        ("", "has no column class"),
        (None, "cannot be read .*No such file"),
    ],
)
def test_a_list_that_is_none_is_told_with_a_remedy(tmp_path, text, fault):
    study = Study(tmp_path, {"Cat": [], "Dog": []})
    (tmp_path / "list.csv").unlink()
    if text is not None:
        (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    _, said = (process := study.start()).communicate()
    assert process.returncode == 1
    assert re.fullmatch(f"stages.scrape: list.csv {fault}.*\n", said)


def test_what_a_list_knows_of_a_picture_stands_in_the_manifest(server, tmp_path):
    study = Study(tmp_path, {"Cat": [], "Dog": []})
    lines = ["\ufeffclass,url,title,author,licence,page_url"]
    lines += [f'Cat,{server.url}/t.png,"A cat, asleep",Ann,CC-BY-4.0,http://example.org/cat']
    lines += [f" Dog,{server.url}/x.png,,,,", f"Dog,{server.url}/u.png", ""]
    (study.folder / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    cat, dog = study.scrape().rows("raw/manifest.csv")
    assert (cat["title"], cat["author"], cat["licence"]) == ("A cat, asleep", "Ann", "CC-BY-4.0")
    assert (cat["page_url"], dog["title"]) == ("http://example.org/cat", "")
