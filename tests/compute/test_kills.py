"""Stages over pictures that were killed: they go on, to the same bytes."""

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
