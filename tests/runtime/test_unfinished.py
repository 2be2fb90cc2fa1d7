"""What a stage that was killed has made: there for the same key alone, and gone at the end."""

import threading
from contextlib import suppress

import pytest

from stages.errors import StudyError
from stages.runtime import unfinished as module
from stages.runtime.unfinished import FOLDER, unfinished


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def killed(key):
    with suppress(KeyboardInterrupt), unfinished("stage", key) as folder:
        (folder / "made").write_bytes(b"half")
        raise KeyboardInterrupt


def test_it_is_there_for_the_same_key_and_gone_at_the_end():
    killed("one")
    with unfinished("stage", "one") as folder:
        assert (folder / "made").read_bytes() == b"half"
    assert not (FOLDER / "stage").exists()


def test_what_another_key_has_left_is_removed_and_that_of_another_stage_is_not():
    killed("one")
    with unfinished("other", "two"):
        pass
    assert (FOLDER / "stage/one/made").exists()
    with unfinished("stage", "two") as folder:
        assert not [*folder.iterdir()]
        assert not (FOLDER / "stage/one").exists()


def test_it_stays_where_something_was_edited_meanwhile(monkeypatch):
    def edited():
        raise StudyError("edited")

    monkeypatch.setattr(module, "require_unchanged", edited)  # no stage of DVC runs here
    with pytest.raises(StudyError, match="edited"), unfinished("stage", "one"):
        pass
    assert (FOLDER / "stage/one").exists()


def test_another_process_waits():
    """A thread in its place: locks are of open files, and each opens its own."""
    entered = threading.Event()

    def other():
        with unfinished("stage", "one"):
            entered.set()

    with unfinished("stage", "one"):
        waiting = threading.Thread(target=other)
        waiting.start()
        assert not entered.wait(0.3)
    waiting.join(10)
    assert entered.is_set()
