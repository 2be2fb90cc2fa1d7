"""stages/runtime/committed.py: in a real repository, with a lock of two stages."""

import subprocess

import pytest
import yaml

from stages.runtime import committed


def lock(**outputs: str) -> dict:
    """A dvc.lock whose stages have these hashes of their outputs, and each the same inputs."""
    return {
        "schema": "2.0",
        "stages": {
            name: {
                "cmd": f"python -m stages.{name}",
                "deps": [{"path": "data/rgb", "md5": "1"}],
                "params": {"params.yaml": {"seed": 0}},
                "outs": [{"path": f"models/{name}", "md5": output}],
            }
            for name, output in outputs.items()
        },
    }


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty one; call it to commit a lock."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")

    def commit(content: dict) -> None:
        committed.LOCK.write_text(yaml.safe_dump(content))
        git("add", "--all")
        who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com")
        git(*who, "commit", "--quiet", "--message", "Results")

    return commit


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True)


def said(capsys, content: dict) -> str:
    committed.LOCK.write_text(yaml.safe_dump(content))
    committed.main()
    return capsys.readouterr().out


def test_other_results_of_the_same_inputs_are_one_line_with_the_reason(repository, capsys):
    repository(lock(split="a", features="b"))
    line = said(capsys, lock(split="a", features="c"))
    assert line.startswith("repro: of the same inputs features made other results")
    assert "another kind of processor rounds otherwise" in line
    assert "`git restore dvc.lock reports data/croissant.json`" in line
    assert line.count("\n") == 1


def test_other_pictures_of_a_source_are_no_matter_of_the_processor(repository, capsys):
    repository(lock(scrape="a", features="b"))
    line = said(capsys, lock(scrape="c", features="b"))
    assert "the source has other pictures now" in line
    assert "processor" not in line


def test_the_same_results_need_no_word(repository, capsys):
    repository(lock(split="a"))
    assert said(capsys, lock(split="a")) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cmd", "python -m stages.features tiny_vit"),
        ("deps", [{"path": "data/rgb", "md5": "2"}]),
        ("params", {"params.yaml": {"seed": 1}}),
    ],
)
def test_results_of_other_inputs_are_expected_to_differ(repository, capsys, key, value):
    repository(lock(features="b"))
    changed = lock(features="c")
    changed["stages"]["features"][key] = value
    assert said(capsys, changed) == ""


def test_a_new_stage_and_an_uncommitted_study_have_nothing_to_differ_from(repository, capsys):
    assert said(capsys, lock(features="c")) == ""
    repository(lock(split="a"))
    assert said(capsys, lock(split="a", features="c")) == ""


def test_without_a_lock_nothing_is_said(repository, capsys):
    repository(lock(split="a"))
    committed.LOCK.unlink()
    committed.main()
    assert capsys.readouterr().out == ""
