"""A page of docs/ as its reader follows it: commands are run, settings set, files written.

What a fenced block is for is the word behind its fence:

- `sh`: commands; each has to succeed
- `yaml`: goes into params.yaml; `classes` and lists replace what is there, sections are merged
- `python <file>`, `csv <file>`: the content of that file
- `diff <file>`: lines of that file, and what is to stand there instead
- anything else is shown, and not followed: what a command prints, lines of a file without a name

The README has no fences for commands: its indented lines are `sh`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from stages.params.file import Loader
from tests.tiny_study import ROOT, attempt, change

FENCED = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
INDENTED = re.compile(r"(?<=\n\n)((?:    \S.*\n)+)")
# The environment is this one, and not one to be installed into the clone.
ALWAYS = {
    r"^make (?!test)": "make --no-print-directory --assume-old=environment ",
    r"^source \S+activate$": ":",
}


@dataclass(frozen=True)
class Page:
    """How a page of docs/ is followed in a clone of the tiny study.

    `prepare` makes the clone what the page takes for granted; `instead` are words of the page, as
    regular expressions, and what is put in their place, since the tiny study has other names;
    `shows` are regular expressions that what its commands print has to match.
    """

    name: str
    prepare: Callable[[Path], object] = lambda _: None
    instead: Mapping[str, str] = field(default_factory=dict)
    shows: tuple[str, ...] = ()

    def follow(self, clone: Path) -> str:
        """Do what the page says, from top to bottom; all that its commands print."""
        self.prepare(clone)
        return "".join(_follow(clone, *block) for block in self.blocks())

    def blocks(self) -> list[tuple[str, str, str]]:
        """Kind, file and text of each block that is to be followed."""
        text = (ROOT / self.name).read_text(encoding="utf-8")
        for pattern, other in self.instead.items():
            text, times = re.subn(pattern, other, text, flags=re.M)
            assert times, f"{self.name} has no {pattern} any more"
        if self.name == "README.md":
            return [("sh", "", re.sub("^    ", "", b, flags=re.M)) for b in INDENTED.findall(text)]
        found = FENCED.findall(text)
        return [(kind, file, body) for kind, file, body in found if is_followed(kind, file)]


def is_followed(kind: str, file: str) -> bool:
    return kind in FOLLOWED and (bool(file) or kind in ("sh", "yaml"))


def has_commands(page: Path) -> bool:
    kinds = [kind for kind, _, _ in FENCED.findall(page.read_text(encoding="utf-8"))]
    return "sh" in kinds or page == ROOT / "README.md"


def _follow(clone: Path, kind: str, file: str, text: str) -> str:
    return FOLLOWED[kind](clone, file, text) or ""


def _run(clone: Path, _: str, commands: str) -> str:
    for pattern, other in ALWAYS.items():
        commands = re.sub(pattern, other, commands, flags=re.M)
    done = attempt(clone, "bash", "-e", "-u", "-x", "-o", "pipefail", "-c", commands)
    assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def _set(clone: Path, _: str, text: str) -> None:
    change(clone, lambda params: _merge(params, yaml.load(text, Loader), replace=("classes",)))


def _merge(into: dict, new: dict, replace: tuple[str, ...] = ()) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and key not in replace and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _write(clone: Path, file: str, text: str) -> None:
    (clone / file).parent.mkdir(parents=True, exist_ok=True)
    (clone / file).write_text(text, encoding="utf-8")


def _edit(clone: Path, file: str, text: str) -> None:
    lines = text.splitlines(keepends=True)
    before, after = (
        "".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +")
    )
    code = (clone / file).read_text(encoding="utf-8")
    assert code.count(before) == 1, f"{file} has not once:\n{before}"
    (clone / file).write_text(code.replace(before, after), encoding="utf-8")


FOLLOWED = {"sh": _run, "yaml": _set, "python": _write, "csv": _write, "diff": _edit}
