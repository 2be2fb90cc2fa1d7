"""Which kind a difference is of, whatever two data sets hold."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from app.differences import words
from app.differences.kinds import (
    ADDED,
    CHANGED,
    KINDS,
    MOVED,
    RELABELLED,
    REMOVED,
    RENAMED,
    Dataset,
    Difference,
    Picture,
    differences,
    per_class,
)


def pictures(max_size: int = 8) -> st.SearchStrategy[list[Picture]]:
    """Few names and contents, so that they meet; a file is of its class, and once in a data set."""
    files = st.builds("{}/{}".format, st.sampled_from("AB"), st.sampled_from("12345"))
    facts = st.tuples(st.sampled_from("abcd"), st.sampled_from(("train", "test")))
    tables = st.dictionaries(files, facts, max_size=max_size)
    return tables.map(lambda table: [Picture(file[0], file, *fact) for file, fact in table.items()])


def compared(old: list[Picture], new: list[Picture]) -> tuple[Dataset, Dataset, list]:
    before, after = Dataset("old", old), Dataset("new", new)
    return before, after, differences(before, after)


@given(pictures(), pictures())
def test_every_picture_is_in_exactly_one_kind_or_the_same_in_both(old, new):
    _, _, rows = compared(old, new)
    here = Counter(row.before for row in rows if row.before)
    there = Counter(row.after for row in rows if row.after)
    assert here <= Counter(old)
    assert there <= Counter(new)
    assert Counter(old) - here == Counter(new) - there


@given(pictures(), pictures())
def test_a_kind_says_what_is_so(old, new):
    _, _, rows = compared(old, new)
    for row in rows:
        one, other = row.before, row.after
        assert (row.kind == ADDED) == (one is None)
        assert (row.kind == REMOVED) == (other is None)
        if one and other:
            assert (row.kind == RELABELLED) == (one.class_name != other.class_name)
            assert (row.kind == CHANGED) == (one.sha256 != other.sha256)
            assert row.kind != CHANGED or one.file == other.file
            assert row.kind != MOVED or one.split != other.split
            assert row.kind != RENAMED or (one.split == other.split and one.file != other.file)


@given(pictures(), pictures())
def test_what_is_known_by_its_name_or_class_is_taken_for_no_other_of_the_same_content(old, new):
    _, _, rows = compared(old, new)
    there = {(picture.sha256, picture.file) for picture in new}
    for row in rows:
        if row.before and (row.before.sha256, row.before.file) in there:
            assert row.after.file == row.before.file
    come, gone = sides(rows, RELABELLED)
    assert {(p.sha256, p.class_name) for p in gone}.isdisjoint(
        (p.sha256, p.class_name) for p in come
    )


@given(pictures(), pictures())
def test_content_that_is_in_both_is_neither_added_nor_removed_nor_changed(old, new):
    come, gone = sides(compared(old, new)[2], CHANGED)
    assert {p.sha256 for p in gone}.isdisjoint(p.sha256 for p in come)


@given(pictures(), pictures())
def test_a_file_that_is_in_both_is_neither_added_nor_removed(old, new):
    come, gone = sides(compared(old, new)[2])
    assert {p.file for p in gone}.isdisjoint(p.file for p in come)


def sides(rows: list[Difference], *kinds: str) -> tuple[list[Picture], list[Picture]]:
    """The pictures added and removed, and those of these kinds after and before."""
    come = [row.after for row in rows if row.kind in (ADDED, *kinds)]
    return come, [row.before for row in rows if row.kind in (REMOVED, *kinds)]


@given(pictures())
def test_a_data_set_does_not_differ_from_itself(same):
    assert compared(same, list(reversed(same)))[2] == []


@given(pictures(), pictures())
def test_the_other_way_round_is_the_mirror(old, new):
    mirror = {ADDED: REMOVED, REMOVED: ADDED}
    forth = {(row.kind, row.before, row.after) for row in compared(old, new)[2]}
    back = {
        (mirror.get(row.kind, row.kind), row.after, row.before) for row in compared(new, old)[2]
    }
    assert forth == back


@given(pictures(), pictures())
def test_the_counts_of_a_class_add_up(old, new):
    before, after, rows = compared(old, new)
    counts = per_class(before, after, rows)
    for row in counts:
        gone, come = row.removed + row.relabelled_out, row.added + row.relabelled_in
        assert row.before - gone + come == row.after
    assert sum(row.before for row in counts) == len(old)
    for kind in set(KINDS) - {RELABELLED}:
        assert sum(getattr(row, kind) for row in counts) == sum(r.kind == kind for r in rows)


def test_no_line_is_longer_than_a_terminal_or_commands_it():
    name = "\x1b[31mCat\n" + 150 * "猫"
    old = [Picture(name, f"{name}/{number}", str(number), "train") for number in range(12345)]
    lines = words.summary_lines(*compared(old, [])[:2], compared(old, [])[2])
    assert all(line.isprintable() for line in lines)
    assert lines[1].split("…")[1].split() == ["12,345", "0", "12,345"]  # the name is cut, no count
    assert max(map(cell_len, lines[:2])) <= words.WIDTH


def test_a_column_that_says_nothing_is_left_out():
    head, line, *_ = words.summary_lines(*compared([], [Picture("Cat", "Cat/a.png", "a", "test")]))
    assert head.split() == ["class", "before", "after", "added"]
    assert line.split() == ["Cat", "0", "1", "1"]
