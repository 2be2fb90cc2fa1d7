"""Stages over pictures on a real cluster: the bytes of this machine alone, whatever is killed."""

import signal
import subprocess

import pytest

pytest.importorskip("ray", reason="Ray is not installed: requirements-ray.txt has it")

from tests.compute import clusters, made_study
from tests.compute.made_study import MODEL, interrupted, made, run

PICTURES = 240

pytestmark = [pytest.mark.slow, clusters.LEAVES_FILES_OPEN]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """What this machine makes alone."""
    folder = made_study.make(tmp_path_factory.mktemp("studies") / "local", PICTURES)
    for stage, word in (("to_rgb", "-"), ("weights", MODEL), ("features", MODEL)):
        run(folder, stage, word)
    return made(folder)


@pytest.fixture(scope="module")
def cluster():
    with clusters.cluster({}, {}) as found:
        yield found


def prepared(folder, compute: dict[str, str], stage: str):
    """A study where a stage comes next."""
    made_study.make(folder, PICTURES)
    if stage == "features":
        run(folder, "to_rgb")
        run(folder, "weights", MODEL)
    made_study.use(folder, compute)
    return folder


def expected(local: dict[str, bytes], stage: str) -> dict[str, bytes]:
    places = ("data/rgb", "reports") if stage == "to_rgb" else ("",)
    return {name: data for name, data in local.items() if name.startswith(places)}


STAGES = pytest.mark.parametrize(("stage", "word"), [("to_rgb", "-"), ("features", MODEL)])


@STAGES
@pytest.mark.parametrize("kind", ["address", "client"])
def test_a_cluster_makes_the_bytes_of_one_machine(tmp_path, local, cluster, stage, word, kind):
    study = prepared(tmp_path / "study", clusters.ray(getattr(cluster, kind)), stage)
    run(study, stage, word)
    assert made(study) == expected(local, stage)


def test_heat_maps_are_the_same_after_a_kill_too(tmp_path, cluster):
    study = prepared(tmp_path / "study", made_study.LOCAL, "features")
    made_study.train(study)
    run(study, "explain", MODEL)
    maps = (study / "reports/maps" / f"{MODEL}.npy").read_bytes()
    made_study.use(study, clusters.ray(cluster.address))
    run(study, "explain", MODEL)
    assert (study / "reports/maps" / f"{MODEL}.npy").read_bytes() == maps
    assert len(set(maps)) > 100  # levels of grey, and not one
    code, printed = interrupted(study, "explain", MODEL, 3, subprocess.Popen.kill)
    assert code == -signal.SIGKILL, printed
    assert "goes on after" in run(study, "explain", MODEL)
    assert (study / "reports/maps" / f"{MODEL}.npy").read_bytes() == maps


@STAGES
def test_a_killed_driver_goes_on(tmp_path, local, cluster, stage, word):
    study = prepared(tmp_path / "study", clusters.ray(cluster.address), stage)
    code, printed = interrupted(study, stage, word, 12, subprocess.Popen.kill)
    assert code == -signal.SIGKILL, printed
    assert "goes on after" in run(study, stage, word)
    assert made(study) == expected(local, stage)


@STAGES
def test_a_killed_node_costs_time_alone(tmp_path, local, stage, word):
    with clusters.cluster({}, {}) as cluster:
        study = prepared(tmp_path / "study", clusters.ray(cluster.address), stage)
        lost = sorted(cluster.worker_nodes, key=lambda node: node.unique_id)[0]
        code, printed = interrupted(study, stage, word, 12, lambda _: clusters.kill(lost))
    assert code == 0, printed
    assert made(study) == expected(local, stage)


@STAGES
def test_where_no_node_is_left_one_line_says_so_and_another_cluster_goes_on(
    tmp_path, local, cluster, stage, word
):
    with clusters.cluster({}) as doomed:
        study = prepared(tmp_path / "study", clusters.ray(doomed.client), stage)
        (node,) = doomed.worker_nodes
        code, printed = interrupted(study, stage, word, 12, lambda _: clusters.kill(node))
    assert code == 1, printed
    assert "compute: no node is left" in printed
    made_study.use(study, clusters.ray(cluster.address))
    assert "goes on after" in run(study, stage, word)
    assert made(study) == expected(local, stage)
