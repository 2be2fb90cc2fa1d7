"""Where a fine-tuned network looks: a heat map of every test picture, for the class it names.

All test pictures, as which of them the report shows depends on every network, and this stage on one
alone. It costs about what an epoch of training the whole network on them does.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np

from stages.compute import engines
from stages.networks import heat_maps, models
from stages.params import compute, load
from stages.pictures import datasets
from stages.runtime import fingerprints, processors, user_cache
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.runtime.unfinished import unfinished
from stages.training import devices
from stages.training.checkpoints import fingerprint
from stages.training.determinism import make_reproducible
from stages.training.drafts import Draft

BATCH = 8
MAPS = "maps"


def main(model: str) -> str:
    listing = datasets.read_listing()
    make_reproducible(seed=0)  # nothing is drawn here
    device = devices.choose(load("device").device)
    devices.require_processor(compute())
    files = [listing.files[row] for row in listing.rows("test")]
    trained, made = Path("models", model, "finetune"), Path("reports/maps", f"{model}.npy")
    with unfinished(f"explain-{model}", key(model, trained, files, device)) as folder:
        with Draft(folder) as draft:
            draw(draft, model, trained, files)
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / f"{MAPS}.npy", made)
    return f"heat maps of {len(files):,} test pictures"


def key(model: str, trained: Path, files: list[str], device: devices.Device) -> str:
    """A hash of network, pictures, code, and of the machine that rounds."""
    return fingerprint(
        [user_cache.digest(trained / name) for name in (models.BACKBONE, models.HEAD, models.CARD)],
        datasets.digests(files),
        fingerprints.fingerprint("stages.explain", f"stages.zoo.{model}"),
        [device.name, processors.instructions()],
    )


def draw(draft: Draft, model: str, trained: Path, files: list[str]) -> None:
    """The maps that the draft has not yet, in pieces of a batch."""
    done = draft.rows(MAPS)
    if done:
        print(f"goes on after {done:,} of {len(files):,} pictures", flush=True)
    pieces = (datasets.content(files[at : at + BATCH]) for at in range(done, len(files), BATCH))
    with engines.chosen(compute()) as engine:
        make = partial(steps, engine.folder(trained))
        start = partial(devices.start_elsewhere, None, processors.cores())
        found = engine.map(make, pieces, start)
        for maps in followed(found, f"explain {model}", len(files), "picture", len, done):
            draft.put(MAPS, done, maps, len(files))
            done += len(maps)


def steps(folder: engines.Folder) -> engines.Steps:
    """Content of files of data/rgb → pixels → maps, uint8 (n, h, w)."""
    with folder() as trained:
        network, card = models.load_trained(trained)
    explain = heat_maps.explainer(network)

    def prepare(pictures: list[bytes]) -> np.ndarray:
        return datasets.squares(pictures, card["image_size"], card["background"])

    return prepare, lambda pixels: heat_maps.levels(explain(datasets.scaled(pixels)).numpy())


if __name__ == "__main__":
    run(main)
