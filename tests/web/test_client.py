"""The HTTP client: where it goes, when it gives up, and what it tells of itself."""

import datetime
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from urllib.parse import quote

import pytest
import trustme

from stages.web import addresses, backoff
from stages.web.client import Client
from stages.web.refusals import Refusal
from tests.web import image_server
from tests.web.guests import SETTINGS, hosting
from tests.web.resolver import sitecustomize as resolver


@pytest.fixture(scope="module")
def server():
    with image_server.running() as running:
        yield running


@pytest.fixture
def loopback(monkeypatch):
    monkeypatch.setenv(addresses.SWITCH, "allow")


@pytest.fixture
def names(monkeypatch):
    """The resolver of the tests, which importing it put in place, for this test only."""
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)


socket.getaddrinfo = resolver._real


@pytest.fixture
def get():
    fetching = Client(SETTINGS)
    yield fetching.get
    fetching.close()


def reason(get, url, **options):
    with pytest.raises(Refusal) as refused:
        get(url, **options)
    return refused.value.reason


# ---- where it goes ----------------------------------------------------------------------------

PRIVATE = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
    *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1"),
    *("198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fe80::1", "fe80::1%lo"),
    *("fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:db8::1", "3fff::1", "100::1"),
    *("2001:0:a00:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001:10::1", "4000::1"),
]
PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address):
    assert not addresses.permitted(address)


@pytest.mark.parametrize("address", [*PUBLIC, "::ffff:1.1.1.1"])
def test_a_public_address_is_permitted(address):
    assert addresses.permitted(address)


def test_the_switch_for_tests_opens_loopback_and_nothing_else(loopback):
    opened = {address for address in PRIVATE if addresses.permitted(address)}
    assert opened == {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0", "LOCALHOST", "localhost."),
    ],
)
def test_loopback_is_not_reached_however_it_is_written(server, get, host):
    port = server.url.rpartition(":")[2]
    before = server.asked()
    assert reason(get, f"http://{host}:{port}/plain.png") == "not_public"
    assert server.asked() == before


@pytest.mark.parametrize("name", ["private.test", "metadata.test", "mixed.test"])
def test_a_name_with_one_address_that_is_not_public_is_refused(names, loopback, get, name):
    assert reason(get, f"http://{name}/plain.png") == "not_public"


def test_the_checked_address_is_the_one_that_is_connected_to(server, names, loopback, get):
    port = server.url.rpartition(":")[2]
    answer = get(f"http://rebinding.test:{port}/plain.png")
    assert answer.body == image_server.picture("/plain.png")
    # The name now says 10.1.2.3; a new connection asks again, and is refused.
    other = Client(SETTINGS)
    assert reason(other.get, f"http://rebinding.test:{port}/plain.png") == "not_public"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/redirect-to-private.png", "not_public"),
        ("/redirect-to-metadata.png", "not_public"),
        ("/redirect-to-file.png", "bad_url"),
        ("/loop.png", "too_many_redirects"),
    ],
)
def test_a_redirect_is_checked_like_a_url(server, loopback, get, path, why):
    assert reason(get, server.url + path) == why


@pytest.mark.parametrize(
    "url",
    [
        *("", "cat.png", "//example.org/a", "ftp://example.org/a", "file:///etc/passwd", "data:,a"),
        *("http://", "http:///a", "http://a b/", "http://u:p@example.org/", "http://[::1/"),
        *("http://example.org:99999/", "javascript:alert(1)", "http://example.org/" + "a" * 9000),
    ],
)
def test_what_is_no_url_of_the_web_is_refused(get, url):
    assert reason(get, url) == "bad_url"


def test_a_name_that_nobody_knows_is_said(get):
    assert reason(get, "http://nobody.invalid/") == "no_such_host"


# ---- what it takes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/plain.png", "/500-then-good.png", "/cut-off-then-good.png", "/packed.png"),
        *("/in-chunks.png", "/Kätzchen im Schnee.png"),
    ],
)
def test_a_good_answer_arrives_with_its_bytes(server, loopback, get, path):
    answer = get(server.url + path)
    assert (answer.status, answer.body) == (200, image_server.picture(quote(path)))


def test_a_redirect_leads_to_the_picture_and_its_url_is_told(server, loopback, get):
    answer = get(f"{server.url}/redirect-unicode.png")
    assert answer.body == image_server.picture("/v%C3%B6gel.png")
    assert answer.url == f"{server.url}/v%C3%B6gel.png"


def test_a_redirect_can_be_looked_at_instead(server, loopback, get):
    answer = get(f"{server.url}/redirect-to-good.png", follow=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere/good.png")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/drip.png", "too_slow"),
        ("/drip-in-header.png", "too_slow"),
        ("/silent.png", "time_out"),
        ("/always-cut-off.png", "connection"),
        ("/two-lengths.png", "bad_answer"),
        ("/gzip-bomb.png", "too_large"),
        ("/2-gigabytes.png", "too_large"),
    ],
)
def test_a_bad_answer_has_a_reason_in_time(server, loopback, get, path, why):
    started = time.monotonic()
    assert reason(get, server.url + path) == why
    assert time.monotonic() - started < 8


def test_what_unpacks_to_more_than_the_limit_is_never_held(server, loopback, get):
    import tracemalloc

    get(f"{server.url}/plain.png")
    tracemalloc.start()
    assert reason(get, f"{server.url}/gzip-bomb.png") == "too_large"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000  # of 300 million that the answer unpacks to


def test_a_status_that_may_pass_is_tried_again_and_told_in_the_end(server, loopback, get):
    before = server.asked().get("/always-500.png", 0)
    assert get(f"{server.url}/always-500.png").status == 500
    assert server.asked()["/always-500.png"] - before == 1 + SETTINGS.retries


def test_a_status_that_will_not_pass_is_not_tried_again(server, loopback, get):
    before = server.asked().get("/403.png", 0)
    assert get(f"{server.url}/403.png").status == 403
    assert server.asked()["/403.png"] - before == 1


def test_retry_after_is_waited_for(server, loopback, get):
    started = time.monotonic()
    assert get(f"{server.url}/429-then-good.png").status == 200
    assert time.monotonic() - started >= 1


def test_who_asks_for_an_hour_is_not_asked_again(server, loopback, get):
    before = server.asked().get("/429-for-an-hour.png", 0)
    assert get(f"{server.url}/429-for-an-hour.png").status == 429
    assert server.asked()["/429-for-an-hour.png"] - before == 1


def test_retry_after_is_read_as_seconds_or_a_date():
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=30)
    assert backoff.retry_after("7") == 7
    assert 28 < backoff.retry_after(format_datetime(soon, usegmt=True)) <= 30
    assert [backoff.retry_after(said) for said in (None, "soon", "-3", "", "²")] == [0] * 5
    assert backoff.retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


# ---- how it behaves: a server that looks at its guests ----------------------------------------


def test_a_host_has_no_more_connections_than_its_share(names, loopback):
    fetching = Client(SETTINGS)
    with hosting() as one, ThreadPoolExecutor(12) as pool:
        urls = [f"http://127.0.0.1:{one.server_port}/{i}" for i in range(24)]
        assert {answer.status for answer in pool.map(fetching.get, urls)} == {200}
        assert one.book["most"] == SETTINGS.connections_per_host
    fetching.close()


def test_it_says_who_it_is_and_what_it_was_told_to_say(loopback, get):
    with hosting() as host:
        get(f"http://127.0.0.1:{host.server_port}/", {"Accept": "image/*"})
        said = host.book["headers"][0]
    assert said["User-Agent"] == "ViToon/0.1 (a test)"
    assert said["Accept"] == "image/*"
    assert said["Host"] == f"127.0.0.1:{host.server_port}"


def test_a_cookie_is_not_told_to_another_host(loopback, get):
    with hosting() as one, hosting() as other:
        one.redirect = f"http://127.0.0.1:{other.server_port}/"
        get(f"http://127.0.0.1:{one.server_port}/away", {"Cookie": "a=b", "X-Any": "c"})
        assert one.book["headers"][0]["Cookie"] == "a=b"
        assert "Cookie" not in other.book["headers"][0]
        assert other.book["headers"][0]["X-Any"] == "c"


def test_five_redirects_are_followed_and_no_more(server, loopback, get):
    asked = []
    with pytest.raises(Refusal):
        get(f"{server.url}/loop.png", permit=asked.append)
    assert len(asked) == 1 + 5


def test_every_step_of_a_redirect_is_asked_about_first(server, loopback, get):
    asked = []
    get(f"{server.url}/redirect-to-good.png", permit=asked.append)
    assert asked == [f"{server.url}/redirect-to-good.png", f"{server.url}/elsewhere/good.png"]


# ---- TLS --------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A server's TLS context for the name here.test, whose issuer this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("here.test").configure_cert(context)
    return context


def test_tls_is_with_the_name_though_the_connection_is_to_the_address(certificate, names, loopback):
    with hosting(certificate) as host:
        fetching = Client(SETTINGS)
        assert fetching.get(f"https://here.test:{host.server_port}/").status == 200
        assert host.book["headers"][0]["Host"] == f"here.test:{host.server_port}"
        fetching.close()


def test_a_certificate_of_another_name_is_refused(certificate, names, loopback):
    with hosting(certificate) as host:
        fetching = Client(SETTINGS)
        address = f"https://also-here.test:{host.server_port}/"
        assert reason(fetching.get, address) == "certificate"
        assert host.book["headers"] == []
