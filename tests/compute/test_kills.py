"""Stages over pictures that were killed: they go on, to the same bytes."""

import re
import signal
import subprocess

import pytest

from tests.compute import made_study
from tests.compute.made_study import MODEL, interrupted, made, run

PICTURES = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Where nothing was killed."""
    folder = made_study.make(tmp_path_factory.mktemp("studies") / "whole", PICTURES)
    run(folder, "to_rgb")
    run(folder, "weights", MODEL)
    run(folder, "features", MODEL)
    return folder


@pytest.fixture
def killed(tmp_path):
    return made_study.make(tmp_path / "killed", PICTURES)


@pytest.fixture
def trained(killed):
    """Where heat maps come next."""
    run(killed, "to_rgb")
    run(killed, "weights", MODEL)
    made_study.train(killed)
    return killed


def killed_run(folder, stage: str, word: str, after: int) -> str:
    """Killed after some pieces, and then run to its end; what it says then."""
    code, printed = interrupted(folder, stage, word, after, subprocess.Popen.kill)
    assert code == -signal.SIGKILL, printed
    return run(folder, stage, word)


def test_to_rgb_goes_on_after_the_pictures_that_it_had_converted(whole, killed):
    printed = killed_run(killed, "to_rgb", "-", after=20)
    assert "goes on after 20 pictures" in printed
    assert printed.count("written\n") == PICTURES + 1 - 20
    expected = {name: data for name, data in made(whole).items() if name.startswith("data/rgb")}
    assert {n: d for n, d in made(killed).items() if n.startswith("data/rgb")} == expected
    assert not (killed / ".checkpoints/to_rgb").exists()


def test_features_go_on_after_the_views_that_they_had(whole, killed):
    run(killed, "to_rgb")
    run(killed, "weights", MODEL)
    printed = killed_run(killed, "features", MODEL, after=5)
    assert "goes on after" in printed
    assert made(killed) == made(whole)


def test_heat_maps_go_on_after_the_pictures_that_they_had(trained):
    printed = killed_run(trained, "explain", MODEL, after=3)
    done = int(re.search(r"goes on after (\d+) of 30 pictures", printed)[1])
    assert done in (8, 16, 24)  # what is written is recorded by a thread of its own
    assert printed.count("written\n") == 4 - done // 8
    assert not (trained / f".checkpoints/explain-{MODEL}").exists()
    gone_on = made(trained)
    assert f"reports/maps/{MODEL}.npy" in gone_on
    assert "goes on" not in run(trained, "explain", MODEL)
    assert made(trained) == gone_on


def test_heat_maps_of_other_pictures_start_again(trained):
    interrupted(trained, "explain", MODEL, 2, subprocess.Popen.kill)
    one, other, *_ = sorted((trained / "data/rgb/Dog").iterdir())
    other.write_bytes(one.read_bytes())
    assert "goes on" not in run(trained, "explain", MODEL)
