"""Our downloader beside icrawler's own, on the same pictures from loopback; and its memory.

    python -m benchmarks.downloads [number of pictures of the large run]

1,000 pictures of 100 kB, each 20 ms away: icrawler's UrlListCrawler as it comes (one thread, as it
is by default), then source `urls` with the settings of params.yaml. Then source `urls` alone, with
100 pictures and with 10,000, for the largest memory of its process.
"""

from __future__ import annotations

import csv
import io
import os
import random
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BYTES, LATENCY = 100_000, 0.02
CLASSES = ("Cat", "Dog")


class Pictures(BaseHTTPRequestHandler):
    """One picture of BYTES, with its path in a comment so that each is another."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 17
    disable_nagle_algorithm = True

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self.path.endswith(".jpg"):
            self.send_error(404)
            return
        time.sleep(LATENCY)
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(BYTES))
        self.end_headers()
        self.wfile.write(self.server.picture[:2] + comment(self.path) + self.server.picture[2:])


def comment(text: str, size: int = 64) -> bytes:
    return b"\xff\xfe" + size.to_bytes(2, "big") + text.encode().ljust(size - 2)


def picture() -> bytes:
    """A JPEG that with its comment has BYTES."""
    noise = Image.frombytes("RGB", (220, 150), random.Random(0).randbytes(220 * 150 * 3))
    data = io.BytesIO()
    noise.resize((660, 450)).save(data, "JPEG", quality=60)
    left = BYTES - 66 - data.tell()
    whole = data.getvalue()
    while left > 0:
        size = min(left - 2, 60_000)
        whole = whole[:2] + comment("padding", size) + whole[2:]
        left -= size + 2
    return whole


def serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    server.daemon_threads = True
    server.picture = picture()
    assert len(server.picture) + 66 == BYTES
    print(server.server_port, flush=True)
    server.serve_forever()


def theirs(list_file: str, folder: str) -> None:
    from icrawler.builtin import UrlListCrawler

    UrlListCrawler(storage={"root_dir": folder}, log_level=40).crawl(list_file)


def ours() -> None:
    """What `python -m stages.scrape` does, in the folder that this process is in."""
    from stages import scrape

    scrape.main()


class Cost(NamedTuple):
    """Of one process, its imports included."""

    seconds: float
    of_processor: float
    megabytes: float

    def __str__(self) -> str:
        busy = f"{self.of_processor:.1f} s of processor"
        return f"{self.seconds:.1f} s ({busy}), at most {self.megabytes:.0f} MB"


def measured(*words: str, folder: Path) -> Cost:
    """Run this file in a process of its own."""
    caches = {"VITOON_CACHE": str(folder / "cache"), "VITOON_LOOPBACK": "allow"}
    path = {"PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.downloads", *words],
        cwd=folder,
        env={**os.environ, **caches, **path},
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{words} ended with status {status}")
    seconds = time.perf_counter() - started
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def prepare(folder: Path, server: str, number: int) -> None:
    """A study of CLASSES with a list of so many URLs, half of them each class's."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["classes"] = {name: {} for name in CLASSES}
    share = number // len(CLASSES)
    params["scrape"] |= {"source": "urls", "urls": "list.csv", "per_class": share}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    urls = [(name, f"{server}/{name}/{i}.jpg") for name in CLASSES for i in range(share)]
    with (folder / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("class", "url"), *urls])
    (folder / "list.txt").write_text("".join(f"{url}\n" for _, url in urls))


def run_ours(server: str, number: int) -> Cost:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder, server, number)
        cost = measured("ours", folder=folder)
        kept = len(list((folder / "data/raw").glob("*/*.jpg")))
        assert kept == number, f"{kept} of {number} arrived"
    return cost


def run_theirs(server: str, number: int) -> Cost:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder, server, number)
        cost = measured("theirs", "list.txt", "pictures", folder=folder)
        print(f"icrawler: {len(list((folder / 'pictures').iterdir()))} of {number} arrived")
    return cost


def main(large: int = 10_000) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.downloads", "serve"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        server = f"http://127.0.0.1:{int(process.stdout.readline())}"
        their_cost, our_cost = run_theirs(server, 1000), run_ours(server, 1000)
        print(f"icrawler, 1,000 pictures: {their_cost}")
        print(f"ours, 1,000 pictures: {our_cost}")
        print(f"{their_cost.seconds / our_cost.seconds:.1f} times as fast")
        for number in (100, large):
            print(f"ours, {number:,} pictures: {run_ours(server, number)}", flush=True)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    commands = {"serve": serve, "theirs": theirs, "ours": ours}
    if sys.argv[1:] and sys.argv[1] in commands:
        commands[sys.argv[1]](*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
