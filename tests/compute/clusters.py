"""Real Ray clusters on this machine: each node a raylet with workers of its own."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest
from ray.cluster_utils import Cluster

# Which Ray does as it starts and ends a node.
LEAVES_FILES_OPEN = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
LITTLE = {"include_dashboard": False, "object_store_memory": 100 << 20}


@contextmanager
def cluster(*nodes: dict) -> Iterator[Cluster]:
    """A head without cores, and nodes of one core each, with what else is said of them.

    `client` is the address that it has for those who are on none of its nodes. None asks for a
    token, though the user may have one for a cluster of his own.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_AUTH_MODE"] = "disabled"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = LITTLE | {"num_cpus": 0, "ray_client_server_port": port}
    found = Cluster(initialize_head=True, head_node_args=head)
    found.client = f"ray://127.0.0.1:{port}"
    try:
        for node in nodes:
            found.add_node(**LITTLE | {"num_cpus": 1} | node)
        yield found
    finally:
        found.shutdown()


def ray(address: str, resource: str = "") -> dict[str, str]:
    """What `compute` of params.yaml then is."""
    return {"engine": "ray", "address": address, "resource": resource}


def kill(node: object) -> None:
    """The raylet and all that it started, as when a machine's power is cut."""
    _end(psutil.Process(node.all_processes["raylet"][0].process.pid))


def kill_where(command: str, seconds: float = 300) -> None:
    """The node that runs a command, as soon as one does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                raylets = [one for one in process.parents() if one.name() == "raylet"]
                if raylets and process.cmdline()[-2:] == command.split():
                    return _end(raylets[0])
        time.sleep(0.2)
    raise AssertionError(f"no node has run {command}")


def kill_next_client_server(head: object, seconds: float = 60) -> None:
    """The process that a head starts for whoever comes next by `ray://`, as soon as it is there."""
    there = set(_client_servers(head))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for process in set(_client_servers(head)) - there:
            return process.kill()
        time.sleep(0.01)
    raise AssertionError("nobody came")


def _client_servers(head: object) -> list[psutil.Process]:
    proxy = psutil.Process(head.all_processes["ray_client_server"][0].process.pid)
    return proxy.children(recursive=True)


def _end(raylet: psutil.Process) -> None:
    for process in [*raylet.children(recursive=True), raylet]:
        os.kill(process.pid, signal.SIGKILL)
