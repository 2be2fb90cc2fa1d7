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
    leaderboard = csv.DictReader(io.StringIO(committed("reports/leaderboard.csv")))
    told = [table_row(row) for row in leaderboard if row["split"] == "test"]
    assert shown == told, "put the committed reports/leaderboard.csv into README.md's table"


def committed(file: str) -> str:
    done = git("show", f"HEAD:{file}")
    if done.returncode:
        pytest.skip(f"nothing is committed here: {done.stderr.strip()}")
    return done.stdout


def table_row(row: dict[str, str]) -> str:
    title = zoo.lookup(row["model"]).ENTRY.title
    figures = (f"{float(row[name]):.3f}" for name in ("accuracy", "log_loss", "macro_f1"))
    return f"| {' | '.join([title, PHASES[row['phase']], row['images'], *figures])} |"
