"""One function over many pieces, on the workers of a Ray cluster.

A worker is a process (an actor of Ray) that has a network and some cores. Pieces go to it and
results come back through Ray's object store: no node needs a disk that others see. Results are in
order, as whoever asked writes them in order, and goes on after the last one that was written.
"""

from __future__ import annotations

import heapq
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from stages.compute.cluster import Cluster
from stages.compute.engines import Folder, Steps
from stages.errors import StudyError
from stages.pictures import isolation

UNDER_WAY = 2  # pieces that a worker has: one is prepared while another is computed
AHEAD = 4  # pieces for each worker that are under way, or done and wait for an earlier one
TRIES = 5  # of a piece whose worker was lost; then it is what ends workers
LOOK = 30  # seconds without a result after which the cluster is looked at
PICTURES, BYTES = 16, 8 << 20  # of a piece of `isolated`, about


class OnRay:
    """The nodes of a cluster. A network has as many cores there as here, if nodes have so many."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def folder(self, path: Path) -> Folder:
        files = {file.name: file.read_bytes() for file in path.iterdir()}
        return partial(_unpacked, [ray.put(files)])  # in a list: else sent as what it names

    def map(
        self, make: Callable[[], Steps], pieces: Iterable, start: Callable[[], object]
    ) -> Iterator:
        made = partial(_started, start, make)
        return _Team(self.cluster, made, self.cluster.share).results(pieces)

    def isolated(self, work: Callable, jobs: Iterable[tuple]) -> Iterator[tuple]:
        for results in _Team(self.cluster, partial(_isolation, work), 1).results(_bundles(jobs)):
            yield from results


@dataclass(order=True)
class _Job:
    number: int
    piece: Any = field(compare=False)
    tries: int = field(default=0, compare=False)


class _Team:
    """Workers, and what each is at. One that is lost is replaced, and its jobs are done again."""

    def __init__(self, cluster: Cluster, make: Callable[[], Steps], cpus: int) -> None:
        self.cluster = cluster
        self.kind = ray.remote(_Worker).options(max_concurrency=UNDER_WAY, **cluster.options(cpus))
        self.make = ray.put(make)
        self.coming: dict[ray.ObjectRef, Any] = {}  # workers that have no place yet
        self.load: dict[Any, int] = {}  # the others, and how many jobs each has
        self.jobs: dict[ray.ObjectRef, tuple[Any, _Job]] = {}
        self.lost: list[_Job] = []  # a heap: later results wait for the first
        self.losses = 0  # of workers since the last result
        self.workers = cluster.places(cpus)
        for _ in range(self.workers):
            self._hire()

    def results(self, pieces: Iterable) -> Iterator:
        """What is made of each piece, in order."""
        new = (_Job(number, piece) for number, piece in enumerate(pieces))
        coming, due, done = next(new, None), 0, {}
        try:
            while coming or self.lost or self.jobs:
                while (worker := self._with_room()) is not None:
                    if self.lost:
                        job = heapq.heappop(self.lost)
                    elif coming and coming.number < due + AHEAD * len(self.load):
                        job, coming = coming, next(new, None)
                    else:
                        break
                    self._give(job, worker)
                done |= self._done()
                while due in done:
                    yield done.pop(due)
                    due += 1
        finally:
            for worker in [*self.load, *self.coming.values()]:
                ray.kill(worker)

    def _with_room(self) -> Any:
        """The worker that has least to do; None where all have enough."""
        worker = min(self.load, key=self.load.get, default=None)
        return worker if worker is not None and self.load[worker] < UNDER_WAY else None

    def _hire(self) -> None:
        worker = self.kind.remote(self.make)
        self.coming[worker.arrive.remote()] = worker

    def _give(self, job: _Job, worker: Any) -> None:
        self.jobs[worker.work.remote(job.piece)] = worker, job
        self.load[worker] += 1

    def _done(self) -> dict[int, Any]:
        """Wait for something to happen; results by number, where it was one."""
        happened, _ = ray.wait([*self.jobs, *self.coming], timeout=LOOK)
        if not happened and not self.load:
            self._require_nodes()
            print("compute: waiting for cores of the cluster", file=sys.stderr, flush=True)
        return dict(filter(None, map(self._result, happened)))

    def _result(self, ref: ray.ObjectRef) -> tuple[int, Any] | None:
        worker, job = self.jobs.pop(ref, (None, None))
        if job is None:
            worker = self.coming.pop(ref)
        try:
            result = ray.get(ref)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:  # the worker is gone, or its node
            self._lose(worker, job, error)
            return None
        if job is None:
            self.load[worker] = 0
            return None
        self.losses = 0
        if worker in self.load:  # else it was lost with another job
            self.load[worker] -= 1
        return job.number, result

    def _lose(self, worker: Any, job: _Job | None, error: RayError) -> None:
        if job:
            job.tries += 1
            heapq.heappush(self.lost, job)
        if job is None or self.load.pop(worker, None) is not None:
            self._require_nodes()
            self.losses += 1
            self._hire()
        if self.losses > TRIES * self.workers or (job and job.tries == TRIES):
            words = " ".join(str(error).split())
            raise StudyError(f"compute: workers end again and again ({words})") from None

    def _require_nodes(self) -> None:
        if not self.cluster.is_there():
            raise StudyError("compute: no node is left; `dvc repro` goes on where this ended")


class _Worker:
    """On a node: makes the steps once, then prepares a piece while it computes another."""

    def __init__(self, make: Callable[[], Steps]) -> None:
        self.make = make
        self.steps: Steps | None = None
        self.making, self.computing = threading.Lock(), threading.Lock()

    def arrive(self) -> None:
        """Answers once the worker has its place."""

    def work(self, piece: Any) -> Any:
        with self.making:
            self.steps = self.steps or self.make()
        prepare, finish = self.steps
        prepared = prepare(piece)
        with self.computing:
            return finish(prepared)


def _started(start: Callable[[], object], make: Callable[[], Steps]) -> Steps:
    start()
    return make()


@contextmanager
def _unpacked(sent: list[ray.ObjectRef]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ray.get(sent[0]).items():
            Path(folder, name).write_bytes(content)
        yield Path(folder)


def _isolation(work: Callable) -> Steps:
    isolated = isolation.Isolation(work, workers=1)
    return (lambda bundle: bundle), (lambda bundle: list(isolated.each(bundle)))


def _bundles(jobs: Iterable[tuple[Any, bytes]]) -> Iterator[list[tuple[Any, bytes]]]:
    """Pictures enough that to send them takes less time than to decode them."""
    bundle, size = [], 0
    for key, content in jobs:
        bundle.append((key, content))
        size += len(content)
        if len(bundle) == PICTURES or size > BYTES:
            yield bundle
            bundle, size = [], 0
    if bundle:
        yield bundle
