"""`make repro`'s last line: where results differ from the committed ones though nothing else does.

Another kind of processor rounds otherwise (docs/decisions.md, "Same bytes"), so whoever runs the
study unchanged may find tracked files changed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

LOCK = Path("dvc.lock")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
GIVEN = ("cmd", "deps", "params")

Stages = dict[str, dict]  # of a dvc.lock, by name


def main() -> None:
    now = stages(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}
    if other := made_otherwise(committed(), now):
        print(in_words(other))


def committed() -> Stages:
    """Those of the last commit; none where Git has no such file."""
    command = ["git", "show", f"HEAD:./{LOCK}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return stages(shown.stdout) if shown.returncode == 0 else {}


def stages(lock: str) -> Stages:
    return (yaml.load(lock, LOADER) or {}).get("stages", {})  # noqa: S506, both loaders are safe


def made_otherwise(before: Stages, now: Stages) -> list[str]:
    """The stages that made other outputs of the same inputs, parameters and code."""
    return [
        name
        for name, stage in now.items()
        if name in before
        and all(stage.get(key) == before[name].get(key) for key in GIVEN)
        and stage.get("outs") != before[name].get("outs")
    ]


def in_words(other: list[str]) -> str:
    why = "another kind of processor rounds otherwise"
    if "scrape" in other:
        why = "the source has other pictures now"
    return (
        f"repro: of the same inputs {', '.join(other)} made other results than the committed ones: "
        f"{why} (docs/decisions.md, Same bytes). Commit yours, or take back the committed ones by "
        f"`git restore {LOCK} reports data/croissant.json`"
    )


if __name__ == "__main__":
    main()
