"""What a GPU gives, and whether it says the same: the zoo's networks on it and on the processor.

    python -m benchmarks.gpu                      # with TensorFlow; below 5 minutes on an H100
    KERAS_BACKEND=jax python -m benchmarks.gpu    # with JAX, where there is no TensorFlow

Networks have the study's weights where `models/` has them, else seeded random ones; pictures are
random too. Three processes, two with the GPU and one without, make the features of 32 pictures and
train the whole network for a few steps: the table says how far the GPU's features are from the
processor's, and whether two runs on the GPU end in the same bytes. Where the study has tuned
networks (`dvc pull`), its test pictures are classified on both.

Then speed: the features of a large batch, and training steps of the last blocks (on activations, as
`finetune` takes them) and of the whole network. The batch lies in the GPU's memory, so that reading
pictures is not counted. A share of the peak is the network's own arithmetic (`gflops` of its file
in the zoo; a training step is three forward passes) over that of one large product of matrices in
the same precision. All operations are deterministic, as in the study.

The tables go to gpu.md of the folder `--output`, the figures to gpu.json. Needs no GPU to be tried:
`--networks tiny_cnn tiny_vit --batch 8 --side 256`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.workplace import ROOT
from stages import zoo
from stages.networks.weight_files import load_weights, set_weights
from stages.pictures import datasets
from stages.runtime.randomness import generator

NETWORKS = ("mobilenet_v2", "vit_b32", "efficientnet_lite0", "dinov2_s14")
EXACT = "float32 without TF32"
POLICIES = {"float32": "float32", EXACT: "float32", "mixed_bfloat16": "mixed_bfloat16"}
TIMED = ("float32", "mixed_bfloat16")
TRAINED = "mixed_bfloat16"  # what `finetune` takes on a GPU
HEAD = ("standardise/mean", "standardise/variance", "logits/kernel", "logits/bias")
PICTURES, CLASSES, BATCH, STEPS = 32, 10, 16, 8
ROUNDS = 3

Figures = dict[str, np.ndarray]  # by "network precision what"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--networks", nargs="+", choices=zoo.NETWORKS, default=NETWORKS)
    words.add_argument("--batch", type=int, default=128, help="pictures of a large batch")
    words.add_argument("--side", type=int, default=8192, help="rows of the large product")
    words.add_argument("--output", type=Path, default=Path())
    words.add_argument("--figures", type=Path, help=argparse.SUPPRESS)
    wanted = words.parse_args()
    os.chdir(ROOT)
    engine = importlib.import_module(
        f"benchmarks.gpu_{os.environ.get('KERAS_BACKEND', 'tensorflow')}"
    )
    if wanted.figures:
        np.savez(wanted.figures, **figures(engine, wanted.networks))
        return
    started = time.perf_counter()
    gpu = engine.device()
    report = Report(wanted.output, f"{gpu or 'no GPU'}; {engine.NAME}")
    cpu, first, second = three_runs(engine.HIDDEN, wanted.networks)
    report.add("agreement", agreement(cpu, first, second))
    report.add("accuracy", accuracy(cpu, first))
    peaks = {precision: peak(engine, precision, wanted.side) for precision in TIMED}
    report.add("peak", [{"precision": p, "TFLOP/s": round(rate, 1)} for p, rate in peaks.items()])
    report.add("speed", speeds(engine, wanted.networks, wanted.batch, peaks))
    report.add("seconds", [{"all": round(time.perf_counter() - started)}])


class Report:
    """Tables, printed and written as they come: what is cut short leaves what it has."""

    def __init__(self, folder: Path, title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.text, self.tables = folder, [title], {"device": title}
        print(title, flush=True)

    def add(self, name: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            table = markdown(rows)
            print(f"\n{table}", flush=True)
            self.text.append(table)
            self.tables[name] = rows
            (self.folder / "gpu.md").write_text("\n\n".join(self.text) + "\n", encoding="utf-8")
            found = json.dumps(self.tables, indent=1)
            (self.folder / "gpu.json").write_text(found, encoding="utf-8")


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def three_runs(hidden: Mapping[str, str], networks: list[str]) -> list[Figures]:
    """The figures of a process without GPUs and of two with them, side by side."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        files = [Path(folder, f"{name}.npz") for name in ("cpu", "first", "second")]
        processes = [
            running.enter_context(subprocess.Popen(this("--figures", str(file), networks), env=env))
            for file, env in zip(files, (os.environ | hidden, None, None), strict=True)
        ]
        codes = [process.wait() for process in processes]
        if any(codes):
            raise SystemExit("a process failed: what it said is above")
        return [dict(np.load(file)) for file in files]


def this(option: str, value: str, networks: list[str]) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gpu", option, value, "--networks", *networks]


def figures(engine: Any, networks: list[str]) -> Figures:
    """Features of random pictures, logits of the study's; a hash of weights after some steps."""
    precisions = POLICIES if engine.device() else ("float32",)
    work = [(network, precision) for network in networks for precision in precisions]
    with ThreadPoolExecutor() as pool:  # to compile takes most of the time, and one core
        parts = list(pool.map(lambda words: figures_of(engine, *words), work))
    found = zip(work, parts, strict=True)
    return {" ".join([*words, part]): value for words, own in found for part, value in own.items()}


def figures_of(engine: Any, name: str, precision: str) -> Figures:
    with of_precision(engine, precision):
        network = backbone(name)
        forward = engine.forward(network)
        found = {"features": computed(engine, forward, random(PICTURES, *network.input_shape[1:]))}
        if precision == TRAINED:
            found["sha256"] = trained(engine, network, name)
        found |= tuned_logits(engine, network, forward, name)
    print(f"{name}, {precision}, {engine.device() or 'CPU'}", flush=True)
    return found


@contextlib.contextmanager
def of_precision(engine: Any, precision: str) -> Iterator[None]:
    """The policy is that of a thread."""
    import keras

    keras.config.set_dtype_policy(POLICIES[precision])
    with engine.without_tf32() if precision == EXACT else contextlib.nullcontext():
        yield


def computed(engine: Any, forward: Callable, inputs: np.ndarray) -> np.ndarray:
    """float32 (n, features), by batches of one size: another one would be compiled anew."""
    missing = -len(inputs) % PICTURES
    filled = np.pad(inputs, [(0, missing), *[(0, 0)] * (inputs.ndim - 1)])
    batches = (filled[at : at + PICTURES] for at in range(0, len(filled), PICTURES))
    found = [np.asarray(forward(engine.on_device(batch)), np.float32) for batch in batches]
    return np.concatenate(found)[: len(inputs)]


def trained(engine: Any, network: Any, name: str) -> np.ndarray:
    """A hash of the whole network's weights after its first steps."""
    network = classifier(network, blocks=zoo.lookup(name).ENTRY.blocks, name=name)
    inputs, targets = map(engine.on_device, batch_of(network, BATCH))
    training = engine.Training(network, *recipe(name))
    for _ in range(STEPS):
        training.step(inputs, targets)
    return np.array(hashlib.sha256(b"".join(v.tobytes() for v in training.weights())).hexdigest())


def tuned_logits(engine: Any, network: Any, forward: Callable, name: str) -> Figures:
    """Logits of the study's test pictures and their labels, where its tuned network is there."""
    from safetensors.numpy import load_file

    folder = ROOT / "models" / name / "finetune"
    if not (folder / "card.json").exists():
        return {}
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    listing = datasets.read_listing(ROOT / "data/split.csv")
    rows = listing.rows("test")
    files = [listing.files[row] for row in rows]
    pixels = datasets.read_pixels(files, card["image_size"], card["background"])
    load_weights(network, folder / "backbone.safetensors")
    found = computed(engine, forward, pixels / np.float32(127.5) - 1)
    head = load_file(folder / "head.safetensors")
    mean, variance, kernel, bias = (head[f"head/{part}"] for part in HEAD)
    logits = (found - mean) / np.sqrt(variance) @ kernel + bias
    return {"logits": logits, "labels": listing.labels[rows]}


def backbone(name: str) -> Any:
    """A network with the study's weights, or seeded ones."""
    from stages.zoo.parts.seeded import seeded_values

    network = zoo.lookup(name).backbone(zoo.lookup(name).ENTRY.image_size)
    file = ROOT / "models" / name / "pretrained/backbone.safetensors"
    if file.exists():
        load_weights(network, file)
    else:
        set_weights(network, seeded_values(network), "seeded")
    return network


def classifier(network: Any, blocks: int, name: str) -> Any:
    """The last blocks of a backbone with a head: what they take → logits of ten classes."""
    import keras

    cut = zoo.lookup(name).cut(network, blocks)
    standardised = keras.layers.LayerNormalization(dtype="float32")(network.output)
    start = keras.initializers.GlorotUniform(seed=0)
    head = keras.layers.Dense(CLASSES, kernel_initializer=start, dtype="float32")
    return keras.Model(cut, head(standardised))


def batch_of(network: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets."""
    labels = generator(0, "labels").integers(CLASSES, size=size)
    return random(size, *network.input_shape[1:]), np.eye(CLASSES, dtype=np.float32)[labels]


def random(*shape: int) -> np.ndarray:
    """float32 in [-1, 1)."""
    return generator(0, "inputs").random(shape, np.float32) * 2 - 1


def recipe(name: str) -> tuple[Any, Callable]:
    """Optimiser and loss of `finetune`."""
    import keras

    rate = zoo.lookup(name).ENTRY.tune_rate
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)
    return optimizer, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)


def agreement(cpu: Figures, first: Figures, second: Figures) -> list[dict[str, Any]]:
    """Features of two runs on the GPU against the CPU's; a difference relative to the largest."""
    rows = []
    for network, precision, part in map(split, first):
        if part == "features":
            name, exact = f"{network} {precision}", cpu[f"{network} float32 features"]
            off = np.abs(first[f"{name} features"] - exact)
            row = {"network": network, "precision": precision, "largest feature": exact.max()}
            row |= {"largest difference": off.max(), "relative": off.max() / np.abs(exact).max()}
            row["mean, relative"] = off.mean() / np.abs(exact).mean()
            row = {k: v if isinstance(v, str) else f"{v:.1e}" for k, v in row.items()}
            row["features, same bytes twice"] = same(first, second, f"{name} features")
            row["weights, same bytes twice"] = same(first, second, f"{name} sha256")
            rows.append(row)
    return rows


def same(first: Figures, second: Figures, key: str) -> str:
    if key not in first:
        return ""
    return "yes" if first[key].tobytes() == second[key].tobytes() else "NO"


def split(key: str) -> tuple[str, str, str]:
    """`vit_b32 float32 features` → its three parts; the middle one may have blanks."""
    network, _, rest = key.partition(" ")
    precision, _, part = rest.rpartition(" ")
    return network, precision, part


def accuracy(cpu: Figures, gpu: Figures) -> list[dict[str, Any]]:
    """Of the study's tuned networks on its test pictures."""
    rows = []
    for network, precision, part in map(split, gpu):
        if part == "logits":
            ours, theirs = (
                side[f"{network} {own} logits"].argmax(axis=1)
                for side, own in ((cpu, "float32"), (gpu, precision))
            )
            labels = cpu[f"{network} float32 labels"]
            row = {"network": network, "precision": precision, "pictures": len(labels)}
            row |= {
                "CPU": f"{np.mean(ours == labels):.3f}",
                "GPU": f"{np.mean(theirs == labels):.3f}",
            }
            rows.append(row | {"classified otherwise": int(np.sum(ours != theirs))})
    return rows


def peak(engine: Any, precision: str, side: int) -> float:
    """TFLOP/s of one product of two square matrices."""
    import keras

    dtype = "float32" if precision == "float32" else "bfloat16"
    a, b = (keras.ops.cast(engine.on_device(random(side, side)), dtype) for _ in range(2))
    return 2 * side**3 / seconds(engine, lambda: engine.product(a, b)) / 1e12


def seconds(engine: Any, run: Callable[[], Any]) -> float:
    """Of one call: the middle one of some rounds of a third of a second, after a first call."""
    engine.wait(run())
    calls = max(1, round(0.33 / elapsed(engine, run, 1)))
    return median(elapsed(engine, run, calls) / calls for _ in range(ROUNDS))


def elapsed(engine: Any, run: Callable[[], Any], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        result = run()
    engine.wait(result)
    return time.perf_counter() - started


class Job(NamedTuple):
    """Work to be timed. `passes`: how many forward passes of the network it is worth, if known."""

    network: str
    precision: str
    work: str
    batch: int
    passes: int
    run: Callable[[], Any]


def speeds(
    engine: Any, networks: list[str], large: int, peaks: Mapping[str, float]
) -> list[dict[str, Any]]:
    kinds = [(network, precision) for network in networks for precision in TIMED]
    with ThreadPoolExecutor(8) as pool:  # compiled side by side, timed one after another
        made = pool.map(lambda kind: jobs(engine, *kind, large), kinds)
        work = list(itertools.chain.from_iterable(made))
        list(pool.map(lambda job: engine.wait(job.run()), work))
    return [speed(engine, job, peaks[job.precision]) for job in work]


def jobs(engine: Any, name: str, precision: str, large: int) -> list[Job]:
    """Features of a large batch; steps of the last blocks and of the whole network."""
    with of_precision(engine, precision):
        network = backbone(name)
    entry = zoo.lookup(name).ENTRY
    forward = engine.forward(network)
    inputs = engine.on_device(random(large, *network.input_shape[1:]))
    found = [Job(name, precision, "features", large, 1, lambda: forward(inputs))]
    for blocks, size in ((entry.tune_blocks, BATCH), (entry.blocks, BATCH), (entry.blocks, large)):
        whole = blocks == entry.blocks
        what = "training, all" if whole else f"training, {blocks} of {entry.blocks} blocks"
        run = steps(engine, classifier(network, blocks, name), size, name)
        found.append(Job(name, precision, what, size, 3 if whole else 0, run))
    return found


def steps(engine: Any, network: Any, size: int, name: str) -> Callable[[], Any]:
    training = engine.Training(network, *recipe(name))
    inputs, targets = map(engine.on_device, batch_of(network, size))
    return lambda: training.step(inputs, targets)


def speed(engine: Any, job: Job, peak: float) -> dict[str, Any]:
    each = seconds(engine, job.run)
    rate = job.passes * 2 * zoo.lookup(job.network).ENTRY.gflops * job.batch / each / 1e3
    row = {"network": job.network, "precision": job.precision, "work": job.work, "batch": job.batch}
    row |= {"ms": f"{1000 * each:.2f}", "pictures/s": f"{job.batch / each:.0f}"}
    row |= {"TFLOP/s": "", "of the peak": ""}
    if rate:
        row |= {"TFLOP/s": f"{rate:.1f}", "of the peak": f"{rate / peak:.1%}"}
    return row


if __name__ == "__main__":
    main()
