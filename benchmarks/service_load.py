"""The service under load: 200 clients on loopback, one request in ten of them hostile.

    python -m benchmarks.service_load --model models/efficientnet_lite0/export/int8.onnx

It starts the service itself, with its usual limits, on the same cores as the clients. A hostile
request is garbage, or larger than allowed, or stops half-way. Clients do what a refusal says: they
come back after the time that it names, and twice that each time they are refused again. Fails where
the service ends, or answers with a 5xx other than a 503.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict

import aiohttp
import numpy as np
import psutil
from PIL import Image, ImageDraw

HOSTILE = 0.1
STALL = 25  # seconds: longer than a body may take
OVERSIZED = 30_000_000  # bytes; 20 MB are allowed
LONGEST_WAIT = 8  # seconds, between two tries


class Tally:
    """What came back: seconds by kind of request and status."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, object], list[float]] = defaultdict(list)
        self.memory: list[float] = []  # MB, each second
        self.cores: tuple[float, float] = (0, 0)  # that the service had, and the clients

    def add(self, kind: str, status: object, started: float) -> None:
        self.seconds[kind, status].append(time.perf_counter() - started)

    def faults(self) -> list[tuple[str, object]]:
        return [key for key in self.seconds if isinstance(key[1], int) and key[1] in FAULTS]


FAULTS = {*range(500, 600)} - {503}


def main() -> None:
    chosen = words().parse_args()
    random.seed(0)
    pictures = [drawn(side) for side in np.linspace(100, 1000, 20).astype(int)]
    service, url = started(chosen.model)
    tally = Tally()
    try:
        asyncio.run(load(url, pictures, chosen.clients, chosen.seconds, tally, service.pid))
        alive = service.poll() is None
        metrics = asyncio.run(text(f"{url}/metrics")) if alive else ""
    finally:
        service.terminate()
        service.wait(60)
    report(tally, chosen.seconds, metrics)
    if not alive or tally.faults():
        raise SystemExit(f"the service ended, or had faults: {tally.faults()}")


def started(model: str | None) -> tuple[subprocess.Popen, str]:
    command = [sys.executable, "-m", "app.serve", "--port", "0"]
    command += ["--model", model] if model else []
    service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = service.stdout.readline().strip()
    print(line, flush=True)
    return service, re.search(r"http://\S+$", line)[0]


def drawn(side: int) -> tuple[str, bytes]:
    """Type and bytes of a PNG or JPEG of flat shapes."""
    picture = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(picture)
    for _ in range(30):
        box = sorted(random.choices(range(side), k=2)), sorted(random.choices(range(side), k=2))
        pen.ellipse((box[0][0], box[1][0], box[0][1], box[1][1]), random.choice(COLOURS))
    kind = random.choice(["png", "jpeg"])
    file = io.BytesIO()
    picture.save(file, kind)
    return f"image/{kind}", file.getvalue()


COLOURS = ("red", "gold", "teal", "navy", "pink", "black")


# ---- clients ------------------------------------------------------------------------------------


async def load(
    url: str,
    pictures: list[tuple[str, bytes]],
    clients: int,
    seconds: float,
    tally: Tally,
    process: int,
) -> None:
    connections = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connections) as session:
        end = time.perf_counter() + seconds
        watching = asyncio.create_task(watch(process, tally, end))
        await asyncio.gather(*(client(session, pictures, tally, end) for _ in range(clients)))
        await watching


async def watch(process: int, tally: Tally, end: float) -> None:
    """Memory and processor of the service with its processes."""
    parent, clients = psutil.Process(process), psutil.Process()
    family = [parent, *parent.children(recursive=True)]
    before, begun = (used(family), used([clients])), time.perf_counter()
    while time.perf_counter() < end:
        tally.memory.append(sum(one.memory_info().rss for one in family) / 1e6)
        await asyncio.sleep(1)
    seconds = time.perf_counter() - begun
    after = used(family), used([clients])
    tally.cores = tuple((b - a) / seconds for a, b in zip(before, after, strict=True))


def used(processes: list[psutil.Process]) -> float:
    """Seconds of the processor."""
    return sum(sum(one.cpu_times()[:2]) for one in processes)


async def client(
    session: aiohttp.ClientSession,
    pictures: list[tuple[str, bytes]],
    tally: Tally,
    end: float,
) -> None:
    wait = 0.0
    while time.perf_counter() < end:
        hostile = random.random() < HOSTILE
        kind = random.choice(list(HOSTILES)) if hostile else "good"
        data = HOSTILES[kind] if hostile else random.choice(pictures)
        begun = time.perf_counter()
        status, after = await asked(session, *(data() if hostile else data), end)
        tally.add(kind, status, begun)
        wait = min(LONGEST_WAIT, 2 * wait or float(after)) if after else 0
        await asyncio.sleep(min(wait * random.uniform(0.5, 1), max(0, end - time.perf_counter())))


async def asked(
    session: aiohttp.ClientSession, kind: str, data: object, end: float
) -> tuple[object, str | None]:
    """The status, or the name of what went wrong, and when to come back."""
    timeout = aiohttp.ClientTimeout(max(1, end + STALL - time.perf_counter()))
    head = {"Content-Type": kind}
    try:
        async with session.post("/predict", data=data, headers=head, timeout=timeout) as answer:
            await answer.read()
            return answer.status, answer.headers.get("Retry-After")
    except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as error:
        return type(error).__name__, None


async def too_much():
    """A body without an end that is announced."""
    for _ in range(OVERSIZED // 100_000):
        yield bytes(100_000)


async def half():
    yield b"\x89PNG\r\n\x1a\n"
    await asyncio.sleep(STALL)
    yield b""


HOSTILES = {
    "garbage": lambda: ("image/png", random.randbytes(20_000)),
    "oversized": lambda: ("image/png", too_much()),
    "stalled": lambda: ("image/png", half()),
}


async def text(url: str) -> str:
    async with aiohttp.request("GET", url) as answer:
        return await answer.text()


# ---- report -------------------------------------------------------------------------------------


def report(tally: Tally, seconds: float, metrics: str) -> None:
    counts = Counter({key: len(found) for key, found in tally.seconds.items()})
    print(f"requests: {sum(counts.values())}, {sum(counts.values()) / seconds:.1f}/s")
    print("| request | answer | number | median, s | p99, s | longest, s |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for kind, status in sorted(counts, key=str):
        found = tally.seconds[kind, status]
        middle, late = np.quantile(found, [0.5, 0.99])
        print(
            f"| {kind} | {status} | {len(found)} | {middle:.3f} | {late:.3f} | {max(found):.3f} |"
        )
    print("cores used: {:.2f} by the service, {:.2f} by the clients".format(*tally.cores))
    memory = tally.memory
    parts = [np.median(memory[i : i + 10]) for i in range(0, len(memory), 10)]
    print("MB, median of each 10 s:", *(f"{part:.0f}" for part in parts))
    print(*re.findall(r"^vitoon_(?:pictures_total|requests_in).+$", metrics, re.M), sep="\n")


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.service_load")
    parser.add_argument("--model", help="a network of models/, or a file")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    return parser


if __name__ == "__main__":
    main()
