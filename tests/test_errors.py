"""stages/errors.py: a user's error is one line and an exit code, ours is a traceback."""

import argparse
import errno
import subprocess
import sys

import pytest

from stages import errors
from stages.runtime import program


def main(model):
    raise {
        "study": errors.StudyError("class Cat has 2 pictures: add some"),
        "parameter": errors.ParameterError("params.yaml: seed is -1; allowed: 0"),
        "interrupt": KeyboardInterrupt(),
        "full": OSError(errno.ENOSPC, "No space left", "data/rgb/a.png"),
        "full_disk": OSError(errno.ENOSPC, "No space left"),
        "bug": ZeroDivisionError("ours"),
        "denied": PermissionError(errno.EACCES, "Permission denied", "data"),
    }[model]


def ends(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["stage", *words])
    with pytest.raises(SystemExit) as ended:
        program.run(main)
    out, err = capsys.readouterr()
    assert out == ""
    return ended.value.code, err


@pytest.mark.parametrize(
    ("what", "code", "line"),
    [
        ("study", 1, "class Cat has 2 pictures: add some"),
        ("parameter", 2, "params.yaml: seed is -1; allowed: 0"),
        ("interrupt", 130, "interrupted; `dvc repro` runs this stage again"),
        ("full", 1, "no space left on data/rgb/a.png: free some (`dvc gc -w`?)"),
        ("full_disk", 1, "no space left on the disk: free some (`dvc gc -w`?)"),
    ],
)
def test_a_users_error_is_one_line_with_the_stage_and_a_code(monkeypatch, capsys, what, code, line):
    assert ends(monkeypatch, capsys, what) == (code, f"{__name__}: {line}\n")


@pytest.mark.parametrize("words", [(), ("a", "b")])
def test_wrong_words_on_the_command_line_show_the_usage(monkeypatch, capsys, words):
    expected = f"{__name__}: usage: python -m {__name__} <model>\n"
    assert ends(monkeypatch, capsys, *words) == (2, expected)


@pytest.mark.parametrize(
    ("what", "kind"), [("bug", ZeroDivisionError), ("denied", PermissionError)]
)
def test_an_error_of_ours_keeps_its_traceback(monkeypatch, what, kind):
    monkeypatch.setattr(sys, "argv", ["stage", what])
    with pytest.raises(kind):
        program.run(main)


def test_a_stage_that_ends_well_exits_with_0(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as ended:
        program.run(lambda: None)
    assert ended.value.code == 0


def test_a_real_stage_in_a_folder_without_parameters(tmp_path, project):
    ended = subprocess.run(
        [sys.executable, "-m", "stages.to_rgb"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "stages.to_rgb: params.yaml is missing here: run from the project's folder\n"
    )


@pytest.mark.parametrize(("result", "printed"), [("3 kept", "test_errors Cat: 3 kept\n"), ("", "")])
def test_a_result_in_words_is_one_line_with_stage_and_words(monkeypatch, capsys, result, printed):
    def main(model):
        return result

    monkeypatch.setattr(sys, "argv", ["stage", "Cat"])
    with pytest.raises(SystemExit) as ended:
        program.run(main)
    assert (ended.value.code, capsys.readouterr()) == (0, (printed, ""))


def test_a_command_is_called_with_its_options_and_ends_as_a_stage_does(monkeypatch, capsys):
    def main(picture, top):
        raise errors.StudyError(f"{picture}: {top}")

    words = argparse.ArgumentParser()
    words.add_argument("picture")
    words.add_argument("--top", type=int)
    monkeypatch.setattr(sys, "argv", ["command", "a.png", "--top=3"])
    with pytest.raises(SystemExit) as ended:
        program.run_command(main, words)
    assert (ended.value.code, capsys.readouterr().err) == (1, f"{__name__}: a.png: 3\n")
