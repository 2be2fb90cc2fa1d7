"""How the pictures of two Git revisions differ: `python -m app.data_diff main`.

The table on the terminal, thumbnails on a page, all of it as JSON with --json. docs/data-diff.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from app.differences.kinds import Dataset, Difference, differences, per_class, read_dataset
from app.differences.page import Page
from app.differences.revisions import WORKSPACE, opened
from app.differences.words import conversion, summary_lines
from stages.errors import StudyError
from stages.runtime.program import run_command
from stages.tables import write_text

PAGE = Path("reports/data_diff.html")
THUMBNAILS = 12


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m app.data_diff", description=__doc__.partition(":")[0]
    )
    parser.add_argument("before", help="a branch, tag, commit or experiment")
    parser.add_argument(
        "after", nargs="?", default=WORKSPACE, help=f"another one; {WORKSPACE} unless given"
    )
    parser.add_argument("-o", "--output", type=Path, default=PAGE, help=f"the page, {PAGE}")
    parser.add_argument(
        "-n", "--thumbnails", type=int, default=THUMBNAILS, help=f"of a group, {THUMBNAILS} at most"
    )
    parser.add_argument(
        "--json", dest="as_json", action="store_true", help="all differences as JSON, and no page"
    )
    return parser


def main(before: str, after: str, output: Path, thumbnails: int, as_json: bool) -> str | None:
    with opened(before, after) as revisions:
        datasets = read_dataset(revisions[0]), read_dataset(revisions[1])
        found = differences(*datasets)
        if as_json:
            print(in_json(*datasets, found))
            return None
        *lines, result = summary_lines(*datasets, found)
        print(*(f"{line}\n" for line in lines), sep="", end="", flush=True)
        page = Page(tuple(revisions), datasets, found, max(0, thumbnails))
        page.draw()
        tell_missing(page)
        write(output, page.html())
    return f"{result}; see {output}"


def in_json(before: Dataset, after: Dataset, found: Sequence[Difference]) -> str:
    content = {
        "before": before.name,
        "after": after.name,
        "classes": [asdict(row) for row in per_class(before, after, found)],
        "differences": [in_fields(one) for one in found],
        "conversion": conversion(before, after),
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def in_fields(one: Difference) -> dict:
    pictures = {"before": one.before, "after": one.after}
    fields = {name: picture and picture._asdict() for name, picture in pictures.items()}
    return {"kind": one.kind, **fields, "reason": one.reason}


def tell_missing(page: Page) -> None:
    """A line for each reason why pictures are shown by their names alone."""
    missing = Counter((one.revision, one.reason, one.lost) for one in page.thumbnails if one.reason)
    for (revision, reason, lost), count in missing.items():
        have = "picture of {} has" if count == 1 else "pictures of {} have"
        line = f"data_diff: {count:,} {have.format(revision)} no thumbnail: {reason}"
        print(f"{line}; {revision.remedy}" if lost else line, file=sys.stderr)


def write(output: Path, text: str) -> None:
    try:
        write_text(output, text)
    except (IsADirectoryError, NotADirectoryError, FileExistsError, PermissionError) as error:
        raise StudyError(
            f"{output} cannot be written ({error.strerror}): name another file"
        ) from None


if __name__ == "__main__":
    run_command(main, words())
