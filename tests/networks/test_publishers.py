"""Weight files over HTTP and from folders: fetched once, resumed, held to one hash."""

import dataclasses
import errno
import gzip
import hashlib
import http.server
import io
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from stages.errors import StudyError
from stages.networks import publishers
from stages.web import addresses, backoff
from stages.zoo import Published
from tests.web.guests import hosting

CONTENT = bytes(range(256)) * 40_000  # 10 MB


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` under every path; the fields say what goes wrong, and what was asked."""

    content, version, break_after, status, headers = CONTENT, '"1"', None, 200, True
    packed = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that has enough hangs up."""


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, start = self.server, 0
        server.asked.append((self.path, self.headers.get("Range")))
        if server.status >= 400:
            return self.send_error(server.status)
        if self.headers.get("Range") and self.headers.get("If-Range") == server.version:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if server.headers:
            self.send_header("Content-Length", str(len(server.content) - start))
            self.send_header("ETag", server.version)
        if server.packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        end = None if server.break_after is None else start + server.break_after
        self.wfile.write(server.content[start:end])
        return None

    def log_message(self, *words):
        pass


def limit(monkeypatch, **limits):
    monkeypatch.setattr(publishers, "LIMITS", dataclasses.replace(publishers.LIMITS, **limits))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(addresses.SWITCH, "allow")
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.01)
    limit(monkeypatch, retries=2)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache and a current folder of the test's own."""
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def offered(server, sha256=None):
    return Published(url=f"{server.url}/there/model.npz", file="our model+1.npz", sha256=sha256)


def fetched(weights, mirror=""):
    with publishers.published_file(weights, mirror) as file:
        return file.read_bytes()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# ---- where from ---------------------------------------------------------------------------------


def test_a_file_comes_from_its_publisher_once(server):
    for _ in range(2):
        assert fetched(offered(server)) == CONTENT
    assert server.asked == [("/there/model.npz", None)]


def test_a_mirror_is_asked_for_the_files_own_name(server):
    assert fetched(offered(server), f"{server.url}/mirror/") == CONTENT
    assert server.asked == [("/mirror/our%20model%2B1.npz", None)]


def test_a_folder_is_a_mirror_too_and_is_left_as_it_is(server, tmp_path, cache):
    (tmp_path / "our model+1.npz").write_bytes(b"weights")
    assert fetched(offered(server), str(tmp_path)) == b"weights"
    with pytest.raises(StudyError), publishers.published_file(offered(server), str(tmp_path)):
        raise StudyError("no such weights")
    assert (tmp_path / "our model+1.npz").exists()
    assert not server.asked
    assert not cache.exists()


def test_a_wrong_file_that_another_process_has_removed_is_told_all_the_same(server):
    """Two experiments at once find that the same download is no such file."""

    def refused_twice():
        with publishers.published_file(offered(server), "") as file:
            file.unlink()
            raise StudyError("no such weights")

    with pytest.raises(StudyError, match="no such weights"):
        refused_twice()
    assert fetched(offered(server)) == CONTENT


def test_a_folder_without_the_file_is_named(server, tmp_path):
    with pytest.raises(StudyError, match=r"our model\+1.npz is missing: weights.mirror .* folder"):
        fetched(offered(server), str(tmp_path))


def test_what_is_unreachable_is_said_in_one_line(monkeypatch):
    monkeypatch.setenv(addresses.SWITCH, "allow")
    limit(monkeypatch, retries=0)
    weights = Published(url="http://127.0.0.1:9/w.npz", file="w.npz", sha256=None)
    with pytest.raises(StudyError) as error:
        fetched(weights)
    text = str(error.value)
    assert text.startswith("w.npz could not be fetched from http://127.0.0.1:9/w.npz (")
    assert "refused" in text
    assert "weights.mirror in params.yaml" in text
    assert "\n" not in text


def test_what_is_not_there_is_asked_for_once(server):
    server.status = 404
    with pytest.raises(StudyError, match=r"\(404 Not Found\)"):
        fetched(offered(server))
    assert len(server.asked) == 1


# ---- broken downloads ---------------------------------------------------------------------------


def test_a_broken_download_goes_on_where_it_broke_off(server):
    server.break_after = 4_000_000
    assert fetched(offered(server)) == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=4000000-", "bytes=8000000-"]


def test_another_process_goes_on_too(server):
    server.break_after = 1_000_000
    with pytest.raises(StudyError, match=r"broke off after 3,000,000 of 10,240,000 bytes"):
        fetched(offered(server))
    server.break_after = None
    assert fetched(offered(server)) == CONTENT
    assert server.asked[-1][1] == "bytes=3000000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(server):
    server.break_after = 1_000_000
    with pytest.raises(StudyError):
        fetched(offered(server))
    server.break_after, server.content, server.version = None, CONTENT[::-1], '"2"'
    assert fetched(offered(server)) == CONTENT[::-1]


def test_a_part_of_another_url_is_not_gone_on_with(server):
    server.break_after = 1_000_000
    with pytest.raises(StudyError):
        fetched(offered(server))
    server.break_after = None
    fetched(offered(server), f"{server.url}/mirror")
    assert server.asked[-1][1] is None


def test_a_whole_part_is_taken_for_what_it_is(server, cache):
    """Killed between the last byte and the name: the server has no further bytes to give."""
    server.break_after = 1_000_000
    with pytest.raises(StudyError):
        fetched(offered(server))
    server.break_after = None
    (cache / ".our model+1.npz.part").write_bytes(CONTENT)
    assert fetched(offered(server)) == CONTENT


def test_a_server_that_fails_for_a_moment_is_asked_again(server, monkeypatch):
    server.status = 503
    monkeypatch.setattr(backoff.time, "sleep", lambda wait: setattr(server, "status", 200))
    assert fetched(offered(server)) == CONTENT


def test_a_file_without_end_is_not_fetched(server, monkeypatch):
    limit(monkeypatch, max_megabytes=3)
    server.headers = False
    with pytest.raises(StudyError, match="larger than 3,000,000 bytes"):
        fetched(offered(server))


def test_what_is_packed_against_our_wish_is_not_gone_on_with(server):
    """Of what was unpacked nobody can say where in the packed file it ends."""
    server.content, server.packed, server.break_after = gzip.compress(CONTENT), True, 20_000
    with pytest.raises(StudyError, match="broke off"):
        fetched(offered(server))
    assert [asked for _, asked in server.asked] == [None] * 3
    server.break_after = None
    assert fetched(offered(server)) == CONTENT


def test_who_comes_second_waits_and_takes_what_the_first_has_fetched(server, cache):
    """As two processes of one user do: each asks for the lock on its own."""
    with ThreadPoolExecutor(3) as pool:
        each = [pool.submit(publishers._fetch, offered(server), "", cache / "w") for _ in range(3)]
        assert [one.result() for one in each] == [None] * 3
    assert len(server.asked) == 1
    assert (cache / "w").read_bytes() == CONTENT


def test_a_full_disk_is_no_fault_of_the_network(server, cache, monkeypatch):
    """Mocked: no test may fill a disk."""

    class Full(io.FileIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    real = Path.open

    def full(path, mode="r", **options):
        return Full(path, mode) if path.suffix == ".part" else real(path, mode, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        fetched(offered(server))
    assert len(server.asked) == 1


def test_what_began_encrypted_stays_so(server, tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with hosting(context) as host:
        host.redirect = f"{server.url}/plain.npz"
        weights = Published(
            url=f"https://127.0.0.1:{host.server_port}/away", file="w.npz", sha256=None
        )
        with pytest.raises(StudyError, match=r"leads to http://.*, which is not encrypted"):
            fetched(weights)
    assert not server.asked


# ---- one hash -----------------------------------------------------------------------------------


def test_the_first_use_writes_the_hash_and_later_ones_are_held_to_it(server, cache):
    fetched(offered(server))
    assert json.loads(Path("weights.lock").read_text()) == {"our model+1.npz": sha256(CONTENT)}
    (cache / "our model+1.npz").unlink()
    server.content = CONTENT[:-1]
    with pytest.raises(StudyError, match=r"has sha256 .*, weights.lock says .* another file"):
        fetched(offered(server))
    assert not (cache / "our model+1.npz").exists()


def test_what_turns_out_to_be_no_weights_is_neither_locked_nor_kept(server, cache):
    with pytest.raises(StudyError, match="an error page"):  # noqa: SIM117
        with publishers.published_file(offered(server), ""):
            raise StudyError("an error page")
    assert not Path("weights.lock").exists()
    assert not (cache / "our model+1.npz").exists()


def test_a_hash_that_the_publisher_tells_needs_no_lock(server):
    assert fetched(offered(server, sha256(CONTENT))) == CONTENT
    assert not Path("weights.lock").exists()
    assert publishers.known_hash(offered(server, "a")) == "a"


def test_a_swapped_file_is_refused(server, cache):
    with pytest.raises(StudyError, match="its publisher says 000000000000"):
        fetched(offered(server, "0" * 64))
    assert not (cache / "our model+1.npz").exists()


def test_the_lock_is_sorted(server):
    for file in ("b.npz", "a.npz"):
        fetched(Published(url=f"{server.url}/{file}", file=file, sha256=None))
    assert list(json.loads(Path("weights.lock").read_text())) == ["a.npz", "b.npz"]
