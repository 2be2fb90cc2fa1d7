"""A revision of the study, read where it lies: in Git, DVC's cache or remote, or on the disk.

Nothing is checked out, fetched or written. What the cache lacks is read from the remote that the
workspace has now: a revision may be older than the remote.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from operator import itemgetter

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.fs import GitFileSystem
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexDirError
from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from stages.errors import StudyError

WORKSPACE = "workspace"  # as DVC calls it
LOCK, RGB = "dvc.lock", "data/rgb"
MAX_BYTES = 100_000_000  # of one picture
REMEDY = (
    "`dvc fetch -A data/rgb data/split.csv` brings what a remote has, `dvc push` where it was made "
    "brings it there"
)


class UnavailableError(Exception):
    """A file that a revision has, and whose bytes cannot be had; the text is the reason, short."""


class Revision:
    """The files of one revision, under their paths from the study's root."""

    def __init__(self, name: str, files: AbstractFileSystem) -> None:
        self.name = name
        self._files = files
        self._shards = cache(self._names_of_shards)
        self._shards_of = cache(self._names_in)

    def __str__(self) -> str:
        return "the workspace" if self.name == WORKSPACE else self.name

    @property
    def remedy(self) -> str:
        """What brings back the bytes that cannot be had."""
        return "`dvc checkout data` brings it back" if self.name == WORKSPACE else REMEDY

    def has(self, path: str) -> bool:
        """Whether the revision has a file, be its bytes at hand or not."""
        try:
            known = self._files.info(path)
        except FileNotFoundError:
            return False
        except Exception:  # a remote raises what its library does: the listing cannot be had
            return True
        tracked = known.get("dvc_info")
        return tracked is None or bool(tracked["entry"].hash_info)  # none: no stage had made it

    def read(self, path: str) -> bytes:
        """The bytes of a file that the revision has. Raises UnavailableError."""
        with self._available():
            return self._files.cat_file(path)

    def table(self, path: str, *columns: str) -> list[tuple[str, ...]]:
        """These columns of a CSV file. Raises StudyError where there is none, or it is lost."""
        if not self.has(path):
            made = (
                "`dvc pull` brings it, `dvc repro` makes it"
                if self.name == WORKSPACE
                else "name one with pictures"
            )
            raise StudyError(f"{self} has no {path}: {made}")
        try:
            text = io.StringIO(self.read(path).decode("utf-8"), newline="")
            head, *rows = csv.reader(text, strict=True)
            cells = itemgetter(*map(head.index, columns))
            return [cells(row) for row in rows]
        except UnavailableError as error:
            raise StudyError(f"{path} of {self} is {error}: {self.remedy}") from None
        except (ValueError, IndexError, csv.Error) as error:
            raise StudyError(
                f"{path} of {self} has no columns {', '.join(columns)} ({error}): "
                "name a revision of this version of the project"
            ) from None

    def picture(self, file: str) -> bytes:
        """The bytes of a picture of data/rgb, loose or in a shard. Raises UnavailableError."""
        if ".." in file.split("/"):  # a manifest may be a stranger's
            raise UnavailableError(f"not in {RGB}")
        data = self._loose(file) if self.has(f"{RGB}/{file}") else self._sharded(file)
        if len(data) > MAX_BYTES:
            raise UnavailableError(f"above {MAX_BYTES / 1e6:.0f} MB")
        return data

    def _loose(self, file: str) -> bytes:
        with self._available(), self._files.open(f"{RGB}/{file}") as picture:
            return picture.read(MAX_BYTES + 1)

    def _sharded(self, file: str) -> bytes:
        shard = self._shards_of(file.partition("/")[0]).get(file)
        if not shard:
            raise UnavailableError(f"not in {RGB}")
        with self._opened(shard) as pictures, pictures.open(file) as picture:
            return picture.read(MAX_BYTES + 1)

    def _names_of_shards(self) -> list[str]:
        with self._available():
            names = (name.rpartition("/")[2] for name in self._files.ls(RGB, detail=False))
            return sorted(name for name in names if name.endswith(".zip"))

    def _names_in(self, class_name: str) -> dict[str, str]:
        """The pictures of a class that are in shards, each with its shard."""
        found = {}
        for shard in self._shards():
            if shard.partition(".")[0] == class_name:  # a class's name has no dot
                with self._opened(shard) as pictures:
                    found |= dict.fromkeys(pictures.namelist(), shard)
        return found

    @contextmanager
    def _opened(self, shard: str) -> Iterator[zipfile.ZipFile]:
        with (
            self._available(),
            self._files.open(f"{RGB}/{shard}") as file,
            zipfile.ZipFile(file) as pictures,
        ):
            yield pictures

    @contextmanager
    def _available(self) -> Iterator[None]:
        """What keeps bytes away becomes an UnavailableError."""
        try:
            yield
        except (FileNotFoundError, DataIndexDirError):
            raise UnavailableError(self._lost) from None
        except Exception as error:  # a remote raises what its library does
            raise UnavailableError(f"unreadable ({_first_line(error)})") from error

    @property
    def _lost(self) -> str:
        return (
            "not on the disk" if self.name == WORKSPACE else "in neither DVC's cache nor a remote"
        )


@contextmanager
def opened(*names: str) -> Iterator[list[Revision]]:
    """Revisions by what Git calls them, or DVC an experiment; `workspace` is what lies on the disk.

    Raises StudyError: no repository, an unknown revision, one without a study.
    """
    with ExitStack() as stack:
        here = stack.enter_context(_workspace())
        yield [_revision(here, name, stack) for name in names]


def _workspace() -> Repo:
    try:
        repo = Repo()
        repo.get_rev()  # of a folder without Git, or without a commit, there is no revision
    except DvcException as error:
        raise StudyError(
            f"no study with a history here ({_first_line(error)}): run this in the folder of one"
        ) from None
    return repo


def _revision(here: Repo, name: str, stack: ExitStack) -> Revision:
    if name == WORKSPACE:
        return Revision(name, DirFileSystem(here.root_dir, LocalFileSystem()))
    try:
        repo = stack.enter_context(_at(here, name))
        if not repo.fs.exists(repo.fs.join(repo.root_dir, LOCK)):
            raise StudyError(f"{name} has no {LOCK}: no study had been made by then")
        files = DVCFileSystem(repo)
        files.info(LOCK)
    except RevError:
        raise StudyError(
            f"{name} is no revision here: `git log --oneline --all` lists them, `git fetch` brings "
            "those of others"
        ) from None
    except (DvcException, ImportError) as error:  # ImportError: the package of a kind of remote
        raise StudyError(f"{name} cannot be read: {_first_line(error)}") from None
    return Revision(name, files)


def _at(here: Repo, name: str) -> Repo:
    """The repository at a revision, with the cache and the remotes of the workspace."""
    files = GitFileSystem(scm=here.scm, rev=resolve_rev(here.scm, name))
    return Repo(
        files.join("/", *here.fs.relparts(here.root_dir, here.scm.root_dir)),
        fs=files,
        scm=here.scm,
        config={"cache": {"dir": here.cache.local_cache_dir}, "remote": here.config["remote"]},
        remote=here.config["core"].get("remote"),
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
