"""stages/tables.py: the same bytes for the same content, and never half a file."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import tables
from stages.errors import StudyError

# What csv can give back: it reads no NUL, and text files no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(rows=st.lists(st.fixed_dictionaries({"file": TEXT, "class": TEXT})))
def test_a_table_reads_back_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    tables.write_table(path, ["file", "class"], rows)
    assert tables.read_table(path) == rows


def test_lines_end_alike_on_every_system_and_text_is_utf_8(tmp_path):
    tables.write_table(tmp_path / "t.csv", ["a", "b"], [{"a": "é", "b": 0.1}, {"b": "x,y", "a": 2}])
    assert (tmp_path / "t.csv").read_bytes() == 'a,b\né,0.1\n2,"x,y"\n'.encode()


@pytest.mark.parametrize("row", [{"a": 1}, {"a": 1, "b": 2, "c": 3}])
def test_a_row_with_other_columns_is_refused_and_nothing_is_written(tmp_path, row):
    with pytest.raises(ValueError, match="a row lacks, or has besides"):
        tables.write_table(tmp_path / "t.csv", ["a", "b"], [row])
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_in_the_middle_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    tables.write_text(path, "old")

    def fail(*_):
        raise OSError("disk")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk"):
        tables.write_text(path, "new")
    assert path.read_text() == "old"


def test_folders_are_made_and_no_draft_stays(tmp_path):
    tables.write_json(tmp_path / "a/b/c.json", {"z": 1, "a": [2.5, "é"]})
    assert [p.name for p in (tmp_path / "a/b").iterdir()] == ["c.json"]
    expected = '{\n  "z": 1,\n  "a": [\n    2.5,\n    "é"\n  ]\n}\n'
    assert (tmp_path / "a/b/c.json").read_text(encoding="utf-8") == expected
    assert tables.read_json(tmp_path / "a/b/c.json") == {"z": 1, "a": [2.5, "é"]}


def test_a_number_that_json_does_not_know_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        tables.write_json(tmp_path / "t.json", {"loss": float("nan")})


@pytest.mark.parametrize("read", [tables.read_table, tables.read_json])
def test_a_missing_result_says_who_makes_it(read):
    with pytest.raises(StudyError, match=r"data/no.csv is missing: `dvc repro` makes it"):
        read(Path("data/no.csv"))
