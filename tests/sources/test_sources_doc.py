"""docs/sources.md says what is so: its tables against the code, its examples read by it."""

import csv
import importlib
import re
from pathlib import Path

import pytest
import yaml

from stages import params, sources
from stages.sources.listing import lines
from stages.sources.selection import settled

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/sources.md").read_text()
ENGINES = ("google", "bing", "baidu", "duckduckgo", "openverse", "commons", "flickr")


def table(first_column):
    """The rows of the table that begins with this column, as lists of cells."""
    found = TEXT[TEXT.index(f"| {first_column} |") :].split("\n\n")[0].splitlines()
    return [
        [cell.strip() for cell in row.strip("|").split("|")] for row in found if "---" not in row
    ]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_every_source_is_described():
    described = sorted(row[0] for row in table("source")[1:])
    assert described == sorted(f"`{name}`" for name in sources.SOURCES)


def test_every_filter_of_every_engine_is_listed():
    head, *rows = table("engine")
    assert [row[0] for row in rows] == [f"`{name}`" for name in ENGINES]
    for engine, row in zip(ENGINES, rows, strict=True):
        offered = importlib.import_module(f"stages.sources.{engine}").FILTERS
        for kind, cell in zip(head[1:], row[1:], strict=True):
            assert set(filter(None, cell.split(", "))) == set(offered[kind]), (engine, kind)


def test_the_example_of_parameters_is_right(content):
    example = yaml.safe_load(blocks("yaml")[0])
    content["classes"] = example["classes"]
    content["scrape"] |= example["scrape"]
    study = params.check(content)
    wanted = settled(study.classes, study.scrape)
    assert (wanted["Cat"].query, wanted["Cat"].per_class) == (["cartoon Cat"], 100)
    assert (wanted["Dog"].query[0], wanted["Dog"].per_class) == ("cartoon puppy", 150)


@pytest.mark.parametrize(("number", "column"), [(0, "file"), (1, "url")])
def test_the_examples_of_lists_are_right(tmp_path, number, column):
    path = tmp_path / "list.csv"
    path.write_text(blocks("csv")[number])
    assert [len(list(lines(path, column, name))) for name in ("Cat", "Dog", "Cow")] == [1, 1, 0]
    manifest = {"class", "page_url", "title", "author", "licence", "licence_url"}
    assert set(next(csv.reader(path.read_text().splitlines()))) <= manifest | {column}


def test_every_block_page_named_there_is_one_that_the_code_names():
    names = re.findall(r"\*([^*]+)\*", TEXT[TEXT.index("## When a search") :])
    code = "".join(p.read_text() for p in (ROOT / "stages/sources").glob("*.py"))
    assert names
    assert [name for name in names if f'"{name}"' not in code] == []


def test_every_parameter_named_there_exists(content):
    for dotted in re.findall(r"`((?:scrape)(?:\.\w+)+)", TEXT):
        place = content
        for key in dotted.split("."):
            assert key in place, dotted
            place = place[key]
