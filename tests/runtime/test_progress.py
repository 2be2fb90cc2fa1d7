"""stages/runtime/progress.py: a bar on a real terminal, a few lines in a real file."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from stages.runtime import progress as progress_module
from stages.runtime.progress import SECONDS, Pace, followed, progress

PROJECT = Path(__file__).parents[2]
WORK = """
import time
from stages.runtime.progress import followed
for _ in followed(range(400), "checks", 400, "picture"):
    time.sleep(0.002)
print("done", flush=True)
"""


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets: logs are paced in seconds and minutes."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(progress_module.time, "monotonic", lambda: Clock.now)
    return Clock


def on_a_terminal(code: str) -> str:
    """What a terminal is sent by a process that runs some code."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=PROJECT, stdout=its, stderr=its) as process:
        os.close(its)
        sent = b""
        try:
            while more := os.read(ours, 1 << 16):
                sent += more
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0, sent
    return sent.decode()


def test_on_a_terminal_a_bar_moves_and_is_gone_at_the_end():
    sent = on_a_terminal(WORK)
    shown = [part for part in sent.split("\r") if "picture/s" in part]
    assert len(shown) > 3
    assert shown[0] != shown[-1]
    assert all("checks: " in part and "/400" in part for part in shown)
    *_, blank, last = sent.rstrip("\r\n").split("\r")
    assert (blank.strip(), last) == ("", "done")


def test_a_log_has_no_carriage_return_and_no_line_of_what_takes_seconds(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-c", WORK]
        subprocess.run(command, cwd=PROJECT, stdout=out, stderr=out, check=True)
    assert log.read_bytes() == b"done\n"


def test_a_log_has_a_line_a_tenth_of_what_takes_longer(clock, capsys):
    for _ in followed(range(2000), "checks", 2000, "picture"):
        clock.now += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "checks: 10% of 2,000 pictures, 30:00 left"
    assert lines[-1] == "checks: 90% of 2,000 pictures, 03:20 left"
    assert len(lines) == 9


def test_lines_of_a_log_are_half_a_minute_apart(clock, capsys):
    for _ in followed(range(100), "checks", 100, "picture"):
        clock.now += 0.9
    assert [line[:11] for line in capsys.readouterr().err.splitlines()] == [
        *("checks: 34%", "checks: 68%")
    ]


def test_without_a_known_end_the_lines_get_rarer(clock, capsys):
    with progress("scrape", None, "picture") as advance:
        for _ in range(24 * 60 * 60):
            clock.now += 1
            advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [f"scrape: {n} pictures so far" for n in (30, 90, 210)]
    assert len(lines) < 15


def test_a_download_that_goes_on_counts_the_bytes_it_has(clock, capsys):
    with progress("weights.h5", 4_000_000, "B", start=1_000_000) as advance:
        clock.now = 40
        advance(1_000_000)
    assert capsys.readouterr().err == "weights.h5: 50% of 4.00MB, 01:20 left\n"


def test_pieces_count_by_their_size(clock, capsys):
    for _ in followed(["abc", "de"], "evaluate", 5, "picture", len):
        clock.now += SECONDS
    assert capsys.readouterr().err == "evaluate: 60% of 5 pictures, 00:20 left\n"


def test_the_items_come_as_they_are():
    assert list(followed(iter("abc"), "checks", 3, "picture")) == ["a", "b", "c"]


def test_nothing_is_due_at_once(clock):
    assert not Pace(3).is_due(3)
