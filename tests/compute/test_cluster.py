"""stages/compute/cluster.py: which nodes get work, and what ends a stage before there is any."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("ray", reason="Ray is not installed: requirements-ray.txt has it")

import ray

from stages.compute import alike, cluster
from stages.errors import StudyError
from stages.params import Compute
from tests.compute import clusters

pytestmark = clusters.LEAVES_FILES_OPEN


# What uses it is slow, as on a busy machine Ray's own start fails now and then.
@pytest.fixture(scope="module")
def two_nodes():
    """One of them with a resource."""
    with clusters.cluster({}, {"resources": {"mine": 1}}) as found:
        yield found


def compute(address: str, resource: str = "") -> Compute:
    return Compute(engine="ray", address=address, resource=resource)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["address", "client"])
def test_work_goes_to_nodes_that_have_the_resource_with_the_code_of_this_folder(two_nodes, kind):
    def where() -> tuple[str, str]:  # in here, so that it is sent itself: nodes have no tests
        import stages

        return ray.get_runtime_context().get_node_id(), stages.__file__

    with cluster.connected(compute(getattr(two_nodes, kind))) as found:
        assert (len(found.nodes), found.places(1)) == (2, 2)
    with cluster.connected(compute(getattr(two_nodes, kind), "mine")) as found:
        (node,) = found.nodes
        tasks = [ray.remote(where).options(**found.options(1)).remote() for _ in range(3)]
        for at, file in ray.get(tasks):
            assert at == node.id
            assert not Path(file).is_relative_to(alike.PROJECT)


@pytest.mark.slow
def test_a_server_that_ray_loses_as_it_starts_is_asked_for_again(two_nodes):
    killer = Thread(target=clusters.kill_next_client_server, args=(two_nodes.head_node,))
    killer.start()
    with cluster.connected(compute(two_nodes.client)) as found:
        assert len(found.nodes) == 2
    killer.join()


@pytest.mark.slow
def test_no_node_with_the_resource_is_an_error_that_names_it(two_nodes):
    with (
        pytest.raises(StudyError, match=r"no node of the cluster has the resource theirs and a"),
        cluster.connected(compute(two_nodes.address, "theirs")),
    ):
        pass


@pytest.mark.slow
def test_a_token_that_is_not_the_clusters_is_said(two_nodes, tmp_path, monkeypatch):
    token = tmp_path / ".ray/auth_token"
    token.parent.mkdir()
    token.write_text("0" * 64)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(cluster.AUTHENTICATION)  # as `clusters` had set it
    code = (
        "from stages.compute import cluster; from stages.params import Compute\n"
        f"compute = Compute(engine='ray', address={two_nodes.address!r}, resource='')\n"
        "with cluster.connected(compute): pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"this machine's token ({token}) is not the cluster's" in done.stderr


def test_where_nothing_answers_one_line_says_so():
    with (
        pytest.raises(StudyError, match=r"nothing answers at 127.0.0.1:9 \(Connection refused\)"),
        cluster.connected(compute("127.0.0.1:9")),
    ):
        pass


def test_without_ray_one_line_has_the_command(study):
    """In a process of its own, where it cannot be imported."""
    code = """
import sys
sys.modules["ray"] = None
from stages.compute import engines
from stages.params import Compute
with engines.chosen(Compute(engine="ray", address="", resource="")):
    pass
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=alike.PROJECT, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == (
        "stages.errors.StudyError: compute.engine is ray, which is not installed: "
        "`.venv/bin/python -m pip install --require-hashes -r requirements-ray.txt`"
    )
