"""What owners of pictures say: robots.txt, and headers."""

import pytest
from urllib3 import HTTPHeaderDict

from stages.web.addresses import SWITCH
from stages.web.client import Client, Refusal
from stages.web.opt_outs import Robots, opted_out, parse, permitted
from tests.web import image_server
from tests.web.test_client import SETTINGS


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
def test_a_header_that_says_no_to_training_is_heard(said, no):
    headers = HTTPHeaderDict()
    for value in said:
        headers.add("X-Robots-Tag", value)
    assert opted_out(headers, "ViToon") is no


def test_the_reservation_of_text_and_data_mining_is_heard():
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
