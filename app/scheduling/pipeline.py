"""The stages of dvc.yaml as DVC knows them: what each needs, whether it is to run, its results.

Of DVC this takes what `dvc repro` itself is made of (3.67, dvc/repro.py and dvc/stage), in its
order, so that dvc.lock and the run cache come out the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import RWLOCK_FILE, RWLockFileCorruptedError, rwlock
from dvc.stage import Stage
from dvc.stage.cache import RunCacheNotFoundError
from dvc.utils.collections import ensure_list
from dvc.utils.serialize import load_yaml, modify_yaml

from stages.errors import StudyError

PIPELINE, LOCK = "dvc.yaml", "dvc.lock"


class Pipeline:
    """The stages that lead to the targets; all of dvc.yaml without any. For one thread.

    Inside its block other commands of DVC may look, but cannot run or change what is here.
    """

    def __init__(self, targets: Sequence[str], force: bool) -> None:
        self.force = force
        self._held, self._known = ExitStack(), list(_locked_stages())
        with _told_in_one_line():
            self.repo = Repo(_wait_for_lock=True)
            with self.repo.lock:
                graph = get_active_graph(self.repo.index.graph)
                wanted = collect_stages(self.repo, targets or [PIPELINE])
                self.order: list[Stage] = plan_repro(graph, wanted)
        self.needs = {stage: set(graph.successors(stage)) for stage in self.order}

    def __enter__(self) -> Pipeline:
        """Raises StudyError where another command works on the same files."""
        places = {
            kind: sorted({place.fs_path for stage in self.order for place in getattr(stage, kind)})
            for kind in ("deps", "outs")
        }
        with _told_in_one_line(), self.repo.lock:
            try:
                self._held.enter_context(self._claimed(**places))
            except RWLockFileCorruptedError:  # whoever was writing it was killed
                Path(self.repo.tmp_dir, RWLOCK_FILE).unlink()
                self._held.enter_context(self._claimed(**places))
        return self

    def __exit__(self, *_: object) -> None:
        with self.repo.lock:
            self._sort_lock()
            self._held.close()
        self.repo.close()

    def settled(self, stage: Stage) -> bool:
        """Whether a stage needs no run: it is unchanged, or DVC still has what such a run gave.

        Raises StudyError where DVC cannot tell, as of an input that is missing.
        """
        with _told_in_one_line(), self._locked():
            if not self.force and not stage.changed():
                print(f"Stage '{stage.addressing}' didn't change, skipping", flush=True)
                return True
            if not stage.cmd:  # of `dvc add` and its like
                stage.reproduce(force=self.force)
                stage.dump(update_pipeline=False)
                return True
            stage.remove_outs(ignore_remove=False)
            if not self.force and self._restored(stage):
                self._save(stage)
                return True
            return False

    def commit(self, stage: Stage) -> None:
        """Record what a stage has made. Raises StudyError where an output is missing."""
        with _told_in_one_line(), self._locked():
            self._save(stage)

    def _sort_lock(self) -> None:
        """Put new entries of dvc.lock in the order of `dvc repro`, not of who was done first."""
        now = list(_locked_stages())
        new = [stage.addressing for stage in self.order if stage.addressing not in self._known]
        order = [name for name in [*self._known, *new] if name in now]
        if order != now:
            with modify_yaml(LOCK) as content:
                content["stages"] = {name: content["stages"][name] for name in order}

    def _restored(self, stage: Stage) -> bool:
        try:
            self.repo.stage_cache.restore(stage)
        except RunCacheNotFoundError:
            return False
        print(f"Stage '{stage.addressing}' is cached, its outputs are checked out", flush=True)
        return True

    @staticmethod
    def _save(stage: Stage) -> None:
        kept_by_git = any(
            not out.use_cache for out in stage.outs if not (out.is_metric or out.is_plot)
        )
        stage.save(run_cache=not kept_by_git)
        stage.commit()
        stage.dump(update_pipeline=False)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.repo.lock, self.repo.scm_context(quiet=True):
            yield

    def _claimed(self, deps: list[str], outs: list[str]) -> AbstractContextManager[None]:
        hardlink = self.repo.config["core"].get("hardlink_lock", False)
        command = " ".join(sys.argv)  # as DVC names itself, whose own locks then are these
        return rwlock(self.repo.tmp_dir, self.repo.fs, command, deps, outs, hardlink)


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Raises StudyError for what DVC refuses, and for a file that it does not find."""
    try:
        yield
    except (DvcException, FileNotFoundError) as error:
        raise StudyError(str(error)) from None


def _locked_stages() -> dict[str, object]:
    """Those of dvc.lock, in its order."""
    return load_yaml(LOCK).get("stages", {}) if Path(LOCK).exists() else {}


def commands(stage: Stage) -> str:
    """What the shell is to run for a stage."""
    return " && ".join(ensure_list(stage.cmd))
