"""What is read from the pages of search engines: all of every shape, and never a crash."""

import inspect
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.sources import (
    baidu,
    bing,
    commons,
    duckduckgo,
    flickr,
    google_pages,
    openverse,
    saved_pages,
)
from stages.sources.results import (
    Result,
    UnreadableError,
    clean,
    number,
    text_of,
    together,
    web_url,
)
from tests.sources import search_pages
from tests.sources.search_pages import GOOGLE

CATS = [
    Result(
        image_url=f"https://img{n}.example.org/a b/cat-{n}.png?x=1&y={n}%2F=".replace(" ", "%20"),
        page_url=f"https://www.example.org/photos/owner/{n}",
        title=title,
        width=600 + n,
        height=400 + 3 * n,
        author=f"Ann {n}",
        licence="CC-BY-SA-4.0",
        licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
    )
    for n, title in enumerate(
        [
            "cartoon cat",
            'A "fat" cat',
            "Tom & Jerry's cat",
            "ねこ – cat · x",
            "1 < 2 > 0",
            "back\\slash",
        ]
    )
]


def plain(results):
    """Without what only the engines of open licences say."""
    return [replace(r, author="", licence="", licence_url="") for r in results]


# ---- Google -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", GOOGLE)
def test_all_that_a_page_of_google_says_of_every_picture_is_read(shape):
    found = google_pages.parse(GOOGLE[shape](CATS))
    assert plain(found) == plain(CATS)


def test_googles_own_app_also_names_the_author():
    assert [r.author for r in google_pages.parse(search_pages.g3(CATS))] == [c.author for c in CATS]


def test_a_picture_without_its_size_is_read_without_it():
    cat = replace(CATS[0], width=0, height=0)
    for shape in ("g1", "g4"):
        assert plain(google_pages.parse(GOOGLE[shape]([cat]))) == plain([cat])


def test_what_two_shapes_say_of_one_picture_is_put_together():
    page = search_pages.g1([replace(CATS[0], title="", page_url="")])
    page = page.replace("</body>", search_pages.g5(CATS[:2]) + "</body>")
    assert plain(google_pages.parse(page)) == plain(CATS[:2])


def test_records_in_a_file_of_their_own_are_joined_with_the_pages_cards():
    page = search_pages.g1(CATS)
    start, end = page.index("<script"), page.index("</script>")
    found = google_pages.parse(page[:start] + page[end:], page[start:end])
    assert plain(found) == plain(CATS)


def test_records_in_a_text_of_a_script_are_read():
    script = search_pages.script_text(search_pages.record(CATS[0])).replace('"', r"\x22")
    assert google_pages.parse(f"<p>x</p><script>f('{script}')</script>")[0].width == 600


def test_a_thumbnail_is_no_picture():
    record = search_pages.record(replace(CATS[0], image_url=search_pages.THUMB.format(1)))
    with pytest.raises(UnreadableError):
        google_pages.parse(f"<script>{search_pages.script_text(record)}</script>")


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (search_pages.CAPTCHA, "captcha page"),
        (search_pages.CONSENT, "consent page"),
        (search_pages.SHELL, "script shell"),
        (search_pages.THUMBS_ONLY, "page of thumbnails, without the addresses of its pictures"),
        (search_pages.NEW_SHAPE, "unknown page"),
        ("", "unknown page"),
    ],
)
def test_a_page_of_google_without_results_is_named(page, name):
    with pytest.raises(UnreadableError) as error:
        google_pages.results(200, "https://www.google.com/search?q=cat", page.encode())
    assert error.value.reason == name


@pytest.mark.parametrize(
    ("status", "url", "name"),
    [
        (403, "https://www.google.com/search?q=cat", "403, refused"),
        (429, "https://www.google.com/search?q=cat", "429, too many requests"),
        (429, "https://www.google.com/sorry/index?continue=x", "captcha page"),
        (200, "https://consent.google.com/ml?continue=x", "consent page"),
        (500, "https://www.google.com/search?q=cat", "status 500"),
    ],
)
def test_an_answer_of_google_is_named_before_its_page_is_read(status, url, name):
    with pytest.raises(UnreadableError) as error:
        google_pages.results(status, url, search_pages.g1(CATS).encode())
    assert error.value.reason == name


@pytest.mark.parametrize("shape", ["g2-wml", "g3"])
def test_an_empty_page_of_a_known_shape_is_the_end_of_the_results(shape):
    assert google_pages.parse(GOOGLE[shape]([])) == []


# ---- the others -------------------------------------------------------------------------------


@pytest.mark.parametrize("sized", ["href", "x", "×"])
def test_all_that_a_page_of_bing_says_is_read(sized):
    assert bing.parse(search_pages.bing(CATS, "cat", sized=sized), "cat") == plain(CATS)


def test_a_page_of_bing_for_another_query_is_named():
    with pytest.raises(UnreadableError, match="page of another query"):
        bing.parse(search_pages.bing(CATS, "dog"), "cat")


def test_one_broken_record_of_bing_costs_no_other():
    page = search_pages.bing(CATS).replace("&quot;murl&quot;", "&quot;murl", 1)
    assert bing.parse(page, "cat") == plain(CATS[1:])


@pytest.mark.parametrize(
    ("page", "name"),
    [("<html><div id='turnstile'>", "captcha page"), ("<p>new</p>", "unknown page")],
)
def test_a_page_of_bing_without_results_is_named(page, name):
    with pytest.raises(UnreadableError, match=name):
        bing.parse(page, "cat")


def test_an_empty_fragment_of_bing_is_the_end():
    assert bing.parse(search_pages.bing([]), "cat") == []


@pytest.mark.parametrize("coded", [True, False])
def test_all_that_an_answer_of_baidu_says_is_read(coded):
    found, there = baidu.parse(search_pages.baidu(CATS, coded=coded))
    if coded:  # letters stand for letters, so that capitals and signs stay
        assert [r.image_url for r in found] == [c.image_url for c in CATS]
    titles = [c.title if c.title != "1 < 2 > 0" else "1 < 2 > 0" for c in CATS]
    assert found == plain([replace(c, title=t) for c, t in zip(CATS, titles, strict=True)])
    assert there == 1000


def test_the_decoding_of_baidu_is_that_of_a_known_address():
    coded = "ippr_z2C$qAzdH3FAzdH3Ftw2j_z&e3Bkwt17_z&e3Bv54"
    assert baidu.decoded(coded) == "http://image.baidu.com".replace("image", "iage")


def test_a_refusal_of_baidu_is_named():
    with pytest.raises(UnreadableError, match=r"anti-spider answer \(Forbid spider access\)"):
        baidu.parse(search_pages.BAIDU_FORBIDDEN)


def test_all_that_an_answer_of_duckduckgo_says_is_read():
    found, after = duckduckgo.parse(search_pages.duckduckgo(CATS, after=100))
    assert found == plain(CATS)
    assert after == {"s": "100"}
    assert duckduckgo.parse(search_pages.duckduckgo(CATS))[1] == {}
    assert duckduckgo.token(search_pages.duckduckgo_home(token="4-7701")) == "4-7701"


def test_all_that_an_answer_of_openverse_says_is_read():
    assert openverse.parse(search_pages.openverse(CATS, pages=3)) == (CATS, 3)


@pytest.mark.parametrize(
    ("licence", "version", "name"),
    [("by", "2.0", "CC-BY-2.0"), ("cc0", "1.0", "CC0-1.0"), ("pdm", "1.0", "pdm"), ("", "", "")],
)
def test_licences_of_openverse_have_their_spdx_names(licence, version, name):
    assert openverse.spdx(licence, version) == name


def test_all_that_an_answer_of_commons_says_is_read_in_its_order():
    found, after = commons.parse(search_pages.commons(CATS, offset=50))
    assert found == CATS
    assert after == {"gsroffset": 50}


def test_of_a_drawing_commons_own_picture_is_taken():
    page = search_pages.commons(CATS[:1]).replace("image/png", "image/svg+xml")
    page = page.replace('"url"', '"thumburl": "https://x.test/a.svg.png", "thumbwidth": 9, "url"')
    (found,), _ = commons.parse(page)
    assert (found.image_url, found.width) == ("https://x.test/a.svg.png", 9)


@pytest.mark.parametrize(
    ("short", "name"),
    [("CC BY 2.5", "CC-BY-2.5"), ("CC0", "CC0-1.0"), ("Public domain", "Public domain")],
)
def test_licences_of_commons_have_their_spdx_names(short, name):
    assert commons.spdx(short) == name


def test_all_that_an_answer_of_flickr_says_is_read():
    found, last = flickr.parse(search_pages.flickr(CATS, pages=2))
    assert found == [
        replace(
            c,
            page_url=c.page_url.replace("example.org", "flickr.com"),
            licence="CC-BY-SA-2.0",
            licence_url="",
        )
        for c in CATS
    ]
    assert last == 2


@pytest.mark.parametrize(
    ("parse", "page", "name"),
    [
        (flickr.parse, '{"stat":"fail","message":"Invalid API Key"}', "says: Invalid API Key"),
        (commons.parse, '{"error":{"code":"ratelimited"}}', "says: ratelimited"),
        (openverse.parse, '{"detail":"Request was throttled."}', "says: Request was throttled"),
        *((p, "<html>", "unknown page") for p in (flickr.parse, commons.parse, openverse.parse)),
        *((p, "[]", "unknown page") for p in (duckduckgo.parse, baidu.parse)),
        (duckduckgo.token, "<html>", "page without its token"),
    ],
)
def test_an_answer_without_results_is_named(parse, page, name):
    with pytest.raises(UnreadableError, match=name):
        parse(page)


# ---- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://a.test/x y.png", "https://a.test/x%20y.png"),
        ("//a.test/x", "https://a.test/x"),
        *((v, "") for v in ("data:image/gif;base64,x", "/x.png", "https://", "ftp://a.test", None)),
        ("https://a.test/\x00", ""),
        ("https://a.test/" + "x" * 9000, ""),
    ],
)
def test_only_addresses_of_the_web_are_taken(value, url):
    assert web_url(value) == url


def test_titles_are_one_line_of_plain_text():
    assert clean("a <b>fat</b>\n cat &amp; \ud800\x00 dog") == "a fat cat & ? dog"
    assert len(clean("x" * 9000)) == 500


@pytest.mark.parametrize(
    ("value", "pixels"),
    [("12", 12), (12.0, 12), (0, 0), (-3, 0), (True, 0), (None, 0), ("x", 0), (10**9, 0)],
)
def test_only_sizes_of_pictures_are_taken(value, pixels):
    assert number(value) == pixels


def test_a_page_is_read_in_its_own_encoding():
    page = '<meta charset="gb2312">猫'
    assert text_of(page.encode("gb2312")) == page
    assert text_of(b"<meta charset=no-such-thing>\xc3\xa9").endswith("é")
    assert text_of("é".encode("utf-16")).endswith("é")


def test_an_image_found_twice_stands_where_it_came_first():
    first, second = Result("https://a.test/1"), Result("https://a.test/2")
    more = replace(first, title="cat", width=3)
    assert together([first, second, more, Result("")]) == [more, second]


# ---- no page ever crashes a parser ------------------------------------------------------------

PARSERS = {
    "google": google_pages.parse,
    "bing": lambda page: bing.parse(page, "cat"),
    **{module.__name__: module.parse for module in (baidu, commons, duckduckgo, flickr, openverse)},
}
PAGES = [
    *(draw(CATS[:2]) for draw in GOOGLE.values()),
    *(search_pages.bing(CATS[:2]), search_pages.baidu(CATS[:2])),
    *(search_pages.duckduckgo(CATS[:2], after=3), search_pages.openverse(CATS[:2])),
    *(search_pages.commons(CATS[:2], offset=2), search_pages.flickr(CATS[:2])),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def is_read_or_named(parse, page):
    try:
        found, reason = parse(page), ""
    except UnreadableError as error:
        found, reason = [], error.reason
    assert reason.isprintable()
    for result in found[0] if isinstance(found, tuple) else found:
        assert web_url(result.image_url) == result.image_url != ""
        for value in vars(result).values():
            assert str(value).isprintable()
            str(value).encode()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damaged_page_crashes_a_parser(data):
    page = data.draw(st.sampled_from(PAGES))
    start = data.draw(st.integers(0, len(page)))
    stop = data.draw(st.integers(start, min(len(page), start + 60)))
    put = data.draw(st.text(max_size=10) | st.text("{}[]<>\"'\\,:&;=0null/", max_size=12))
    for parse in PARSERS.values():
        is_read_or_named(parse, page[:start] + put + page[stop:])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_other_value_in_an_answer_crashes_a_parser(data):
    page = data.draw(st.sampled_from([*PAGES[-4:], search_pages.g3(CATS[:2])[5:]]))
    content = place = json.loads(page)
    while True:
        key = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
        )
        if not (isinstance(place[key], (dict, list)) and place[key]) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    for parse in PARSERS.values():
        is_read_or_named(parse, json.dumps(content))


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=300), page=st.sampled_from(PAGES))
def test_no_bytes_crash_a_parser(body, page):
    for parse in PARSERS.values():
        is_read_or_named(parse, text_of(body + page.encode("utf-8", "replace")))
    saved_pages.parts(body + page.encode())


@pytest.mark.parametrize(
    "page",
    [
        '[0,"abcdef",["' * 20_000,
        "[" * 200_000,
        "AF_initDataCallback({data:" + "[" * 100_000,
        "/wml/search?" * 50_000,
        "<div data-docid=a>" * 5_000,
        "<a class=iusc m='{}'>" * 2_000,
        '{"ischj":' * 20_000,
        '"\\' * 100_000,
    ],
)
def test_no_page_keeps_a_parser_busy(page):
    started = time.monotonic()
    for parse in PARSERS.values():
        is_read_or_named(parse, page)
    assert time.monotonic() - started < 10


def test_every_parser_says_what_it_raises():
    assert all("UnreadableError" in inspect.getdoc(m.parse) for m in (bing, baidu, google_pages))
