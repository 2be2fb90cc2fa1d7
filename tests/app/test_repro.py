"""app.repro: stages side by side, and results that DVC takes for its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scheduling.schedule import run_all
from stages.errors import StudyError

ROOT = Path(__file__).parents[2]

# Two that need nothing, one that needs both, one that needs the first alone.
STAGES = {
    "one": {"cmd": "cp source one", "deps": ["source"], "outs": ["one"]},
    "two": {"cmd": "cp source two", "deps": ["source"], "outs": ["two"]},
    "both": {"cmd": "cat one two > both", "deps": ["one", "two"], "outs": ["both"]},
    "first": {
        "cmd": "mkdir first && cp one first/copy && echo 1 > count.json",
        "deps": ["one"],
        "outs": ["first"],
        "metrics": [{"count.json": {"cache": False}}],
    },
}
# Each leaves its name and waits for the other's, which only side by side comes to an end.
MEET = "touch {0}.here; timeout 20 sh -c 'until [ -e {1}.here ]; do sleep 0.1; done'; cp source {0}"


class Made:
    """Stages of a made-up graph, and what was done with each, by number."""

    jobs = 3

    def __init__(self, needs, settled=(), failing=()):
        self.order = [Stage(number) for number in range(len(needs))]
        self.needs = {
            stage: {self.order[number] for number in needs[stage.number]} for stage in self.order
        }
        self.unchanged, self.failing = settled, failing
        self.committed, self.now, self.most = [], 0, 0
        self.lock = threading.Lock()

    def settled(self, stage):
        self.require_needs(stage)
        if stage.number not in self.unchanged:
            return False
        self.committed.append(stage)
        return True

    def run(self, stage):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.require_needs(stage)
        time.sleep(0.001)
        with self.lock:
            self.now -= 1
        if stage.number in self.failing:
            raise StudyError("failed")

    def commit(self, stage):
        self.committed.append(stage)

    def require_needs(self, stage):
        assert self.needs[stage] <= set(self.committed)


class Stage:
    def __init__(self, number):
        self.number, self.addressing = number, str(number)


@st.composite
def graphs(draw):
    """What each of some stages needs: earlier ones."""
    size = draw(st.integers(1, 9))
    return [draw(st.sets(st.integers(0, row - 1))) if row else set() for row in range(size)]


def lost(needs, failing):
    """Those that need a failed one, directly or not."""
    found = set()
    for row, wanted in enumerate(needs):
        if row not in failing and wanted & (found | failing):
            found.add(row)
    return found


@settings(deadline=None, max_examples=60)
@given(graphs(), st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8)))
def test_each_stage_has_one_end(needs, settled, failing):
    plan = Made(needs, settled, failing - settled)
    outcome = run_all(plan, plan)
    failed = set(map(int, outcome.failed))
    assert failed <= failing - settled
    assert set(map(int, outcome.skipped)) == lost(needs, failed)
    assert {stage.number for stage in plan.committed} == (
        set(range(len(needs))) - failed - lost(needs, failed)
    )
    assert outcome.run + outcome.unchanged == len(plan.committed)
    assert plan.most <= plan.jobs


def project(folder, stages):
    """A project of DVC's with these stages."""
    folder.mkdir()
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "source").write_text("drawn")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    return folder


def started(folder, *words):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "app.repro", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell ignores it for what it runs in the background, and so for all below.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def ran(folder, *words):
    """→ exit code, and what was said."""
    process = started(folder, *words)
    said = process.communicate(timeout=120)[0]
    return process.returncode, said


def dvc(folder, *words):
    return subprocess.run(["dvc", *words], cwd=folder, capture_output=True, text=True, check=False)


def test_dvc_finds_nothing_left_to_run(tmp_path):
    folder, other = project(tmp_path / "ours", STAGES), project(tmp_path / "dvcs", STAGES)
    code, said = ran(folder)
    assert (code, said.splitlines()[-1]) == (0, "repro: 4 stages run, 0 unchanged or restored")
    assert dvc(other, "repro").returncode == 0
    assert (folder / "dvc.lock").read_text() == (other / "dvc.lock").read_text()
    ignored = [set((place / ".gitignore").read_text().split()) for place in (folder, other)]
    assert ignored[0] == ignored[1]
    assert "up to date" in dvc(folder, "status").stdout
    assert "didn't change" in dvc(folder, "repro").stdout
    assert ran(folder)[1].endswith("repro: 0 stages run, 4 unchanged or restored\n")


def test_stages_run_side_by_side(tmp_path):
    stages = {
        name: {"cmd": MEET.format(name, other), "deps": ["source"], "outs": [name]}
        for name, other in (("one", "two"), ("two", "one"))
    }
    assert ran(project(tmp_path / "study", stages), "--jobs", "2")[0] == 0


def test_a_target_runs_with_what_it_needs(tmp_path):
    folder = project(tmp_path / "study", STAGES)
    assert ran(folder, "first")[0] == 0
    assert {path.name for path in folder.iterdir()} >= {"one", "first", "count.json"}
    assert not (folder / "two").exists()


def test_a_failure_keeps_from_running_only_what_needs_it(tmp_path):
    stages = STAGES | {"two": {"cmd": "echo no luck; false", "deps": ["source"], "outs": ["two"]}}
    folder = project(tmp_path / "study", stages)
    code, said = ran(folder)
    assert code == 1
    assert "[two] no luck" in said
    assert (
        said.splitlines()[-1] == "app.repro: failed: two; not run, as they need one of these: both"
    )
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    assert ran(folder)[1].endswith("repro: 2 stages run, 2 unchanged or restored\n")


def test_an_output_that_is_missing_is_a_failure(tmp_path):
    stages = {"one": {"cmd": "true", "deps": ["source"], "outs": ["one"]}}
    code, said = ran(project(tmp_path / "study", stages))
    assert code == 1
    assert "one" in said
    assert "Traceback" not in said


def test_an_input_that_is_missing_is_a_failure_of_its_stage_alone(tmp_path):
    stages = STAGES | {"two": {"cmd": "cp nothing two", "deps": ["nothing"], "outs": ["two"]}}
    code, said = ran(project(tmp_path / "study", stages))
    assert code == 1
    assert "[two]" in said
    assert "nothing" in said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("app.repro: failed: two; not run")


def test_no_stages_at_once_is_a_wrong_number(tmp_path):
    code, said = ran(tmp_path, "--jobs", "0")
    assert (code, said) == (2, "app.repro: --jobs is 0; allowed: 1 or more\n")


def test_what_ran_before_comes_from_the_run_cache(tmp_path):
    folder = project(tmp_path / "study", STAGES)
    ran(folder)
    (folder / "source").write_text("otherwise")
    ran(folder)
    (folder / "source").write_text("drawn")
    code, said = ran(folder)
    assert "is cached" in said
    assert (folder / "one").read_text() == "drawn"
    assert code == 0


def test_force_runs_what_is_unchanged(tmp_path):
    folder = project(tmp_path / "study", STAGES)
    ran(folder)
    assert ran(folder, "--force")[1].endswith("repro: 4 stages run, 0 unchanged or restored\n")


def test_interrupted_it_ends_its_stages_and_keeps_what_was_done(tmp_path):
    slow = {
        "cmd": "touch started && sleep 60.25 && cp source two",
        "deps": ["source"],
        "outs": ["two"],
    }
    folder = project(tmp_path / "study", STAGES | {"two": slow})
    process = started(folder, "--jobs", "3")
    while not ((folder / "started").exists() and (folder / "first").exists()):
        time.sleep(0.1)
    other = dvc(folder, "repro", "two")
    assert "busy" in other.stderr
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[0]
    assert process.returncode == 130
    assert "interrupted; the same command goes on" in said
    assert (
        subprocess.run(["pgrep", "-f", "sleep 60.25"], check=False, capture_output=True).stdout
        == b""
    )
    assert "didn't change" in dvc(folder, "repro", "one").stdout


def test_a_list_of_claims_that_a_kill_has_cut_short_is_no_obstacle(tmp_path):
    folder = project(tmp_path / "study", STAGES)
    (folder / ".dvc/tmp").mkdir(exist_ok=True)
    (folder / ".dvc/tmp/rwlock").write_text('{"read": {"')
    assert ran(folder)[0] == 0


def test_outside_of_a_project_it_says_so(tmp_path):
    code, said = ran(tmp_path)
    assert code == 1
    assert len(said.splitlines()) == 1
