"""A network in one file that a browser opens: `python -m app.try_page`, no server. docs/demo.md."""

from __future__ import annotations

import argparse
import base64
import gzip
from pathlib import Path

from app.demonstration import pages
from app.demonstration.runtime import REQUIREMENT, runtime
from app.prediction.choice import chosen
from app.prediction.model import load
from stages.runtime.program import run_command
from stages.tables import write_text

PAGE = Path("reports/try.html")
PRECISION = "int8"  # a quarter of float32's bytes
SCRIPTS = ("chooser.js", "answers.js", "square.js", "try.js")
LICENCE = Path(__file__).parent / "demonstration/onnxruntime-licence.txt"
LIMITS = {"megabytes": 20}


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m app.try_page", description=__doc__.partition(":")[0]
    )
    parser.add_argument("network", nargs="?", help="the best on validation pictures unless given")
    parser.add_argument("-o", "--output", type=Path, default=PAGE, help=f"the page, {PAGE}")
    return parser


def main(network: str | None, output: Path) -> str:
    file = chosen(network, PRECISION)
    card = load(file, threads=1).card
    html = page(file.read_bytes(), card)
    write_text(output, html)
    return f"{card['title']} in {len(html) / 1e6:.1f} MB: open {output} in a browser"


def page(network: bytes, card: dict) -> str:
    """The page, in which all is that it needs."""
    ort = runtime()
    parts = {"runtime": ort.script, "webassembly": ort.webassembly, "network": network}
    return pages.page(
        "try.html.jinja",
        pages.scripts(*SCRIPTS),
        {"script-src": "blob: 'wasm-unsafe-eval'"},  # blob: what the page has in itself
        cards=[card],
        limits=LIMITS,
        packed={name: packed(data) for name, data in parts.items()},
        runtime=REQUIREMENT,
        runtime_licence=LICENCE.read_text(encoding="utf-8"),
    ).html


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")


if __name__ == "__main__":
    run_command(main, words())
