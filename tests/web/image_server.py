"""A web server of pictures with every fault that the web has, in its own process on loopback.

    with image_server.running() as server:
        server.url, server.asked()

GOOD are the paths whose pictures must arrive, BAD those that must not, each with our word for it.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

GOOD = {
    "/plain.jpg": "JPEG",
    "/plain.png": "PNG",
    "/progressive.jpg": "JPEG",
    "/cmyk.jpg": "JPEG",
    "/animated.gif": "GIF",
    "/picture.webp": "WEBP",
    "/picture.avif": "AVIF",
    "/picture.bmp": "BMP",
    "/picture.tif": "TIFF",
    "/picture.heic": "HEIF",
    "/svg.svg": "SVG",
    "/svg-named.png": "SVG",
    "/png-named.jpg": "PNG",
    "/no-name?id=7&size=large": "PNG",
    "/said-to-be-html.png": "PNG",
    "/K%C3%A4tzchen%20%E2%98%82.png": "PNG",
    "/Kätzchen im Schnee.png": "PNG",
    "/..%2f..%2f..%2fescaped.png": "PNG",
    "/../../../up.png": "PNG",
    "/con.png": "PNG",
    "/500-then-good.png": "PNG",
    "/429-then-good.png": "PNG",
    "/cut-off-then-good.png": "PNG",
    "/redirect-to-good.png": "PNG",
    "/redirect-unicode.png": "PNG",
    "/packed.png": "PNG",
    "/in-chunks.png": "PNG",
    "/noindex.png": "PNG",
    "/allowed/by-robots.png": "PNG",
}
BAD = {
    "/403.png": "http_403",
    "/404.png": "http_404",
    "/always-500.png": "http_500",
    "/429-for-an-hour.png": "http_429",
    "/drip.png": "too_slow",
    "/drip-in-header.png": "too_slow",
    "/silent.png": "time_out",
    "/always-cut-off.png": "connection",
    "/two-lengths.png": "bad_answer",
    "/loop.png": "too_many_redirects",
    "/redirect-to-private.png": "not_public",
    "/redirect-to-metadata.png": "not_public",
    "/redirect-to-private-name.png": "not_public",
    "/redirect-to-file.png": "bad_url",
    "/html-named.jpg": "html",
    "/svg-cut-short.svg": "truncated",
    "/answer.json": "text",
    "/noise.jpg": "unknown_format",
    "/empty.jpg": "empty",
    "/truncated.jpg": "truncated",
    "/truncated.png": "truncated",
    "/truncated.webp": "truncated",
    "/1x1.gif": "too_small",
    "/20000x20000.png": "too_many_pixels",
    "/gzip-bomb.png": "too_large",
    "/2-gigabytes.png": "too_large",
    "/endless.png": "too_large",
    "/noai.png": "opted_out",
    "/noimageai-for-us.png": "opted_out",
    "/disallowed/by-robots.png": "robots",
    "/redirect-to-disallowed.png": "robots",
}
ROBOTS = (
    b"User-agent: *\nDisallow: /\n\nUser-agent: ViToon\nDisallow: /disallowed/*.png$\nAllow: /\n"
)
REDIRECTS = {
    "/loop.png": "/loop.png",
    "/redirect-to-private.png": "http://10.1.2.3/secret.png",
    "/redirect-to-metadata.png": "http://[::ffff:169.254.169.254]/latest/meta-data",
    "/redirect-to-private-name.png": "http://private.test/secret.png",
    "/redirect-to-file.png": "file:///etc/passwd",
    "/redirect-to-disallowed.png": "/disallowed/other.png",
    "/redirect-to-good.png": "/elsewhere/good.png",
    "/redirect-unicode.png": "/vögel.png".encode().decode("latin-1"),
}
KINDS = {".gif": "GIF", ".webp": "WEBP", ".avif": "AVIF", ".bmp": "BMP", ".tif": "TIFF"}


@cache
def picture(path: str) -> bytes:
    """A picture of its own for every path, of the format that GOOD says."""
    seed = zlib.crc32(path.encode())
    small = Image.frombytes("RGB", (4, 4), random.Random(seed).randbytes(48))
    image = small.resize((64, 48), Image.Resampling.NEAREST)
    if GOOD.get(path) == "SVG":
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" id="{seed}"/>'.encode()
    kind = GOOD.get(path) or ("JPEG" if path.endswith(".jpg") else KINDS.get(path[-5:], "PNG"))
    options = {}
    if path == "/animated.gif":
        options = {"save_all": True, "append_images": [image.rotate(180)]}
    if path == "/progressive.jpg":
        options = {"progressive": True}
    if path == "/cmyk.jpg":
        image = image.convert("CMYK")
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


@cache
def bomb() -> bytes:
    """A PNG of 20,000 × 20,000 white pixels in some 50 kB."""
    rows = zlib.compress((b"\0" + b"\xff" * 2500) * 20_000)
    side = (20_000).to_bytes(4, "big")
    parts = {b"IHDR": side + side + b"\1\0\0\0\0", b"IDAT": rows, b"IEND": b""}
    chunks = [
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        for name, data in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def one_pixel() -> bytes:
    data = io.BytesIO()
    Image.new("P", (1, 1)).save(data, "GIF")
    return data.getvalue()


BODIES = {
    "/html-named.jpg": b"<!DOCTYPE html><html><body>Hotlinking is not allowed</body></html>",
    "/svg-cut-short.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g',
    "/answer.json": b'{"error": "no such picture"}',
    "/noise.jpg": bytes(range(128, 256)) * 9,
    "/empty.jpg": b"",
    "/truncated.jpg": picture("/plain.jpg")[:-40],
    "/truncated.png": picture("/plain.png")[:-20],
    "/truncated.webp": picture("/picture.webp")[:-9],
}


class Pictures(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: ClassVar[Counter] = Counter()
    lock = threading.Lock()
    latency = 0.0

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.encode("latin-1").decode("utf-8")
        with self.lock:
            if path != "/asked":
                self.asked[path] += 1
        with contextlib.suppress(OSError):  # the client leaves when it has had enough
            self.answer(path)

    def answer(self, path: str) -> None:
        name = urlsplit(path).path.strip("/").partition(".")[0].replace("-", "_")
        if path == "/asked":
            self.send(json.dumps(self.asked).encode())
        elif path == "/robots.txt":
            self.send(ROBOTS)
        elif path in REDIRECTS:
            self.send(b"moved", 302, Location=REDIRECTS[path])
        elif path in BODIES:
            self.send(BODIES[path])
        elif handler := getattr(self, f"fault_{name}", None):
            handler(path)
        else:
            time.sleep(self.latency)
            self.send(picture(path))

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        headers = {"Content_Length": str(len(body)), **headers}
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def first_time(self, path: str) -> bool:
        return self.asked[path] % 2 == 1

    def drip(self, data: bytes) -> None:
        for byte in data:
            self.wfile.write(bytes([byte]))
            time.sleep(0.1)

    # ---- the faults, named as their paths -------------------------------------------------------

    def fault_403(self, path: str) -> None:
        self.send(b"no", 403)

    def fault_404(self, path: str) -> None:
        self.send(picture(path), 404)  # as some do, with a picture that says so

    def fault_always_500(self, path: str) -> None:
        self.send(b"oh", 500)

    def fault_500_then_good(self, path: str) -> None:
        self.send(b"oh", 500) if self.first_time(path) else self.send(picture(path))

    def fault_429_then_good(self, path: str) -> None:
        first = self.first_time(path)
        self.send(b"later", 429, Retry_After="1") if first else self.send(picture(path))

    def fault_429_for_an_hour(self, path: str) -> None:
        self.send(b"later", 429, Retry_After="3600")

    def fault_drip(self, path: str) -> None:
        self.send(b"", Content_Length="9999")
        self.drip(picture(path))

    def fault_drip_in_header(self, path: str) -> None:
        self.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 9999)

    def fault_silent(self, path: str) -> None:
        time.sleep(4)

    def fault_always_cut_off(self, path: str) -> None:
        self.send(picture(path)[:-9], Content_Length=str(len(picture(path))))
        self.close_connection = True

    def fault_cut_off_then_good(self, path: str) -> None:
        self.fault_always_cut_off(path) if self.first_time(path) else self.send(picture(path))

    def fault_1x1(self, path: str) -> None:
        self.send(one_pixel())

    def fault_20000x20000(self, path: str) -> None:
        self.send(bomb())

    def fault_gzip_bomb(self, path: str) -> None:
        packed = gzip.compress(bytes(1_000_000), 9) * 300  # members, one after another
        self.send(packed, Content_Encoding="gzip")

    def fault_2_gigabytes(self, path: str) -> None:
        self.send(b"\x89PNG", Content_Length="2000000000")

    def fault_two_lengths(self, path: str) -> None:
        self.send(picture(path), content_length="7")

    def fault_endless(self, path: str) -> None:
        self.send(b"", Transfer_Encoding="chunked", Content_Length="0")
        for _ in range(1000):
            self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    def fault_packed(self, path: str) -> None:
        self.send(gzip.compress(picture(path)), Content_Encoding="gzip")

    def fault_in_chunks(self, path: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (picture(path)[:50], picture(path)[50:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def fault_said_to_be_html(self, path: str) -> None:
        self.send(picture(path), Content_Type="text/html")

    def fault_noai(self, path: str) -> None:
        self.send(picture(path), X_Robots_Tag="noindex, noai")

    def fault_noimageai_for_us(self, path: str) -> None:
        self.send(picture(path), X_Robots_Tag="googlebot: nofollow, vitoon: noimageai")

    def fault_noindex(self, path: str) -> None:
        self.send(picture(path), X_Robots_Tag="noindex, otherbot: noai")


@dataclass(frozen=True)
class Server:
    url: str

    def asked(self) -> dict[str, int]:
        """How often each path was asked for."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.url}/asked") as answer:
            return json.load(answer)


@contextlib.contextmanager
def running(latency: float = 0.0):
    """A server process for as long as the block lasts."""
    command = [sys.executable, str(Path(__file__)), str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    Pictures.latency = float(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that leave are no news
    bomb()
    print(server.server_port, flush=True)
    server.serve_forever()
