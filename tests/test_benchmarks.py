"""Benchmarks are run by hand, so what can break them unseen is looked at here."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import against_pytorch, many_networks, mutants, tutorial_script, workplace
from benchmarks.gpu import outputs, speed, study
from benchmarks.gpu.report import Report

FOLDER = Path(__file__).parents[1] / "benchmarks"
OTHER = {"pytorch_finetune", "gpu.jax_engine"}  # which need PyTorch or JAX
HELPERS = OTHER | {"__init__", "workplace", "plain_keras"}
MODULES = {
    ".".join(file.relative_to(FOLDER).with_suffix("").parts) for file in FOLDER.rglob("*.py")
}


def test_every_benchmark_has_its_command_in_the_readme():
    text = " ".join((FOLDER / "README.md").read_text(encoding="utf-8").split())
    commands = {name.removesuffix(".__main__") for name in MODULES}
    commands -= HELPERS | {name for name in MODULES if "." in name}
    missing = {name for name in commands if f"python -m benchmarks.{name}" not in text}
    assert not missing


@pytest.mark.parametrize("name", sorted(MODULES - OTHER))
def test_what_a_benchmark_imports_is_there(name):
    importlib.import_module(f"benchmarks.{name}")


def test_a_stage_tells_when_each_of_its_epochs_ended(tmp_path):
    script = "print('loading'); [print(f'epoch {n}/3  loss 0.1') for n in (1, 2, 3)]"
    done = workplace.timed([sys.executable, "-c", script], tmp_path)
    assert len(done.epochs) == 3
    assert 0 < done.epochs[0] <= done.epochs[2] <= done.seconds


def test_a_side_that_fails_ends_the_benchmark_with_what_it_said(tmp_path):
    with pytest.raises(SystemExit, match="No such network"):
        workplace.timed([sys.executable, "-c", "raise SystemExit('No such network')"], tmp_path)


def test_missing_files_of_the_study_are_named():
    with pytest.raises(SystemExit, match="models/none/pretrained is missing"):  # noqa: SIM117
        with workplace.workplace({}, ["models/none/pretrained"]):
            pass


def test_the_first_epoch_counts_for_no_rate():
    assert against_pytorch.rate(workplace.Timed(99, [50.0, 52.0, 54.0]), pictures=100) == 50


def test_epochs_that_were_not_run_are_reckoned_as_the_mean_one():
    assert tutorial_script.reckoned(30, [15.0, 4.0, 6.0], epochs=10) == 65
    assert tutorial_script.reckoned(30, [15.0, 4.0, 6.0], epochs=3) == 30


def test_entries_of_a_network_are_those_of_the_lock_as_written(tmp_path):
    theirs = "features@dinov2_s14:\n    cmd: b\n    deps:\n    - path: data/rgb\n"
    others = "  split:\n    cmd: a\n", "  weights@vit_b16:\n    cmd: c\n"
    (tmp_path / "dvc.lock").write_text(f"stages:\n{others[0]}  {theirs}{others[1]}")
    assert many_networks.entries(tmp_path, ["dinov2_s14"]) == {"features@dinov2_s14": theirs}


def test_ten_networks_are_ten():
    assert len({*many_networks.FIRST, *many_networks.ADDED}) == 10


def test_every_place_of_a_program_gives_mutants_that_differ_in_it_alone(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(
        '"""Text: 1."""\n'
        "def share(part: int = 0) -> float:\n"
        "    if part < 2 and part:\n"
        "        raise ValueError(part)\n"
        "    print(part)\n"
        "    return part / 3\n"
    )
    found = list(mutants.mutants(file))
    assert [one.told.removeprefix(f"{file}:") for one in found] == [
        "2: 0  →  1",
        "3: if part < 2 and part:  →  not (part < 2 and part)",
        "3: part < 2 and part  →  part < 2 or part",
        "3: part < 2  →  part <= 2",
        "3: part < 2  →  part >= 2",
        "3: 2  →  3",
        "4: raise ValueError(part)  →  pass",
        "5: print(part)  →  pass",
        "6: return part / 3  →  return None",
        "6: part / 3  →  part * 3",
        "6: 3  →  4",
    ]
    assert len({one.text for one in found}) == len(found)


def test_a_mutant_runs_with_the_tests_that_name_its_module(monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    tests = mutants.tests_of(Path("stages/web/opt_outs.py"))
    assert tests[0] == "tests/web/test_opt_outs.py"
    assert "tests/web/test_packages.py" not in tests
    assert mutants.tests_of(Path("stages/web/resumable.py")) == [
        "tests/networks/test_publishers.py"
    ]


def test_a_mutant_is_what_its_tests_import(tmp_path):
    """And not the working tree, of which benchmarks/ itself has imported something."""
    (tmp_path / "stages/web").mkdir(parents=True)
    (tmp_path / "tests/web").mkdir(parents=True)
    (tmp_path / "stages/__init__.py").write_text("from stages.web import one\n")
    (tmp_path / "stages/web/one.py").write_text("def one():\n    return 1\n")
    (tmp_path / "tests/web/test_one.py").write_text(
        "from stages.web.one import one\n\n\ndef test_one():\n    assert one() == 1\n"
    )
    workplace.run(tmp_path, "git", "init", "--quiet")
    command = [sys.executable, "-m", "benchmarks.mutants", "stages/web/one.py"]
    env = os.environ | {"PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.startswith("stages/web/one.py: 2 of 2 mutants, 2 seen, 0 missed; "), done


def test_a_share_of_the_peak_has_two_operations_for_each_multiply_add_of_a_picture(monkeypatch):
    monkeypatch.setattr(speed, "seconds", lambda engine, run: 0.5)
    job = speed.Job("vit_b32", "float32", "training, 12 of 12 blocks", 10, 3, run=None)
    row = speed.row(None, job, {"float32": 5.0})
    assert (row["ms"], row["pictures/s"]) == ("500.00", "20")
    assert (row["TFLOP/s"], row["of the peak"]) == ("0.5", "10.6%")  # 3 · 2 · 4.41e9 · 20 / 5e12


def test_features_of_a_gpu_are_compared_with_those_of_the_processor_in_float32():
    made = np.array([[1, -4]], np.float32)
    cpu = {"a, float32": {"features": made}}
    first, second = ({"a, bf16": {"features": made + off}} for off in (0.25, 0.5))
    row = outputs.agreement("a, bf16", cpu, first, second)
    assert row["largest difference"] == "6.2e-02"  # 0.25 of 4
    assert row["features twice"] == "DIFFERENT"
    assert outputs.agreement("a, bf16", cpu, first, first)["features twice"] == "same bytes"


def test_two_runs_that_wrote_other_bytes_are_told(tmp_path):
    for run in ("one", "other"):
        for file in study.WRITTEN:
            path = tmp_path / run / "models/tiny_cnn" / file
            path.parent.mkdir(parents=True)
            path.write_text(run if "views" in file else "the same")
    told = study.twice(tmp_path / "one", tmp_path / "other", "tiny_cnn")
    assert [*told.values()][1:] == ["DIFFERENT", "same bytes", "same bytes"]


def test_tables_of_a_run_that_is_cut_short_are_there(tmp_path):
    report = Report(tmp_path, "A GPU")
    report.add("peak", [{"precision": "float32", "TFLOP/s": "50.0"}])
    report.add("none", [])
    text = (tmp_path / "gpu.md").read_text()
    assert text == "A GPU\n\nPeak:\n\n| precision | TFLOP/s |\n| --- | --- |\n| float32 | 50.0 |\n"
