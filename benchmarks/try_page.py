"""What a network says in a browser and what its file says here: all test pictures, as they came.

    python -m benchmarks.try_page

For each exported network: megabytes of `reports/try.html`, time until it is ready and for a
picture, in headless Chromium without a network; how often browser, int8 and float32 name the same
class. On x86 without VNNI, ONNX Runtime's int8 saturates unless told to be exact; WebAssembly's
does not.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from playwright.sync_api import Page, sync_playwright

from app import try_page
from app.prediction import model
from app.prediction.choice import exported
from app.prediction.pictures import square_of
from stages.pictures import shards
from stages.pictures.datasets import read_listing
from stages.tables import read_table
from tests.chromium import CHROMIUM

RAW = Path("data/raw")
HERE = {  # what runs here: a file, and options of its session
    "int8": ("int8.onnx", {}),
    "int8, exact": ("int8.onnx", {"session.x64quantprecision": "1"}),
    "float32": ("float32.onnx", {}),
}


def main() -> None:
    listing = read_listing()
    raw = {row["file"]: row["raw"] for row in read_table("data/rgb/manifest.csv")}
    rows = listing.rows("test")
    pictures = [shards.read(RAW, raw[listing.files[row]]) for row in rows]
    actual = [listing.classes[listing.labels[row]] for row in rows]
    for network, folder in exported().items():
        here = {
            name: said_here(folder / file, options, pictures)
            for name, (file, options) in HERE.items()
        }
        report(network, said_in_browser(network, pictures), here, actual)


def said_here(
    file: Path, options: Mapping[str, str], pictures: Sequence[bytes]
) -> tuple[list[str], np.ndarray]:
    """The class named for each picture, and percent of it."""
    settings = onnxruntime.SessionOptions()
    for name, value in options.items():
        settings.add_session_config_entry(name, value)
    network = model.Model(onnxruntime.InferenceSession(file, settings))
    squares = [square_of(data, network.card) for data in pictures]
    found = np.concatenate([network.probabilities(square[None]) for square in squares])
    return [network.card["classes"][place] for place in found.argmax(1)], 100 * found.max(1)


def said_in_browser(network: str, pictures: Sequence[bytes]) -> dict:
    """As `said_here`, with megabytes, seconds of loading and milliseconds of each picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "try.html")
        try_page.main(network, file)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.goto(file.as_uri())
        page.wait_for_selector("body[data-loaded]", timeout=120_000)
        loaded = int(page.get_attribute("body", "data-loaded")) / 1000
        answers = [asked(page, data) for data in pictures]
        browser.close()
        named, percent, milliseconds = zip(*answers, strict=True)
        return {
            "megabytes": file.stat().st_size / 1e6,
            "seconds": loaded,
            "milliseconds": statistics.median(milliseconds),
            "said": (list(named), np.array(percent)),
        }


def asked(page: Page, data: bytes) -> tuple[str, float, float]:
    page.set_input_files("#file", {"name": "a", "mimeType": "image/png", "buffer": data})
    page.wait_for_selector("article.answered:not(.stale)")
    name, percent = page.inner_text(".first tr").split("\t")[::2]
    milliseconds = page.inner_text(".cost").removesuffix(" ms")
    return name.strip(), float(percent.strip("<>% ")), float(milliseconds)


def report(network: str, there: dict, here: dict, actual: Sequence[str]) -> None:
    named, percent = there["said"]
    print(
        f"{network}: {there['megabytes']:.1f} MB, ready in {there['seconds']:.1f} s, "
        f"{there['milliseconds']:.0f} ms a picture, {share(named, actual)} right"
    )
    for precision, (classes, shares) in here.items():
        same = np.array(named) == np.array(classes)
        apart = np.abs(percent - shares)[same]
        print(
            f"  {precision} here: {share(classes, actual)} right, {share(named, classes)} the same "
            f"in the browser; these differ by {apart.mean():.2f} points, at most {apart.max():.1f}"
        )


def share(these: Sequence[str], those: Sequence[str]) -> str:
    return f"{sum(map(str.__eq__, these, those))} of {len(these)}"


if __name__ == "__main__":
    main()
