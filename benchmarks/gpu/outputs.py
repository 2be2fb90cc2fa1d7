"""Whether networks say the same on a GPU as on the processor, and twice the same.

Three processes, one without the GPU and two with it, make the features of 32 random pictures and
train the whole network for some steps. Where the study has tuned networks (`dvc pull`), its test
pictures are classified too. Needs JAX: with TensorFlow the stages themselves tell.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors.numpy import load_file

from benchmarks.gpu.networks import backbone, batch_of, classifier, of_precision, random
from benchmarks.gpu.report import Report, Row
from stages import zoo
from stages.networks.weight_files import load_weights
from stages.pictures import datasets
from stages.tables import read_json

EXACT = "float32 without TF32"
POLICIES = {"float32": "float32", EXACT: "float32", "mixed_bfloat16": "mixed_bfloat16"}
TRAINED = "mixed_bfloat16"  # what `finetune` takes on a GPU
HEAD = ("standardise/mean", "standardise/variance", "logits/kernel", "logits/bias")
PICTURES, BATCH, STEPS = 32, 16, 8

Figures = dict[str, np.ndarray]
Runs = Mapping[str, Figures]  # by "network, precision"


def compare(engine: Any, names: Sequence[str], report: Report) -> None:
    cpu, first, second = three_runs(engine.HIDDEN, names)
    report.add("features and bytes", [agreement(kind, cpu, first, second) for kind in first])
    tuned = [kind for kind in first if "logits" in first[kind]]
    report.add("accuracy", [accuracy(kind, cpu, first) for kind in tuned])


def three_runs(hidden: Mapping[str, str], names: Sequence[str]) -> list[Runs]:
    """Of a process without GPUs and of two with them, side by side."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        files = [Path(folder, f"{name}.npz") for name in ("cpu", "first", "second")]
        variables = (os.environ | hidden, None, None)
        processes = [
            running.enter_context(subprocess.Popen(this(file, names), env=env))
            for file, env in zip(files, variables, strict=True)
        ]
        codes = [process.wait() for process in processes]
        if any(codes):
            raise SystemExit("a process failed: what it said is above")
        return [read(file) for file in files]


def this(file: Path, names: Sequence[str]) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", "--figures", str(file)]
    return [*command, "--compared", *names]


def write(engine: Any, names: Sequence[str], file: Path) -> None:
    """The figures of this process, on the device that it sees."""
    kinds = list(itertools.product(names, POLICIES if engine.device() else ("float32",)))
    with ThreadPoolExecutor() as pool:  # to compile takes most of the time, and one core
        found = list(pool.map(lambda kind: figures(engine, *kind), kinds))
    named = {f"{name}, {precision}": f for (name, precision), f in zip(kinds, found, strict=True)}
    np.savez(file, **{f"{kind}: {k}": v for kind, parts in named.items() for k, v in parts.items()})


def read(file: Path) -> Runs:
    runs: dict[str, Figures] = {}
    for key, value in np.load(file).items():
        kind, _, part = key.partition(": ")
        runs.setdefault(kind, {})[part] = value
    return runs


def figures(engine: Any, name: str, precision: str) -> Figures:
    """Features of random pictures, a hash of weights after some steps, logits of the study's."""
    exactly = engine.without_tf32() if precision == EXACT else contextlib.nullcontext()
    with of_precision(POLICIES[precision]), exactly:
        network = backbone(name)
        forward = engine.forward(network)
        found = {"features": computed(engine, forward, random(PICTURES, *network.input_shape[1:]))}
        if precision == TRAINED:
            found["sha256"] = trained(engine, name, network)
        found |= tuned_logits(engine, name, network, forward)
    print(f"{name}, {precision}, {engine.device() or 'CPU'}", flush=True)
    return found


def computed(engine: Any, forward: Callable, inputs: np.ndarray) -> np.ndarray:
    """float32 (n, features), by batches of one size: another one would be compiled anew."""
    missing = -len(inputs) % PICTURES
    filled = np.pad(inputs, [(0, missing), *[(0, 0)] * (inputs.ndim - 1)])
    batches = (filled[at : at + PICTURES] for at in range(0, len(filled), PICTURES))
    found = [np.asarray(forward(engine.on_device(batch)), np.float32) for batch in batches]
    return np.concatenate(found)[: len(inputs)]


def trained(engine: Any, name: str, network: keras.Model) -> np.ndarray:
    """A hash of the whole network's weights after its first steps."""
    whole = classifier(name, network, zoo.lookup(name).ENTRY.blocks)
    inputs, targets = map(engine.on_device, batch_of(whole, BATCH))
    training = engine.Training(name, whole, BATCH)
    for _ in range(STEPS):
        training.step(inputs, targets)
    return np.array(hashlib.sha256(b"".join(v.tobytes() for v in training.weights())).hexdigest())


def tuned_logits(engine: Any, name: str, network: keras.Model, forward: Callable) -> Figures:
    """Logits of the study's test pictures and their labels, where its tuned network is there."""
    folder = Path("models", name, "finetune")
    if not folder.exists():
        return {}
    card, listing = read_json(folder / "card.json"), datasets.read_listing()
    rows = listing.rows("test")
    files = [listing.files[row] for row in rows]
    pixels = datasets.read_pixels(files, card["image_size"], card["background"])
    load_weights(network, folder / "backbone.safetensors")
    features = computed(engine, forward, np.asarray(datasets.scaled(pixels)))
    head = load_file(folder / "head.safetensors")
    mean, variance, kernel, bias = (head[f"head/{part}"] for part in HEAD)
    logits = (features - mean) / np.sqrt(variance) @ kernel + bias
    return {"logits": logits, "labels": listing.labels[rows]}


def agreement(kind: str, cpu: Runs, first: Runs, second: Runs) -> Row:
    """Features against those of the CPU in float32, relative to the largest of them."""
    exact, ours = cpu[in_float32(kind)]["features"], first[kind]["features"]
    off = np.abs(ours - exact) / np.abs(exact).max()
    same = {
        part: value.tobytes() == second[kind][part].tobytes() for part, value in first[kind].items()
    }
    return {
        "network, precision": kind,
        "largest difference": f"{off.max():.1e}",
        "mean difference": f"{off.mean():.1e}",
        "features twice": yes(same["features"]),
        f"weights after {STEPS} steps, twice": yes(same["sha256"]) if "sha256" in same else "",
    }


def yes(same: bool) -> str:
    return "same bytes" if same else "DIFFERENT"


def in_float32(kind: str) -> str:
    return f"{kind.partition(',')[0]}, float32"


def accuracy(kind: str, cpu: Runs, gpu: Runs) -> Row:
    """Of the study's tuned networks on its test pictures."""
    ours, theirs = (said["logits"].argmax(axis=1) for said in (cpu[in_float32(kind)], gpu[kind]))
    labels = gpu[kind]["labels"]
    return {
        "network, precision": kind,
        "pictures": str(len(labels)),
        "CPU": f"{np.mean(ours == labels):.3f}",
        "GPU": f"{np.mean(theirs == labels):.3f}",
        "classified otherwise": str(np.sum(ours != theirs)),
    }
