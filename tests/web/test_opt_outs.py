"""What owners of pictures say: robots.txt, and headers."""

import pytest
from urllib3 import HTTPHeaderDict

from stages.web.addresses import SWITCH
from stages.web.client import Client, Response
from stages.web.opt_outs import Robots, opted_out, parse, permitted
from stages.web.refusals import Refusal
from tests.web import image_server
from tests.web.guests import SETTINGS


def allowed(text, path, agent="ViToon"):
    return permitted(parse(text, agent), path)


@pytest.mark.parametrize(
    ("rules", "path", "answer"),
    [
        # Of RFC 9309, 2.2.2, 2.2.3 and 5.2.
        ("Disallow: /", "/cat.png", False),
        ("Disallow:", "/cat.png", True),
        ("", "/cat.png", True),
        ("Allow: /example/page/\nDisallow: /example/page/disallowed.gif", "/example/page/", True),
        (
            "Allow: /example/page/\nDisallow: /example/page/disallowed.gif",
            "/example/page/disallowed.gif",
            False,
        ),
        ("Disallow: *.gif$", "/a/b.gif", False),
        ("Disallow: *.gif$", "/a/b.gif?x", True),
        ("Disallow: /a*c", "/abbbcd", False),
        ("Disallow: /a*c*e$", "/abcde", False),
        ("Disallow: /a*c*e$", "/abcdef", True),
        ("Disallow: /cat", "/Cat", True),
        ("Disallow: /cat", "/category", False),
        ("Allow: /p\nDisallow: /p", "/p", True),
        ("Disallow: /foo/bar/ツ", "/foo/bar/%E3%83%84", False),
        ("Disallow: /foo/bar/%E3%83%84", "/foo/bar/ツ", False),
        ("Disallow: /foo/bar/%62%61%7A", "/foo/bar/baz", False),
        ("Disallow: /a%2fb", "/a/b", True),
        ("Disallow: /*?", "/a?b=1", False),
        ("Disallow: /*?", "/a", True),
        ("disallow : /x # not this", "/x", False),
    ],
)
def test_a_rule_of_robots_txt_means_what_the_standard_says(rules, path, answer):
    assert allowed(f"User-agent: *\n{rules}", path) is answer


def test_an_agents_own_group_replaces_that_of_all():
    text = "User-agent: *\nDisallow: /\n\nUser-agent: VITOON/2\nDisallow: /x\n"
    assert allowed(text, "/y")
    assert not allowed(text, "/x")
    assert not allowed(text, "/y", agent="other")


def test_groups_of_one_agent_are_taken_together_and_names_may_share_rules():
    text = "User-agent: a\nUser-agent: vitoon\nDisallow: /x\nUser-agent: b\nDisallow: /z\n"
    text += "User-agent: ViToon\nDisallow: /y\nSitemap: /map\n"
    assert [allowed(text, path) for path in ("/x", "/y", "/z")] == [False, False, True]


def test_a_rule_of_many_stars_takes_no_time():
    text = "User-agent: *\nDisallow: /" + "*a" * 900 + "$"
    assert allowed(text, "/" + "a" * 800 + "b")


@pytest.mark.parametrize(
    ("said", "no"),
    [
        (["noai"], True),
        (["NoImageAI, noindex"], True),
        (["noindex, noml"], True),
        (["noindex, nofollow"], False),
        (["vitoon: noai"], True),
        (["otherbot: noai"], False),
        (["otherbot: noindex", "noai"], True),
        (["otherbot: noindex, vitoon: noai"], True),
        (["otherbot: noai, vitoon: noindex"], False),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], True),
        (["max-image-preview: large, noai"], True),
        ([], False),
    ],
)
def test_a_header_that_says_no_to_training_is_respected(said, no):
    headers = HTTPHeaderDict()
    for value in said:
        headers.add("X-Robots-Tag", value)
    assert opted_out(headers, "ViToon") is no


def test_the_reservation_of_text_and_data_mining_is_respected():
    assert opted_out(HTTPHeaderDict({"TDM-Reservation": "1"}), "ViToon")
    assert not opted_out(HTTPHeaderDict({"TDM-Reservation": "0"}), "ViToon")


def test_a_hosts_robots_txt_is_read_once_and_obeyed(monkeypatch):
    monkeypatch.setenv(SWITCH, "allow")
    with image_server.running() as server:
        robots = Robots(Client(SETTINGS), "ViToon")
        robots.require(f"{server.url}/allowed/by-robots.png")
        with pytest.raises(Refusal) as refused:
            robots.require(f"{server.url}/disallowed/by-robots.png")
        assert refused.value.reason == "robots"
        with pytest.raises(Refusal, match="does not let us"):
            Robots(Client(SETTINGS), "Other").require(f"{server.url}/allowed/by-robots.png")
        assert server.asked() == {"/robots.txt": 2}


@pytest.mark.parametrize(
    ("rules", "path", "answer"),
    [
        ("Disallow: /a*bc*bc", "/abcbc", False),
        ("Disallow: /a*bc*bc", "/abc", True),  # a piece is met once
        ("Disallow: /a*bc$", "/abcbc", False),
        ("Disallow: /ab*b$", "/ab", True),
        ("Disallow: /ab*b$", "/abb", False),
        ("Disallow: /a$", "/a", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: /*/c*d", "/a/b/c", True),
        ("Disallow: /*/c*d", "/a/b/c/d/e", False),
        ("Disallow: /*x*y*z", "/xzy", True),
        ("Disallow: a", "/a", True),  # a rule starts where the path does
        ("Allow: /ab\nDisallow: /a", "/abc", True),
        ("Disallow: /ab\nAllow: /a", "/abc", False),
        ("Disallow: *", "/x", False),
        ("Disallow: **/x", "/a/x", False),
        ("Disallow: /a%2Fb", "/a%2fb", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        ("Disallow: /ä", "/%C3%A4", False),
        ("Disallow: /a~", "/a%7E", False),
        ("Disallow: /\nnonsense\n: /\nAllow", "/x", False),
        ("Crawl-delay: 5\nDisallow: /", "/x", False),
    ],
)
def test_stars_and_escapes_are_read_piece_by_piece(rules, path, answer):
    assert allowed(f"User-agent: *\n{rules}", path) is answer


def test_a_rule_too_long_is_left_out_and_one_as_long_as_allowed_is_not():
    short, long = "/" + "a" * 1999, "/" + "b" * 2000
    text = f"User-agent: *\nDisallow: {short}\nDisallow: {long}\n"
    assert not allowed(text, short)
    assert allowed(text, long)


def test_a_mark_at_the_start_and_windows_line_ends_are_no_rules():
    assert not allowed("\ufeffUser-agent: *\r\nDisallow: /\r\n", "/x")


def test_rules_before_any_agent_are_nobodys():
    assert allowed("Disallow: /\nUser-agent: other\nDisallow: /\n", "/x")


def test_a_name_with_its_version_or_more_words_is_the_name():
    assert not allowed("User-agent: ViToon/0.1 (a test)\nDisallow: /\n", "/x")
    assert allowed("User-agent: ViToonBot\nDisallow: /\n", "/x")
    assert not allowed("User-agent: vi_toon-x\nDisallow: /\n", "/x", agent="vi_toon-x")


@pytest.mark.parametrize(
    ("said", "no"),
    [
        (["*: noai"], True),
        (["VITOON: NOAI"], True),
        ([" vitoon : noai "], True),
        (["max-snippet: 5, noai"], True),
        (["max-video-preview: 5, noml"], True),
        (["otherbot: noindex, noai"], False),
        (["noai-ish"], False),
    ],
)
def test_whom_a_directive_is_for(said, no):
    headers = HTTPHeaderDict()
    for value in said:
        headers.add("X-Robots-Tag", value)
    assert opted_out(headers, "ViToon") is no


def test_a_reservation_may_have_spaces():
    assert opted_out(HTTPHeaderDict({"TDM-Reservation": " 1 "}), "ViToon")


class Hosts:
    """A client of made-up answers to robots.txt: a real server says each in one way only."""

    def __init__(self, *answers):
        self.answers, self.asked = dict(answers), []

    def get(self, url):
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, Refusal):
            raise answer
        status, body = answer
        return Response(status, HTTPHeaderDict(), url, body)


def verdict(robots, url):
    try:
        robots.require(url)
    except Refusal as refusal:
        return refusal.reason
    return "allowed"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, b"User-agent: *\nDisallow: /\n"), "robots"),
        ((404, b"User-agent: *\nDisallow: /\n"), "allowed"),
        ((403, b""), "allowed"),
        ((301, b""), "allowed"),
        ((429, b""), "robots_unknown"),
        ((430, b""), "allowed"),
        ((499, b""), "allowed"),
        ((500, b""), "robots_unknown"),
        ((503, b""), "robots_unknown"),
        (Refusal("time_out", "too late"), "time_out"),
        ((200, b"User-agent: *\nDisallow: /\xff\n"), "allowed"),
        ((200, b"#" * (500 * 1024 - 40) + b"\nUser-agent: *\nDisallow: /a.png\n"), "robots"),
        ((200, b"#" * (500 * 1024) + b"\nUser-agent: *\nDisallow: /\n"), "allowed"),
    ],
)
def test_what_a_hosts_answer_means(answer, expected):
    hosts = Hosts(("https://a.test/robots.txt", answer))
    robots = Robots(hosts, "ViToon")
    assert [verdict(robots, "https://a.test/a.png") for _ in range(3)] == [expected] * 3
    assert hosts.asked == ["https://a.test/robots.txt"]


def test_each_scheme_host_and_port_has_rules_of_its_own_for_path_and_query():
    hosts = Hosts(
        ("https://a.test/robots.txt", (200, b"User-agent: *\nDisallow: /*?size=\nDisallow: /$")),
        ("http://a.test/robots.txt", (200, b"")),
        ("https://a.test:8443/robots.txt", (200, b"User-agent: *\nDisallow: /")),
    )
    robots = Robots(hosts, "ViToon")
    urls = {
        "https://a.test/x?size=1": "robots",
        "https://a.test/x": "allowed",
        "https://a.test": "robots",
        "http://a.test/x?size=1": "allowed",
        "https://a.test:8443/x": "robots",
    }
    assert {url: verdict(robots, url) for url in urls} == urls
    assert len(hosts.asked) == 3
    with pytest.raises(Refusal) as refused:
        robots.require("https://a.test/x?size=1")
    assert str(refused.value) == (
        "https://a.test/robots.txt does not let us fetch https://a.test/x?size=1"
    )
