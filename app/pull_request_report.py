"""What a branch does to the study, in Markdown: `python -m app.pull_request_report main`.

The study as it lies here is compared with another revision, whose results come from DVC's cache or
a remote. With `-o report.md` the plots that changed most are images in `report_plots` beside it;
without, there are none, and the text goes to stdout.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.changes import plots
from app.changes.paired import Change, changes, interval_in_words, shared, verdict
from app.changes.results import METRICS, Results, of_revision, of_workspace
from app.differences.kinds import differences, read_dataset
from app.differences.revisions import WORKSPACE, opened
from app.differences.words import summary_lines
from stages.errors import StudyError
from stages.runtime.program import run_command
from stages.statistics.comparisons import in_words
from stages.statistics.seed_variation import points
from stages.tables import write_text

BAR = 41  # columns of the drawing of intervals; the middle one is zero
SCORES = {"accuracy": "accuracy", "log_loss": "log loss", "macro_f1": "macro F1"}
STALE = (
    "These are not the results of the files as they lie here: `make repro` makes them "
    "(`make status` says what differs)."
)


def main(base: str, output: Path | None) -> str | None:
    branch = of_workspace()
    before = of_revision(base, branch.study.seed)
    found = changes(before, branch)
    sentence = verdict(found, before)
    parts = [f"**{sentence}**", *sections(before, branch, found)]
    if output is None:
        print("\n\n".join(parts))
        return None
    images = output.with_name(f"{output.stem}_plots")
    parts += plots.draw(found, base, images)
    write_text(output, "\n\n".join(parts) + "\n")
    return sentence


def sections(base: Results, branch: Results, found: Sequence[Change]) -> Iterator[str]:
    if run_dvc("status", "--quiet").returncode:
        yield STALE
    yield "### Runs on this branch"
    yield "\n".join(leaderboard(base, branch))
    if gone := [run.name for run in base.runs if not _same(run, branch)]:
        yield f"No longer here: {'; '.join(gone)}."
    yield f"### On the test pictures of both, {base.revision} and this branch"
    yield pictures(base, branch)
    if found:
        yield "\n".join(paired(found, base.revision))
        yield "\n".join(["```", *drawing(found, base.revision), "```"])
        yield (
            "Intervals and p count groups of near duplicates, not pictures; p is Holm-corrected "
            f"for the {len(found)} rows. The best runs are those of the validation pictures."
        )
    yield "### Pictures"
    yield "\n".join(["```", *picture_lines(base.revision), "```"])
    yield "### Settings"
    yield difference("params", base.revision) or "No setting differs."
    yield "### `dvc metrics diff`"
    yield difference("metrics", base.revision) or f"Nothing in {METRICS} differs."


def leaderboard(base: Results, branch: Results) -> Iterator[str]:
    """A row per run, on the test pictures of each revision, with what changed in brackets."""
    yield _row("run", "test pictures", "accuracy", "95 % CI", "log loss", "macro F1")
    yield _row("---", *["---:"] * 5)
    for place, run in enumerate(branch.runs):
        scores = branch.study.scores[place]
        low, high = branch.study.interval(place, "accuracy")
        other = _same(run, base)
        old = base.study.scores[base.runs.index(other)] if other else None
        accuracy, *rest = (_changed(scores[name], old and old[name]) for name in SCORES)
        name = run.name if other else f"{run.name} (new)"
        yield _row(name, len(run.test), accuracy, f"{low:.3f} to {high:.3f}", *rest)


def pictures(base: Results, branch: Results) -> str:
    both = len(shared(base, branch)[1])
    there, here = len(base.study.test), len(branch.study.test)
    text = f"{base.revision} has {there} test pictures, this branch {here}; {both} are in both."
    old, new = (results.study.test.classes for results in (base, branch))
    if gained := [name for name in new if name not in old]:
        text += f" New classes, of which {base.revision} knows nothing: {', '.join(gained)}."
    if lost := [name for name in old if name not in new]:
        text += f" Classes that are gone: {', '.join(lost)}."
    return text


def picture_lines(base: str) -> list[str]:
    """What `python -m app.data_diff` says."""
    with opened(base, WORKSPACE) as (before, after):
        datasets = read_dataset(before), read_dataset(after)
        return summary_lines(*datasets, differences(*datasets))


def paired(found: Sequence[Change], base: str) -> Iterator[str]:
    header = ("run", "accuracy", "difference", "95 % CI", f"only {base} right", "only here right")
    yield _row(*header, "p")
    yield _row("---", *["---:"] * 6)
    for change in found:
        before, after = change.accuracies
        yield _row(
            change.name,
            f"{before:.3f} → {after:.3f}",
            points(change.difference, "+"),
            interval_in_words(change),
            *change.only,
            in_words(change.p).removeprefix("p = "),
        )


def drawing(found: Sequence[Change], base: str) -> Iterator[str]:
    """The intervals, drawn with letters: a comment can have no image that lies in no repository."""
    reach = max(0.01, *(abs(end) for change in found for end in (change.low, change.high)))
    names = [change.name for change in found]
    width = max(map(len, names))
    left, right = f"{points(-reach)} ({base} better)", f"(here better) {points(reach, '+')}"
    yield " " * (width + 2) + left + right.rjust(BAR - len(left))
    for name, change in zip(names, found, strict=True):
        yield f"{name.ljust(width)}  {_bar(change, reach)}".rstrip()


def _bar(change: Change, reach: float) -> str:
    """An interval as ├──●──┤ around the axis │ of zero."""
    low, middle, high = (
        round((value / reach + 1) / 2 * (BAR - 1))
        for value in (change.low, change.difference, change.high)
    )
    letters = [" "] * BAR
    letters[low : high + 1] = "─" * (high + 1 - low)
    letters[BAR // 2] = "┼" if low < BAR // 2 < high else "│"
    letters[low], letters[high] = "├", "┤"
    letters[middle] = "●" if change.significant else "○"
    return "".join(letters)


def difference(what: str, revision: str) -> str:
    """DVC's own table of params or metrics that differ, in Markdown; nothing where none does."""
    done = run_dvc(what, "diff", "--md", revision)
    if done.returncode:
        raise StudyError(f"dvc {what} diff {revision} failed: {' '.join(done.stderr.split())}")
    table = done.stdout.strip()
    return table if table.count("\n") > 1 else ""  # a header alone


def run_dvc(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def _changed(now: float, before: float | None) -> str:
    change = round(now - (now if before is None else before), 3)
    return f"{now:.3f}" + (f" ({change:+.3f})".replace("-", "−") if change else "")


def _same(run, results: Results):
    return next((r for r in results.runs if (r.model, r.phase) == (run.model, run.phase)), None)


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app.pull_request_report", description=__doc__)
    parser.add_argument("base", help="the revision to compare with: a branch, a tag, a commit")
    parser.add_argument("-o", dest="output", type=Path, help="the file to write, with images")
    return parser


if __name__ == "__main__":
    run_command(main, words())
