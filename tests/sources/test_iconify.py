"""The Iconify source, on a package of a few icons built here; and icrawler's repaired seams."""

import base64
import hashlib
import io
import json
import tarfile
import time

import pytest
from PIL import Image

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.sources import RESERVE, crawl, iconify
from stages.sources.iconify_svg import INK, draw, drawers, icon_svg

# One quarter red, so that a turn or a mirror shows: the upper left one of a 16 × 16 box.
CORNER = '<path fill="#f00" d="M0 0h8v8H0z"/>'
RED, NOTHING = (255, 0, 0, 255), (0, 0, 0, 0)
SETTINGS = Scrape.model_construct(source="iconify", folder="", per_class=100, size=16)


def square(colour):
    return {"body": f'<path fill="{colour}" d="M0 0h16v16H0z"/>'}


def sized(width, height):
    return {**square("red"), "width": width, "height": height}


def about(title, **more):
    licence = {"title": "MIT License", "spdx": "MIT", "url": "https://example.org/mit"}
    author = {"name": "Ann", "url": "https://example.org/ann"}
    return {"name": title, "author": author, "license": licence, **more}


COLLECTIONS = {
    "ink": about("Ink", category="Thematic"),
    "paint": about("Paint", category="Emoji", palette=True),
    "firms": about("Firms", category="Logos", palette=True),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Puts sets of icons into the user's cache, as if npm had brought them."""

    def put(collections=COLLECTIONS, **sets):
        files = {"collections.json": collections} if collections else {}
        for prefix, icons in sets.items():
            content = icons if "icons" in icons else {"icons": icons}
            files[f"json/{prefix}.json"] = {"prefix": prefix, **content}
        return pack({name: json.dumps(content).encode() for name, content in files.items()})

    def pack(files):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        digest = hashlib.sha512(packed.getvalue())
        monkeypatch.setenv("VITOON_CACHE", str(tmp_path))
        monkeypatch.setattr(
            iconify, "INTEGRITY", "sha512-" + base64.b64encode(digest.digest()).decode()
        )
        path = tmp_path / f"iconify-json-2.2.535-{digest.hexdigest()[:12]}.tgz"
        path.write_bytes(packed.getvalue())
        return path

    put.pack = pack
    return put


def found(search, exclude=(), settings=SETTINGS):
    """File names of what a class of these words gets."""
    words = {"search": list(search), "exclude": list(exclude)}
    classes = {"Cat": Class(**words, per_class=settings.per_class)}
    return [picture.name for picture in iconify.pictures(classes, settings)]


# ---- the search -------------------------------------------------------------------------------


def test_whole_words_and_their_plurals_match(package):
    names = ["cat", "cats", "black-cat", "cat-face", "category", "scat", "tomcat-2"]
    package(ink={name: square(f"#{i}{i}{i}") for i, name in enumerate(names)})
    assert sorted(found(["cat"])) == [
        "ink_black-cat.png",
        "ink_cat-face.png",
        "ink_cat.png",
        "ink_cats.png",
    ]


@pytest.mark.parametrize(
    ("word", "name"), [("puppy", "two-puppies"), ("bus", "buses"), ("Hot Dog", "hot-dog-stand")]
)
def test_other_plurals_and_several_words_match(package, word, name):
    package(ink={name: square("red"), "dog-hot": square("blue")})
    assert found([word]) == [f"ink_{name}.png"]


def test_excluded_words_and_patterns_are_left_out(package):
    icons = {"cat": square("red"), "lucky-cat": square("blue"), "cat-5": square("lime")}
    package(ink=icons, paint={"cat-5": square("pink")})
    assert found(["cat"], ["lucky", "ink:cat-?"]) == ["paint_cat-5.png", "ink_cat.png"]


def test_a_brand_is_found_only_by_a_pattern_that_names_its_set(package):
    package(firms={"cat": square("red"), "cat-works": square("blue")})
    assert found(["cat"]) == []
    assert found(["cat", "*:cat"]) == ["firms_cat.png"]


def test_a_set_that_the_catalogue_does_not_list_has_no_licence_and_is_left_out(package):
    package(stray={"cat": square("red")})
    assert found(["cat"]) == []


def test_coloured_sets_come_first_and_sets_take_turns(package):
    more = {"violet": about("Violet", palette=True), **COLLECTIONS}
    package(
        more,
        ink={"cat": square("#111")},
        paint={"cat": square("#222"), "cat-a": square("#333"), "cat-b": square("#444")},
        violet={"cat": square("#555")},
    )
    assert found(["cat"]) == [
        "paint_cat.png",
        "violet_cat.png",
        "paint_cat-a.png",
        "paint_cat-b.png",
        "ink_cat.png",
    ]


def test_an_earlier_search_word_comes_first(package):
    package(paint={"cat": square("#111"), "lion": square("#222")})
    assert found(["lion", "cat"]) == ["paint_lion.png", "paint_cat.png"]


def test_a_second_style_of_a_drawing_comes_last(package):
    names = ["cat", "cat-outline", "cat-with-a-hat"]
    package(paint={name: square(f"#{i}{i}{i}") for i, name in enumerate(names)})
    assert found(["cat"]) == ["paint_cat.png", "paint_cat-with-a-hat.png", "paint_cat-outline.png"]


def test_a_monochrome_set_gives_a_few_and_a_coloured_one_all(package):
    icons = {f"cat-{chr(97 + i)}": square(f"#{i:06x}") for i in range(12)}
    package(ink=icons, paint={f"x-{name}": icon for name, icon in icons.items()})
    names = found(["cat"])
    assert len([n for n in names if n.startswith("paint")]) == 12
    assert [n for n in names if n.startswith("ink")] == []  # the very same drawings
    package(ink=icons)
    assert len(found(["cat"])) == iconify.PER_SET


def test_the_same_drawing_is_taken_once(package):
    package(ink={"icons": {"cat": square("red")}, "aliases": {"cat-face": {"parent": "cat"}}})
    assert found(["cat"]) == ["ink_cat.png"]


def test_no_more_than_asked_and_the_reserve(package):
    package(paint={f"cat-{i}x": square(f"#{i:06x}") for i in range(40)})
    settings = SETTINGS.model_copy(update={"per_class": 3})
    assert len(found(["cat"], settings=settings)) == 3 + RESERVE


def test_a_picture_says_where_it_comes_from(package):
    package(paint={"black-cat": square("red")})
    classes = {"Cat": Class(search=["lion", "cat"], per_class=100)}
    picture = next(iconify.pictures(classes, SETTINGS))
    assert Image.open(io.BytesIO(picture.data)).size == (16, 16)
    assert (picture.class_name, picture.source, picture.query) == ("Cat", "iconify", "cat")
    assert picture.image_url == "iconify:paint/black-cat"
    assert (picture.title, picture.author) == ("Paint", "Ann")
    assert picture.page_url == "https://example.org/ann"
    assert (picture.licence, picture.licence_url) == ("MIT", "https://example.org/mit")


def test_two_searches_give_the_same_bytes_in_the_same_order(package):
    package(paint={f"cat-{i}x": square(f"#{i:06x}") for i in range(60)})
    classes = {name: Class(search=["cat"], per_class=100) for name in ("Cat", "Lion")}
    first, second = (list(iconify.pictures(classes, SETTINGS)) for _ in range(2))
    assert first == second
    assert [p.class_name for p in first] == ["Cat"] * 60 + ["Lion"] * 60


def test_a_package_without_a_catalogue_is_refused(package):
    package(None, ink={"cat": square("red")})
    with pytest.raises(StudyError, match=r"lacks its collections\.json"):
        found(["cat"])


def test_what_is_no_set_is_passed_over(package):
    package.pack(
        {
            "collections.json": json.dumps(COLLECTIONS).encode(),
            "package.json": b'{"name": "@iconify/json"}',
            "../../evil.json": b"{",
            "lib/Finder.php": b"<?php",
            "json/ink.json": json.dumps(
                {"prefix": "ink", "icons": {"cat": square("red")}}
            ).encode(),
        }
    )
    assert found(["cat"]) == ["ink_cat.png"]


def test_a_set_of_too_many_bytes_is_refused(package, monkeypatch):
    package(ink={"cat": square("red")})
    monkeypatch.setattr(iconify, "MAX_MEMBER", 20)
    with pytest.raises(StudyError, match=r"collections\.json has \d+ bytes, too many"):
        found(["cat"])


def test_a_file_that_is_no_archive_is_named(package, tmp_path):
    path = tmp_path / "x.tgz"
    path.write_bytes(b"no archive")
    with pytest.raises(StudyError, match=r"x\.tgz is not the package @iconify/json"):
        list(iconify.members(path))


# ---- drawings ---------------------------------------------------------------------------------


def corner(**changes):
    """Where red is, as four booleans: upper left, upper right, lower left, lower right."""
    content = {"prefix": "ink", "icons": {"a": {"body": CORNER}}}
    content["aliases"] = {"b": {"parent": "a", **changes}}
    image = Image.open(io.BytesIO(draw(icon_svg(content, "b"), 16)))
    seen = [image.getpixel(place) for place in ((4, 4), (12, 4), (4, 12), (12, 12))]
    assert sorted(seen) == [NOTHING] * 3 + [RED]
    return seen.index(RED)


UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT = range(4)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, UPPER_LEFT),
        ({"hFlip": True}, UPPER_RIGHT),
        ({"vFlip": True}, LOWER_LEFT),
        ({"hFlip": True, "vFlip": True}, LOWER_RIGHT),
        ({"rotate": 1}, UPPER_RIGHT),
        ({"rotate": 2}, LOWER_RIGHT),
        ({"rotate": 3}, LOWER_LEFT),
        ({"rotate": 1, "hFlip": True}, LOWER_RIGHT),
        ({"rotate": 3, "vFlip": True}, LOWER_RIGHT),
    ],
)
def test_aliases_turn_and_mirror(changes, place):
    assert corner(**changes) == place


def test_aliases_of_aliases_add_up():
    content = {"prefix": "ink", "icons": {"a": {"body": CORNER}}}
    content["aliases"] = {
        "b": {"parent": "a", "rotate": 1, "hFlip": True},
        "c": {"parent": "b", "rotate": 1, "hFlip": True},
    }
    image = Image.open(io.BytesIO(draw(icon_svg(content, "c"), 16)))
    assert image.getpixel((12, 12)) == RED  # half a turn, mirrored twice


def test_an_alias_that_leads_nowhere_or_round_is_no_drawing():
    content = {"prefix": "ink", "icons": {"old": {**square("red"), "hidden": True}}}
    content["aliases"] = {"a": {"parent": "gone"}, "b": {"parent": "c"}, "c": {"parent": "b"}}
    assert [icon_svg(content, name) for name in ("a", "b", "old")] == [None, None, None]


def test_the_box_is_the_icons_then_the_sets_then_sixteen():
    plain = square("red")
    sized = {"prefix": "ink", "icons": {"a": plain, "b": {**plain, "width": 40}}, "height": 20}
    assert (icon_svg(sized, "a").width, icon_svg(sized, "a").height) == (16, 20)
    assert (icon_svg(sized, "b").width, icon_svg(sized, "b").height) == (40, 20)


def test_left_and_top_move_the_box_also_when_it_is_turned():
    icon = {"body": '<path fill="#f00" d="M10 20h4v8h-4z"/>', "left": 10, "top": 20}
    icon |= {"width": 4, "height": 8}
    for changes in ({}, {"rotate": 1}, {"rotate": 2}, {"rotate": 3}, {"hFlip": True}):
        svg = icon_svg({"prefix": "ink", "icons": {"a": {**icon, **changes}}}, "a")
        image = Image.open(io.BytesIO(draw(svg, 8)))
        assert image.getcolors() == [(32, RED)], changes


def test_the_longer_side_has_the_size_asked_for():
    for width, height, size in ((16, 16, (50, 50)), (32, 16, (50, 25)), (1, 400, (1, 50))):
        svg = icon_svg({"prefix": "ink", "icons": {"a": sized(width, height)}}, "a")
        image = Image.open(io.BytesIO(draw(svg, 50)))
        assert (image.size, image.mode, image.format) == (size, "RGBA", "PNG")


def test_what_has_no_colour_is_drawn_in_ink():
    svg = icon_svg({"prefix": "ink", "icons": {"a": square("currentColor")}}, "a")
    image = Image.open(io.BytesIO(draw(svg, 4)))
    assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((2, 2))[:3]) == INK


def test_processes_draw_the_same_bytes():
    svgs = [icon_svg({"prefix": "ink", "icons": {"a": square(f"#{i:06x}")}}, "a") for i in range(9)]
    with drawers(10_000) as many, drawers(1) as one:
        assert list(many.map(draw, svgs, [32] * 9)) == list(one.map(draw, svgs, [32] * 9))
        assert type(many) is not type(one)


def test_an_icon_that_cannot_be_drawn_is_named_with_its_class(package):
    package(paint={"cat": {"body": "<path"}, "cat-a": square("red")})
    with pytest.raises(StudyError, match=r"paint:cat cannot be drawn .*to classes\.Cat\.exclude"):
        found(["cat"])


# ---- icrawler's seams -------------------------------------------------------------------------


class Numbers(crawl.Feeder):
    def feed(self, pages):
        for page in range(pages):
            self.output(page)


class Tens(crawl.Parser):
    def parse(self, page):
        for place in range(10):
            yield {"page": page, "place": place}


class Names(crawl.Downloader):
    def download(self, number, task):
        time.sleep(0.001 * ((task["place"] * 7 + task["page"]) % 5))  # they end in any order
        return f"{task['page']}-{task['place']}"


def crawled(feeder=Numbers, parser=Tens, downloader=Names, pages=20):
    crawler = crawl.Crawler(feeder, parser, downloader, downloader_threads=4)
    return list(crawler.crawl(pages=pages))


def test_results_come_in_order_and_none_is_lost():
    assert crawled() == [f"{page}-{place}" for page in range(20) for place in range(10)]


def test_results_are_given_while_the_crawl_goes_on():
    parsed = []

    class Noted(Tens):
        def parse(self, page):
            parsed.append(page)
            yield from super().parse(page)

    results = crawl.Crawler(Numbers, Noted, Names, downloader_threads=4).crawl(pages=200)
    next(results)
    assert len(parsed) < 20
    assert len(list(results)) == 1999


def test_a_crawl_has_no_tail():
    start = time.monotonic()
    crawled(pages=1)
    assert time.monotonic() - start < 1  # icrawler's own takes 5 s


class FailingFeeder(Numbers):
    def feed(self, pages):
        self.output(0)
        raise RuntimeError("no page")


class FailingParser(Tens):
    def parse(self, page):
        yield from super().parse(page)
        raise RuntimeError("no page")


class FailingDownloader(Names):
    def download(self, number, task):
        raise RuntimeError("no page")


@pytest.mark.parametrize(
    "broken",
    [{"feeder": FailingFeeder}, {"parser": FailingParser}, {"downloader": FailingDownloader}],
)
def test_an_error_in_a_thread_is_raised_and_no_thread_hangs(broken):
    with pytest.raises(RuntimeError, match="no page"):
        crawled(**broken, pages=200)
