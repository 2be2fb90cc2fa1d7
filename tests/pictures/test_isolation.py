"""Work on hostile files, in processes that may end."""

import os
import signal
import subprocess
import sys

import pytest

from stages.pictures import isolation


def crashes(key: str, number: int) -> int:
    if "bad" in key:
        os.kill(os.getpid(), signal.SIGSEGV)
    return 2 * number


def never_ends(key: str, number: int) -> int:
    while "bad" in key:
        pass
    return 2 * number


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no CPU timers here")
@pytest.mark.parametrize("work", [crashes, never_ends])
def test_what_kills_its_process_has_no_result_and_the_others_have(monkeypatch, project, work):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(project), *sys.path]))
    monkeypatch.setattr(isolation, "AHEAD", 1)
    jobs = {"a": 1, "b": 2, "bad": 3, "c": 4}
    done = dict(isolation.on_all_cores(work, jobs.items(), seconds=1))
    assert done == {"a": 2, "b": 4, "bad": None, "c": 8}


def test_workers_end_with_a_parent_that_is_killed(project):
    code = """
import os
from stages.pictures.isolation import processes
if __name__ == "__main__":
    print(processes(1).submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), 9)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=project, stdout=subprocess.PIPE) as one:
        assert one.wait(timeout=60) == -signal.SIGKILL
        one.communicate(timeout=60)  # it ends when nobody holds the pipe any more
