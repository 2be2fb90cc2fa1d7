"""What the README says of results is what the results beside it in Git say.

As committed, not as they lie in the folder: `make repro` writes others on another machine, and in
a study with other classes.
"""

import csv
import io

import pytest

from stages import zoo
from tests.test_discipline import git

PHASES = {"transfer": "transferred", "finetune": "fine-tuned"}


def test_the_table_of_results_is_the_leaderboard_s():
    text = committed("README.md")
    shown = text.split("<!-- results -->\n")[1].split("<!-- /results -->")[0].splitlines()[2:]
    leaderboard = list(csv.DictReader(io.StringIO(committed("reports/leaderboard.csv"))))
    runs = [row for row in leaderboard if row["split"] == "test"]
    told = [table_row(run, everywhere(run, leaderboard)) for run in runs]
    assert shown == told, "put the committed reports/leaderboard.csv into README.md's table"


def committed(file: str) -> str:
    done = git("show", f"HEAD:{file}")
    if done.returncode:
        pytest.skip(f"nothing is committed here: {done.stderr.strip()}")
    return done.stdout


def everywhere(run: dict[str, str], leaderboard: list[dict[str, str]]) -> dict[str, str] | None:
    """The row of a run over all pictures, where there is one."""
    key = (run["model"], run["phase"], "all")
    rows = [row for row in leaderboard if (row["model"], row["phase"], row["split"]) == key]
    return rows[0] if rows else None


def table_row(row: dict[str, str], everywhere: dict[str, str] | None) -> str:
    title = zoo.lookup(row["model"]).ENTRY.title
    of_all = f"{float(everywhere['accuracy']):.3f} of {everywhere['images']}" if everywhere else "–"
    figures = (f"{float(row[name]):.3f}" for name in ("accuracy", "log_loss", "macro_f1"))
    cells = [title, PHASES[row["phase"]], of_all, row["images"], *figures]
    return f"| {' | '.join(cells)} |"
