"""A Ray cluster, reached and looked at: which nodes get work, and that they compute alike."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from stages.compute import alike
from stages.errors import StudyError
from stages.params import Compute
from stages.runtime import processors

AUTHENTICATION = "RAY_AUTH_MODE"
TOKEN = Path("~/.ray/auth_token").expanduser()
INSTALL = "`.venv/bin/python -m pip install --require-hashes -r requirements-ray.txt`"
SECONDS = 10  # for an address to answer
ATTEMPTS = 3  # to be taken as a client
LOOK = 300  # seconds for all nodes to say what they are; the first time they unpack the code
# Variables that decide how TensorFlow and what it calls compute: those of this machine hold.
ARITHMETIC = ("DNNL_", "KERAS_", "NPY_", "ONEDNN_", "TF_", "XLA_")


@dataclass(frozen=True)
class Node:
    id: str
    host: str
    cpus: int
    gpus: int


@dataclass(frozen=True)
class Cluster:
    """The nodes that get work, all of one kind."""

    nodes: tuple[Node, ...]

    def options(self, cpus: int, gpus: int = 0) -> dict[str, object]:
        """For `ray.remote(…).options(…)`: a place on one of these nodes, not on one that comes."""
        among = ",".join(node.id for node in self.nodes)
        places = {"ray.io/node-id": f"in({among})"}
        return {"num_cpus": cpus, "num_gpus": gpus, "label_selector": places}

    @property
    def share(self) -> int:
        """Cores for what uses several: as many as here, if each node has so many."""
        return min(processors.cores(), *(node.cpus for node in self.nodes))

    def places(self, cpus: int) -> int:
        """How many that take so many cores find a place at once."""
        return sum(node.cpus // cpus for node in self.nodes)

    def is_there(self) -> bool:
        """Whether any of the nodes still is."""
        return any(node in self.nodes for node in _alive())


@contextmanager
def connected(compute: Compute) -> Iterator[Cluster]:
    """The cluster of `compute`, or Ray on this machine alone, for as long as the block lasts.

    The nodes have the code of this folder, and the variables that decide how TensorFlow computes.
    Raises StudyError where Ray is missing, nothing answers, no node may get work, or nodes differ
    from this machine in processor or packages.
    """
    ray = _ray()
    _start(ray, compute.address)
    try:
        nodes = tuple(node for node in _alive(compute.resource) if node.cpus)
        if not nodes:
            having = f"the resource {compute.resource} and " if compute.resource else ""
            raise StudyError(f"compute: no node of the cluster has {having}a core: `ray status`")
        packages = alike.packages()
        alike.require(alike.facts(packages), _looked_at(ray, nodes, packages))
        if compute.address and os.environ.get(AUTHENTICATION) == "token":
            _require_trust(ray)
        yield Cluster(nodes)
    finally:
        ray.shutdown()


def _ray() -> ModuleType:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # else a cluster that starts here tells its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as it will be, says Ray
    try:
        import ray
    except ModuleNotFoundError:
        raise StudyError(f"compute.engine is ray, which is not installed: {INSTALL}") from None
    if TOKEN.is_file() and AUTHENTICATION not in os.environ:
        os.environ[AUTHENTICATION] = "token"  # `ray start` does so, `ray.init` does not
        ray._raylet.Config.initialize("")  # it may have been imported before
    return ray


def _start(ray: ModuleType, address: str) -> None:
    """Reach the cluster, or start one that ends with this process."""
    if address:
        _require_answer(address)
    variables = {name: value for name, value in os.environ.items() if name.startswith(ARITHMETIC)}
    # With a folder of its own a worker does not look for code in one of the same name on its node.
    others = [f"/{path.name}" for path in alike.PROJECT.iterdir() if path.name != "stages"]
    code = {"working_dir": str(alike.PROJECT), "excludes": [*others, "__pycache__"]}
    own = {} if address else {"include_dashboard": False}
    ask = partial(
        ray.init,
        address or "local",
        runtime_env=code | {"env_vars": variables},
        logging_level=logging.ERROR,
        log_to_driver=False,
        **own,
    )
    try:
        _answered(ask)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise StudyError(
            f"compute.address: Ray cannot use {address or 'this machine'} ({_line(error)}): "
            "docs/parallel.md says how a cluster is started"
        ) from None


def _answered(ask: Callable[[], object]) -> None:
    """Ask again where the process that a head starts for each client ends as it starts.

    It is a fork of one whose threads use gRPC, which now and then it does not survive.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(ConnectionAbortedError):
            ask()
            return
    ask()


def _require_answer(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()
    except OSError as error:
        raise StudyError(
            f"compute.address: nothing answers at {address} ({error.strerror or error}): "
            "docs/parallel.md says how a cluster is started"
        ) from None


def _alive(resource: str = "") -> list[Node]:
    """The nodes that are there now, those that have the resource."""
    import ray

    found = []
    for node in ray.nodes():
        has = node["Resources"]
        if node["Alive"] and (not resource or has.get(resource)):
            counts = (int(has.get(name, 0)) for name in ("CPU", "GPU"))
            found.append(Node(node["NodeID"], node["NodeManagerHostname"], *counts))
    return sorted(found, key=lambda node: (node.host, node.id))


def _looked_at(
    ray: ModuleType, nodes: tuple[Node, ...], packages: Sequence[str]
) -> dict[str, alike.Facts]:
    """What each node says of itself, by a name that tells it from the others."""
    ask, asked = ray.remote(alike.facts), {}
    for node in nodes:
        alone = Cluster((node,)).options(cpus=0)
        asked[f"{node.host} ({node.id[:8]})"] = ask.options(**alone).remote(packages)
    found = {}
    for name, answer in asked.items():
        try:
            found[name] = ray.get(answer, timeout=LOOK)
        except ray.exceptions.RayError as error:
            raise StudyError(
                f"compute: node {name} cannot run the study ({_line(error)}): it takes the "
                "packages of requirements.txt and requirements-ray.txt"
            ) from None
    return found


class _Worker:
    def answer(self) -> None:
        """Only once the cluster and this process have answered each other."""


def _require_trust(ray: ModuleType) -> None:
    """A cluster without a token does everything for this process but keep workers for it."""
    worker = ray.remote(_Worker).options(num_cpus=0).remote()
    try:
        ray.get(worker.answer.remote(), timeout=LOOK)
    except ray.exceptions.RayError:
        raise StudyError(
            f"compute.address: this machine's token ({TOKEN}) is not the cluster's: copy the "
            f"cluster's, or set {AUTHENTICATION}=disabled if it has none"
        ) from None


def _line(error: Exception) -> str:
    """The last line of what may be a page; it has the cause."""
    return " ".join(str(error).strip().splitlines()[-1:])
