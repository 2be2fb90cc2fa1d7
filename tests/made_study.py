"""A made-up study: the files that the stages before `report` leave, pictures too."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from stages.exports import agreement
from stages.repeat import COLUMNS as REPEATED
from stages.statistics import runs
from stages.statistics.scores import COLUMNS
from stages.tables import write_json, write_table, write_text
from tests import made_params

MISFILED = (0, 3)  # class and picture: every run takes it for one of the last class
ROOT = Path(__file__).parent.parent
SPLITS = ("train", "train", "train", "validation", "test", "test")
FOLDS = (2, 2, 3, 1, 0, 0)
CLASSES = ("Bird", "Cat & <kitten>", "Tree")
MODELS = ("tiny_cnn", "tiny_vit")
RGB = ("file", "class", "raw", "status", "reason", "mode", "format", "width", "height", "sha256")
RAW = ("file", "source", "page_url", "title", "author", "licence", "sha256")
LATENCY = ("network", "machine", "gflops", "median_1_ms", "p95_1_ms", "median_32_ms", "p95_32_ms")
EXPORT_LATENCY = ("network", "file", "machine", *LATENCY[3:])
TRAINING_TIME = ("network", "phase", "machine", "seconds", "epochs")


def make_study(models=MODELS, classes=CLASSES, each=12, side=32, repeats=(), folds=()):
    """In the working directory: `each` pictures a class. One of the first is filed wrongly."""
    evaluate = {"folds": list(folds), "repeats": list(repeats)}
    params = made_params.read() | {"models": list(models), "evaluate": evaluate}
    made_params.write(Path(), params)
    make_pictures(classes, each, side)
    write_table("reports/export_latency.csv", EXPORT_LATENCY, [])
    write_table("reports/latency.csv", LATENCY, [])
    write_table("reports/training_time.csv", TRAINING_TIME, [])
    for number, model in enumerate(models):
        maps = np.random.default_rng(number).integers(0, 256, (len(classes) * each // 3, 7, 7))
        Path("reports/maps").mkdir(parents=True, exist_ok=True)
        np.save(f"reports/maps/{model}.npy", maps.astype(np.uint8))
        write_table(f"reports/exports/{model}.csv", agreement.COLUMNS, exports(number))
        for phase in runs.PHASES:
            make_run(model, phase, classes, each, seed=number)
        make_folds(model, folds, classes, each, seed=number)
        for seed in repeats:
            make_repeat(model, seed, test=(0.5 + number / 32, 0.75 - seed / 32))


def exports(number):
    """Rows of stage `export`; the second network's int8 loses a point and a half."""
    facts = {"validation_accuracy": "0.9000", "test_accuracy": "0.8000", "agreement": "0.9900"}
    for place, file in enumerate(("float32.onnx", "float16.onnx", "int8.onnx")):
        lost = f"{1.5 * number * (file == 'int8.onnx'):.2f}"
        size = 4_000_000 >> place
        own = {"file": file, "bytes": size, "points_lost": lost, "largest_difference": "1e-06"}
        yield facts | own


def make_pictures(classes, each, side):
    """data/rgb and both manifests; a picture is a disc in a colour of its class."""
    found, raw = [], []
    for label, name in enumerate(classes):
        for number in range(each):
            file = f"{name}/{number}.png"
            path = Path("data/rgb", file)
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (side, side), "white")
            colour = f"hsl({360 * label // len(classes)}, 70%, 50%)"
            ImageDraw.Draw(picture).ellipse((2, 2, side - 2 - number % 9, side - 2), fill=colour)
            picture.save(path)
            found.append([file, name, file, "kept", "", "RGBA", "PNG", side, side, "0" * 64])
            raw.append(
                [file, "folder", "https://example.org", "A set", "Somebody", "CC0-1.0", "0" * 64]
            )
    broken = ["", classes[0], "x.png", "rejected", "truncated PNG", "", "", "", "", ""]
    rows = [dict(zip(RGB, row, strict=True)) for row in [*found, broken]]
    write_table("data/rgb/manifest.csv", RGB, rows)
    write_table("data/raw/manifest.csv", RAW, [dict(zip(RAW, r, strict=True)) for r in raw])


def make_folds(model, tuned, classes, each, seed):
    """What networks that were trained without a fold say of it: heads of all, others of `tuned`."""
    for phase, number in [("transfer", 0), *(("finetune", fold) for fold in tuned)]:
        wanted = [number] if phase == "finetune" else sorted({*FOLDS} - {0})
        rng = np.random.default_rng(seed + 100 * len(phase) + 1000 * (number + 1))
        rows = [row for row in predictions(classes, each, rng) if row["fold"] in wanted]
        name = f"{model}-finetune-{number}" if phase == "finetune" else f"{model}-transfer"
        table = [row | {"split": "test"} for row in rows]
        write_table(f"reports/folds/{name}.csv", (*COLUMNS, *classes), table)


def predictions(classes, each, rng):
    rows = []
    for position, label in enumerate(classes):
        for picture in range(each):
            odds = rng.exponential(size=len(classes)) + 2 * np.eye(len(classes))[position]
            if (position, picture) == MISFILED:
                odds = 0.01 + 20 * np.eye(len(classes))[-1]
            shares = odds / odds.sum()
            place = picture % len(SPLITS)
            facts = (f"{label}/{picture}.png", f"{position}-{picture // 2}", SPLITS[place],
                     FOLDS[place], label, classes[shares.argmax()])  # fmt: skip
            named = dict(zip(classes, shares, strict=True))
            rows.append(dict(zip(COLUMNS, facts, strict=True)) | named)
    return rows


def make_run(model, phase, classes, each, seed):
    rows = predictions(classes, each, np.random.default_rng(seed + 100 * len(phase)))
    write_table(f"reports/predictions/{model}-{phase}.csv", (*COLUMNS, *classes), rows)
    card = {
        "title": model.replace("_", " ").title(),
        "classes": list(classes),
        "parameters": 1000 * (seed + 1),
        "trained_parameters": 100,
        "bytes": {"weights": 4000 * (seed + 1), "with_optimizer": 4800 * (seed + 1)},
    }
    write_json(f"reports/cards/{model}-{phase}.json", card)
    for pictures in runs.WATCHED:
        for metric in runs.CURVES:
            folder = Path("reports/training", f"{model}-{phase}", "plots/metrics", pictures)
            lines = [f"step\t{metric}", *(f"{epoch}\t{1 - 0.5 / epoch}" for epoch in (1, 2, 3))]
            write_text(folder / f"{metric}.tsv", "\n".join(lines) + "\n")


def make_repeat(model, seed, test=(0.5, 0.75)):
    """The table of a repeat, with these test accuracies of the two phases."""
    rows = [
        (phase, split, images, accuracy, round(accuracy - 0.03125, 6))
        for phase, accuracy in zip(runs.PHASES, test, strict=True)
        for split, images in (("train", 48), ("validation", 12), ("test", 12))
    ]
    table = [dict(zip(REPEATED, row, strict=True)) for row in rows]
    write_table(f"reports/repeats/{model}-{seed}.csv", REPEATED, table)
