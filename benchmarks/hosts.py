"""A training on one host, and shared by two that are processes on loopback: what a step costs.

    python -m benchmarks.hosts [network …]     # default: tiny_cnn dinov2_s14; on Linux

Steps of `finetune` on the tuned blocks, from random activations, one core a process: as the study
trains; on two devices of one process (`tf.distribute.MirroredStrategy`); in two processes
(`MultiWorkerMirroredStrategy`, gRPC). For each process milliseconds of a step on the clock and of
the processor, megabytes that left it (what else goes over loopback included), and a hash of weights
and optimiser at the end. For docs/decisions.md, "Data-parallel training over hosts".
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from statistics import median

import numpy as np
import psutil

from benchmarks.workplace import ROOT, study_params

WAYS = {"one": 1, "two devices": 1, "two hosts": 2}  # processes
STEPS, ROUNDS = 6, 3


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("networks", nargs="*", default=["tiny_cnn", "dinov2_s14"])
    words.add_argument("--process", nargs=2, metavar=("WAY", "NUMBER"), help=argparse.SUPPRESS)
    wanted = words.parse_args()
    if wanted.process:
        way, number = wanted.process
        print(json.dumps(trained(wanted.networks[0], way, int(number))))
        return
    for network in wanted.networks:
        for way in WAYS:
            for told in started(network, way):
                cost = "{clock:8.1f} ms {processor:8.1f} ms {sent:7.2f} MB  {state}".format(**told)
                print(f"{network:20} {way:12} {cost}", flush=True)


def started(network: str, way: str) -> list[dict]:
    """What the processes say of themselves. Raises SystemExit where one fails."""
    places = [f"127.0.0.1:{port}" for port in free_ports(WAYS[way])]
    processes = []
    for number in range(WAYS[way]):
        task = {"cluster": {"worker": places}, "task": {"type": "worker", "index": number}}
        others = {"TF_CONFIG": json.dumps(task)} if len(places) > 1 else {}
        command = [sys.executable, "-m", "benchmarks.hosts", network, "--process", way, str(number)]
        pipe = subprocess.PIPE
        processes.append(
            subprocess.Popen(command, cwd=ROOT, env=os.environ | others, stdout=pipe, text=True)
        )
    said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"{network}, {way}: a process failed")
    return [json.loads(text.splitlines()[-1]) for text in said]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def trained(network: str, way: str, number: int) -> dict:
    """In a process of its own, before TensorFlow has worked: some epochs, and what they cost."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})
    from stages.training.loop import values

    trainer, batches = made(network, way)
    chunks = list(batches.epoch(1))
    rounds = [costs(trainer, chunks) for _ in range(1 + ROUNDS)][1:]  # the first one traces
    state = hashlib.sha256()
    for value in values(trainer.state):
        state.update(np.ascontiguousarray(value).tobytes())
    clock, processor, sent = (median(column) / STEPS for column in zip(*rounds, strict=True))
    return {
        "clock": 1e3 * clock,
        "processor": 1e3 * processor,
        "sent": sent / 1e6 / WAYS[way],
        "state": state.hexdigest()[:16],
    }


def made(network: str, way: str) -> tuple:
    import tensorflow as tf

    from benchmarks.gpu.networks import backbone, batch_of, classifier
    from stages import params, zoo
    from stages.networks.batch_norm_folding import folded
    from stages.training import devices
    from stages.training.batches import Batches
    from stages.training.determinism import make_reproducible
    from stages.training.trainer import Trainer
    from stages.training.tuning import of_network

    make_reproducible(seed=0)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    entry = zoo.lookup(network).ENTRY
    device = devices.choose("cpu", entry.family) if way == "one" else shared(way)
    with device.strategy.scope():
        model = folded(classifier(network, backbone(network), entry.tune_blocks))
    settings = of_network(params.check(study_params()).finetune, network)
    settings = settings.model_copy(update={"keep_patches": 1.0})  # the network takes them all
    inputs, targets = batch_of(model, STEPS * settings.batch_size)
    batches = Batches(inputs[:, None], targets, np.arange(len(inputs)), settings, seed=0)
    return Trainer(model, batches, device), batches


def shared(way: str) -> object:
    """A device whose strategy shares a batch between two."""
    import tensorflow as tf

    from stages.training.devices import Device

    if way == "two hosts":
        return Device(tf.distribute.MultiWorkerMirroredStrategy(), "float32", False, way)
    processor = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(processor, halves)
    return Device(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), "float32", False, way)


def costs(trainer: object, chunks: list) -> tuple[float, float, float]:
    """Of an epoch: seconds, seconds of the processor, bytes over loopback."""
    before = time.perf_counter(), time.process_time(), looped()
    for chunk in chunks:
        trainer.train(*chunk).numpy()
    after = time.perf_counter(), time.process_time(), looped()
    return tuple(new - old for new, old in zip(after, before, strict=True))


def looped() -> int:
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent


if __name__ == "__main__":
    main()
