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
def test_of_several_with_one_content_those_of_a_name_then_of_a_class_belong_together(old, new):
    _, _, rows = compared(old, new)
    pairs = [(row.before, row.after) for row in rows if row.before and row.after]
    there = {(picture.sha256, picture.file) for picture in new}
    for one, other in pairs:
        assert (one.sha256, one.file) not in there or one.file == other.file
    relabelled = [pair for pair in pairs if pair[0].class_name != pair[1].class_name]
    left = {(one.sha256, one.class_name) for one, _ in relabelled}
    assert left.isdisjoint((other.sha256, other.class_name) for _, other in relabelled)


@given(pictures(), pictures())
def test_what_is_added_is_nothing_of_what_is_removed(old, new):
    _, _, rows = compared(old, new)
    added = [row.after for row in rows if row.kind == ADDED]
    removed = [row.before for row in rows if row.kind == REMOVED]
    for part in ("file", "sha256"):
        assert {getattr(p, part) for p in added}.isdisjoint(getattr(p, part) for p in removed)


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
    assert 2 * len(lines[1]) > 90  # as the name is there, cut
    assert max(map(cell_len, lines[:2])) <= words.WIDTH
