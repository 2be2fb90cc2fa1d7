"""What the README says of results is what the committed results say."""

import csv
from pathlib import Path

from stages import zoo

ROOT = Path(__file__).parents[1]
PHASES = {"transfer": "transferred", "finetune": "fine-tuned"}


def test_the_table_of_results_is_the_leaderboard_s():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- results -->\n")[1].split("<!-- /results -->")[0].splitlines()[2:]
    assert shown == [table_row(row) for row in leaderboard() if row["split"] == "test"]


def table_row(row: dict[str, str]) -> str:
    title = zoo.lookup(row["model"]).ENTRY.title
    figures = (f"{float(row[name]):.3f}" for name in ("accuracy", "log_loss", "macro_f1"))
    return f"| {' | '.join([title, PHASES[row['phase']], row['images'], *figures])} |"


def leaderboard() -> list[dict[str, str]]:
    with (ROOT / "reports/leaderboard.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
