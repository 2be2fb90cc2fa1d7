"""app/repro.py on a real cluster of two nodes, some of them killed: a study of two networks."""

import subprocess
import sys

import pytest
from dvc.utils.serialize import load_yaml, modify_yaml

pytest.importorskip("ray", reason="Ray is not installed: requirements-ray.txt has it")

from stages.runtime.processors import cores
from tests.compute import clusters
from tests.tiny_study import MODELS, change, dvc, would_run

pytestmark = [pytest.mark.slow, clusters.LEAVES_FILES_OPEN]
TRAVEL = {
    f"{name}@{model}" for name in ("transfer", "finetune", "explain", "export") for model in MODELS
}


@pytest.fixture(scope="module", params=["client", "address"])
def nodes(request):
    with clusters.cluster({}, {}) as found:
        found.asked_at = getattr(found, request.param)
        yield found


@pytest.fixture
def study(tiny_study, nodes):
    """It has run as `dvc repro` runs it, and is to run on the cluster."""
    change(tiny_study, lambda params: params.update(compute=clusters.ray(nodes.asked_at)))
    return tiny_study


def started(study, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "app.repro", *words],
        cwd=study,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process, word):
    """The lines up to one that has the word."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError("".join(lines))


def one_epoch_more(params):
    """Than the study has, which is that of the other address once it has been here."""
    params["transfer"]["epochs"] += 1


def test_another_engine_runs_nothing_again(study):
    assert would_run(study) == set()


def test_stages_of_a_cluster_make_the_bytes_of_dvc_repro(study):
    before = load_yaml(study / "dvc.lock")
    process = started(study, "--force")
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0, "\n".join(lines)
    assert load_yaml(study / "dvc.lock") == before
    assert "up to date" in dvc(study, "status")
    said = {line[1:].split("]")[0] for line in lines if line.startswith("[") and "> python" in line}
    assert said >= TRAVEL


@pytest.mark.parametrize("stage", ["transfer", "finetune", "explain", "export"])
def test_a_node_that_is_killed_in_a_stage_costs_time_alone(tiny_study, stage):
    before = load_yaml(tiny_study / "dvc.lock")
    with clusters.cluster({}, {}) as found:
        change(tiny_study, lambda params: params.update(compute=clusters.ray(found.address)))
        process = started(tiny_study, "--force", f"{stage}@tiny_vit")
        clusters.kill_where(f"stages.{stage} tiny_vit")
        said = process.communicate()[0]
    assert process.returncode == 0, said
    assert load_yaml(tiny_study / "dvc.lock") == before
    assert "up to date" in dvc(tiny_study, "status")


def test_a_driver_that_was_killed_goes_on(study):
    before = load_yaml(study / "dvc.lock")
    change(study, one_epoch_more)
    process = started(study)
    read_until(process, "[finetune@tiny_vit] >")
    process.kill()
    process.communicate()
    process = started(study)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert "Stage 'transfer@tiny_vit' didn't change" in said
    assert "up to date" in dvc(study, "status")
    assert load_yaml(study / "dvc.lock") != before


def test_stages_that_run_at_once_on_a_node_have_a_gpu_each(tiny_study):
    """Ray takes a node's word for its GPUs, and hands them out: no stage here asks for one."""
    with modify_yaml(tiny_study / "dvc.yaml") as pipeline:
        pipeline["stages"]["told"] = {
            "matrix": {"name": ["one", "two"]},
            "cmd": "echo GPU $CUDA_VISIBLE_DEVICES; sleep 5; touch told-${item.name}",
            "outs": ["told-${item.name}"],
        }
    with clusters.cluster({"num_cpus": 2 * cores(), "num_gpus": 2}) as found:
        change(tiny_study, lambda params: params.update(compute=clusters.ray(found.address)))
        said = started(tiny_study, "told").communicate()[0]
    given = {line.split()[-1] for line in said.splitlines() if "] GPU" in line}
    assert given == {"0", "1"}, said
