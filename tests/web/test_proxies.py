"""Behind a firewall: a real proxy, servers with a certificate of their own, on loopback."""

import base64
import contextlib
import http.server
import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import time
from ipaddress import ip_network
from urllib.parse import quote

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from stages.errors import StudyError
from stages.networks import publishers
from stages.sources.download import Fetcher
from stages.web import addresses, connections, proxies
from stages.web.client import Client
from stages.web.refusals import Refusal
from stages.zoo import Published
from tests.web import image_server, proxy_server
from tests.web.guests import SETTINGS, hosting
from tests.web.resolver import sitecustomize as resolver

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
SECRET = "user:p%40ss"  # p@ss


@pytest.fixture(autouse=True)
def _no_proxy_yet(monkeypatch):
    for name in (*VARIABLES, "ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _names(monkeypatch):
    """Loopback may be reached, and here.test is there; pictures.example only the proxy knows."""
    monkeypatch.setenv(addresses.SWITCH, "allow")

    def getaddrinfo(host, *words, **options):
        if str(host).endswith(".example"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolver.getaddrinfo(host, *words, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(scope="module")
def pictures():
    with image_server.running() as server:
        yield server


@pytest.fixture(scope="module")
def plain_proxy(tmp_path_factory):
    with proxy_server.running(tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture
def proxy(plain_proxy, monkeypatch):
    """A proxy that the environment names, with nothing asked of it yet."""
    plain_proxy.book.unlink(missing_ok=True)
    monkeypatch.setenv("HTTP_PROXY", plain_proxy.url)
    monkeypatch.setenv("HTTPS_PROXY", plain_proxy.url)
    return plain_proxy


@pytest.fixture(scope="module")
def strict_proxy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strict")
    with proxy_server.running(folder, "--basic-auth", "user:p@ss") as running:
        yield running


@pytest.fixture
def get():
    with client() as one:
        yield one.get


@contextlib.contextmanager
def client(**options):
    fetching = Client(SETTINGS, **options)
    try:
        yield fetching
    finally:
        fetching.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A company's own certificate authority; `file` is what it gives to its people."""
    authority = trustme.CA()
    authority.file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(authority.file)
    return authority


@pytest.fixture
def secure(authority):
    """An https server with that authority's certificate for here.test and pictures.example."""
    with hosting(speaks_tls(authority, "here.test", "pictures.example")) as host:
        yield host


def refused(get, url, **options):
    with pytest.raises(Refusal) as error:
        get(url, **options)
    return error.value


def port(server):
    return server.url.rpartition(":")[2]


# ---- through it -------------------------------------------------------------------------------


def test_http_goes_through_the_proxy(proxy, pictures, get):
    answer = get(f"http://here.test:{port(pictures)}/plain.png")
    assert answer.body == image_server.picture("/plain.png")
    assert str(answer.proxy) == proxy.url
    assert proxy.asked() == [f"GET here.test:{port(pictures)}"]


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_https_goes_through_a_tunnel_and_believes_the_named_authority(
    proxy, secure, authority, monkeypatch, variable
):
    monkeypatch.setenv(variable, str(authority.file))
    with client() as one:
        assert one.get(f"https://here.test:{secure.server_port}/").status == 200
    assert proxy.asked() == [f"CONNECT here.test:{secure.server_port}"]
    assert secure.book["headers"][0]["Host"] == f"here.test:{secure.server_port}"


def test_a_targets_certificate_is_verified_through_the_tunnel_too(
    proxy, secure, authority, monkeypatch, get
):
    stranger = refused(get, f"https://here.test:{secure.server_port}/")
    assert stranger.reason == "certificate"
    assert "SSL_CERT_FILE" in str(stranger)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with client() as one:
        other_name = refused(one.get, f"https://also-here.test:{secure.server_port}/")
    assert other_name.reason == "certificate"
    assert proxy.url in str(other_name)
    assert secure.book["headers"] == []


def test_a_proxy_may_speak_tls_itself(secure, authority, tmp_path, monkeypatch, pictures):
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    options = ("--cert-file", str(tmp_path / "cert.pem"), "--key-file", str(tmp_path / "key.pem"))
    with proxy_server.running(tmp_path, *options) as proxy, client() as one:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert one.get(f"https://here.test:{secure.server_port}/").status == 200
        assert one.get(f"http://here.test:{port(pictures)}/plain.png").status == 200
        assert len(proxy.asked()) == 2


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("value", ["here.test", "example.org, .test", "*", "here.test:{port}"])
def test_no_proxy_is_respected(proxy, pictures, get, monkeypatch, name, value):
    monkeypatch.setenv(name, value.format(port=port(pictures)))
    assert get(f"http://here.test:{port(pictures)}/plain.png").proxy is None
    assert proxy.asked() == []


def test_each_scheme_has_its_own_proxy_and_the_lower_case_counts(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://upper:1")
    monkeypatch.setenv("http_proxy", "lower:2")
    assert proxies.proxy_for(parse_url("http://a.example/")).url == "http://lower:2"
    assert proxies.proxy_for(parse_url("https://a.example/")) is None
    monkeypatch.setenv("ALL_PROXY", "http://all:3")
    assert proxies.proxy_for(parse_url("https://a.example/")).url == "http://all:3"


@pytest.mark.parametrize("value", ["socks5://u:secret@proxy:1080", "http://", "http://u:secret@["])
def test_what_names_no_proxy_of_http_is_an_error_without_its_password(monkeypatch, get, value):
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(StudyError, match="HTTPS_PROXY or ALL_PROXY names no proxy") as error:
        get("https://example.org/")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_bundle_that_is_none_is_named(monkeypatch, tmp_path, variable):
    for content in (None, "no certificate"):
        if content:
            (tmp_path / "ca.pem").write_text(content)
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
        with pytest.raises(StudyError, match=f"{variable} names .*ca.pem, which cannot be read"):
            connections.trust()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl names files of such folders")
def test_a_folder_of_certificates_counts_beside_a_file(secure, authority, tmp_path, monkeypatch):
    trustme.CA().cert_pem.write_to_path(tmp_path / "another.pem")
    words = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority.file)]
    name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(authority.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "another.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with client() as one:
        assert one.get(f"https://here.test:{secure.server_port}/").status == 200


# ---- what it says no to -----------------------------------------------------------------------


def test_a_password_opens_the_proxy_and_is_told_to_no_host(
    strict_proxy, pictures, secure, authority, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("ALL_PROXY", f"http://{SECRET}@{strict_proxy.address}")
    with client() as one, hosting() as plain:
        assert one.get(f"http://here.test:{plain.server_port}/").status == 200
        assert one.get(f"https://here.test:{secure.server_port}/").status == 200
    told = [*plain.book["headers"], *secure.book["headers"]]
    assert len(told) == 2
    assert not [headers for headers in told if "Proxy-Authorization" in headers]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrong_password_is_said_and_never_printed(
    strict_proxy, pictures, secure, get, monkeypatch, scheme
):
    monkeypatch.setenv("ALL_PROXY", f"http://user:wrong-one@{strict_proxy.address}")
    server = secure.server_port if scheme == "https" else port(pictures)
    error = refused(get, f"{scheme}://here.test:{server}/")
    assert error.reason == "proxy_407"
    assert f"the proxy {strict_proxy.url} answers 407 Proxy Authentication Required" in str(error)
    chain = [error, error.__cause__, error.__context__]
    assert not [text for text in chain if "wrong-one" in f"{text} {text!r}"]


def test_a_tunnel_that_is_forbidden_is_said(proxy, get):
    error = refused(get, "https://forbidden.example/")
    assert (error.reason, "403 Forbidden" in str(error)) == ("proxy_403", True)
    assert len(proxy.asked()) == 1  # it will not pass: not tried again


def test_a_tunnel_that_leads_nowhere_is_tried_again(proxy, get):
    error = refused(get, "https://here.test:9/")
    assert (error.reason, proxy.url in str(error)) == ("proxy_502", True)
    assert len(proxy.asked()) == 1 + SETTINGS.retries


def test_a_proxys_own_statuses_for_http_are_those_of_the_answer(proxy, get):
    assert get("http://forbidden.example/").status == 403
    assert get("http://here.test:9/").status == 502


def test_a_proxy_that_is_down_is_named(monkeypatch, get):
    monkeypatch.setenv("ALL_PROXY", f"http://{SECRET}@127.0.0.1:9")
    for scheme in ("http", "https"):
        error = refused(get, f"{scheme}://here.test/cat.png")
        assert error.reason == "proxy"
        assert str(error) == (
            f"{scheme}://here.test/cat.png: the proxy http://127.0.0.1:9 cannot be reached "
            "(Connection refused)"
        )


class Drip(http.server.BaseHTTPRequestHandler):
    """A byte at a time, without end: as a host, as a proxy, and beyond a tunnel."""

    def drip(self, begin):
        with contextlib.suppress(OSError):
            for byte in itertools.chain(begin, itertools.repeat(0x78)):
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)

    def do_GET(self):
        self.drip(b"HTTP/1.1 200 OK\r\nX-Long: ")

    def do_CONNECT(self):
        if not self.path.startswith("beyond.example"):
            return self.do_GET()
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return self.drip(b"\x16\x03\x03\x40\x00")  # the largest record of TLS begins

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def dripping(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drip)
    server.handle_error = lambda *_: None  # clients leave
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def speaks_tls(authority, *names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.mark.parametrize("speaks", ["http", "https"])
@pytest.mark.parametrize(
    "url", ["http://here.test/", "https://here.test/", "https://beyond.example/"]
)
def test_a_proxy_that_drips_ends_in_time(authority, monkeypatch, speaks, url):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = speaks_tls(authority, "127.0.0.1") if speaks == "https" else None
    with dripping(context) as address, client() as one:
        monkeypatch.setenv("ALL_PROXY", f"{speaks}://{address}")
        started = time.monotonic()
        # A whole handshake of TLS has the time of one wait, and may be tried again.
        assert refused(one.get, url).reason in ("too_slow", "time_out")
        assert time.monotonic() - started < 8


def test_a_host_that_drips_over_tls_ends_in_time(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with dripping(speaks_tls(authority, "127.0.0.1")) as address, client() as one:
        started = time.monotonic()
        assert refused(one.get, f"https://{address}/").reason == "too_slow"
        assert time.monotonic() - started < SETTINGS.total_timeout + 2


@pytest.mark.parametrize("path", ["/silent.png", "/drip.png", "/drip-in-header.png"])
def test_a_host_that_is_slow_behind_a_proxy_ends_in_time(proxy, pictures, get, path):
    started = time.monotonic()
    error = refused(get, f"http://here.test:{port(pictures)}{path}")
    assert error.reason == image_server.BAD[path]
    assert f"through the proxy {proxy.url}" in str(error)
    assert time.monotonic() - started < 8


# ---- what it is not asked for -----------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("10.1.2.3", "169.254.169.254", "[::ffff:10.0.0.1]", "[fe80::1%25lo9]", "2130706433.1.1"),
        *("0xa.1", "012.0.0.1", "192.168.1", "private.test", "mixed.test", "metadata.test"),
        *("router", "localhost.localdomain", "db.internal", "printer.local", "nas.home.arpa"),
        *("x.localhost", "INTRANET.CORP.", "1.2.3.4.5", "a..example"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_private_target_is_not_asked_of_a_proxy(proxy, get, scheme, host):
    assert refused(get, f"{scheme}://{host}/secret.png").reason == "not_public"
    assert proxy.asked() == []


WRITTEN = {10: str, 16: hex, 8: lambda number: f"0{number:o}"}


@settings(deadline=None)
@given(
    st.sampled_from(["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"]),
    st.integers(0, 2**16 - 1),
    st.lists(st.sampled_from([8, 10, 16]), min_size=1, max_size=4),
    st.sampled_from(["", "."]),
)
def test_no_spelling_of_a_private_address_reaches_a_proxy(network, number, bases, end):
    """Of inet_aton: one to four parts, decimal, octal or hexadecimal; the last fills the rest."""
    address = int(ip_network(network)[number])
    parts = [address >> 8 * (3 - place) & 255 for place in range(len(bases) - 1)]
    parts.append(address & (1 << 8 * (5 - len(bases))) - 1)
    host = ".".join(WRITTEN[base](part) for base, part in zip(bases, parts, strict=True)) + end
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(addresses.SWITCH, raising=False)
        patch.setattr(socket, "getaddrinfo", numeric)
        with pytest.raises(addresses.NotPublic):
            addresses.check_for_proxy(host, 80)


@settings(deadline=None)
@given(st.text())
def test_any_host_is_an_answer_of_yes_or_no(host):
    with contextlib.suppress(addresses.NotPublic), pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", numeric)
        addresses.check_for_proxy(host, 80)
        assert set(".:") & set(host) or host[:1].isdigit()


def numeric(host, port, **options):
    """The system's resolver, except that it asks no DNS."""
    return resolver._real(host, port, **options, flags=socket.AI_NUMERICHOST)


@settings(deadline=None)
@given(st.text(min_size=4), st.text(min_size=4))
def test_a_password_is_in_no_text_and_arrives_as_it_is(user, password):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("http_proxy", f"http://{quote(user, '')}:{quote(password, '')}@proxy:3128")
        proxy = proxies.proxy_for(parse_url("http://a.example/"))
    assert f"{proxy} {proxy!r}" == "http://proxy:3128 Proxy(url='http://proxy:3128')"
    said = proxy.headers["Proxy-Authorization"].removeprefix("Basic ")
    assert base64.b64decode(said).decode() == f"{user}:{password}"


def test_a_complaint_of_pip_or_npm_is_told_without_passwords():
    complaint = "cannot reach http://user:p%40ss@proxy:3128, https://token@index/@toy/icons: no"
    told = "cannot reach http://proxy:3128, https://index/@toy/icons: no"
    assert proxies.without_password(complaint) == told


def test_loopback_is_private_behind_a_proxy_too(proxy, pictures, get, monkeypatch):
    monkeypatch.delenv(addresses.SWITCH)
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "here.test"):
        assert refused(get, f"http://{host}:{port(pictures)}/plain.png").reason == "not_public"
    assert proxy.asked() == []


@pytest.mark.parametrize(
    "path",
    ["/redirect-to-private.png", "/redirect-to-metadata.png", "/redirect-to-private-name.png"],
)
def test_a_redirect_to_a_private_target_is_refused(proxy, pictures, get, path):
    url = f"http://here.test:{port(pictures)}{path}"
    assert refused(get, url).reason == "not_public"
    assert proxy.asked() == [f"GET here.test:{port(pictures)}"]


def test_a_name_that_is_not_known_here_is_the_proxys_to_look_up(proxy, pictures, get, monkeypatch):
    url = f"http://pictures.example:{port(pictures)}/plain.png"
    monkeypatch.delenv(addresses.SWITCH)  # so the proxy is what is private, and may be
    assert get(url).body == image_server.picture("/plain.png")
    monkeypatch.delenv("HTTP_PROXY")
    assert refused(get, url).reason == "no_such_host"


def test_a_name_is_looked_up_once_for_a_proxy(proxy, pictures, get, monkeypatch):
    asked = []
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda h, *w, **o: asked.append(h) or real(h, *w, **o)
    )
    for _ in range(2):
        get(f"http://here.test:{port(pictures)}/plain.png")
    assert asked.count("here.test") == 1


def test_who_scrapes_is_told_of_the_proxy_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ALL_PROXY", f"http://{SECRET}@127.0.0.1:9")
    with Fetcher(SETTINGS) as fetcher:
        reasons = {fetcher.fetch(f"https://here.test/{number}.png").reason for number in range(2)}
    assert reasons == {"proxy"}
    line = "here.test: the proxy http://127.0.0.1:9 cannot be reached (Connection refused)\n"
    assert capsys.readouterr().err == line


# ---- weights ----------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_weights_come_through_the_proxy_from_a_mirror_that_may_be_private(
    proxy, pictures, cache, monkeypatch
):
    monkeypatch.delenv(addresses.SWITCH)
    weights = Published(url="https://weights.example/w.npz", file="plain.png", sha256=None)
    with publishers.published_file(weights, f"http://here.test:{port(pictures)}") as file:
        assert file.read_bytes() == image_server.picture("/plain.png")
    assert proxy.asked() == [f"GET here.test:{port(pictures)}"]


def test_weights_that_a_proxy_forbids_are_named_with_it(proxy, cache):
    weights = Published(url="https://forbidden.example/w.npz", file="w.npz", sha256=None)
    with pytest.raises(StudyError) as error, publishers.published_file(weights, ""):
        pass
    assert str(error.value).startswith(
        "w.npz could not be fetched from https://forbidden.example/w.npz "
        f"(the proxy {proxy.url} answers 403 Forbidden): "
    )


def test_a_publisher_is_public_and_a_mirror_need_not_be(cache, monkeypatch, pictures):
    monkeypatch.delenv(addresses.SWITCH)
    weights = Published(url=f"{pictures.url}/w.npz", file="plain.png", sha256=None)
    private = pytest.raises(StudyError, match=r"at 127.0.0.1, which is no public address")
    with private, publishers.published_file(weights, ""):
        pass
    with publishers.published_file(weights, pictures.url) as file:
        assert file.exists()
