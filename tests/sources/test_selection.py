"""Which pictures are taken, and why the others are not."""

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from stages import scrape
from stages.params import Class
from stages.sources import scratch
from stages.sources.selection import choose, count, still_short

CLASSES = {"Cat": Class(per_class=3), "Dog": Class(per_class=2)}


def database(pictures) -> sqlite3.Connection:
    found = scratch.database(scrape.FOUND)
    for number, (name, sha256) in enumerate(pictures):
        scratch.insert(found, "pictures", {"class": name, "sha256": sha256, "file": str(number)})
    return found


def reasons(pictures):
    with closing(database(pictures)) as found:
        choose(found, CLASSES)
        rows = found.execute("SELECT reason FROM pictures ORDER BY rowid").fetchall()
    return [row["reason"] for row in rows]


def one_by_one(pictures):
    """The rule, as one would apply it by hand."""
    taken = {name: [] for name in CLASSES}
    for name, sha256 in pictures:
        if {other for other, same in pictures if same == sha256} != {name}:
            yield "in_two_classes"
        elif sha256 in taken[name]:
            yield "repeated"
        elif len(taken[name]) == CLASSES[name].per_class:
            yield "surplus"
        else:
            taken[name].append(sha256)
            yield ""


@given(
    st.lists(st.tuples(st.sampled_from(list(CLASSES)), st.sampled_from("abcdefgh")), max_size=20)
)
def test_each_picture_is_taken_or_has_the_reason_of_the_rule(pictures):
    assert reasons(pictures) == list(one_by_one(pictures))


def test_a_class_asks_for_what_it_lacks():
    with closing(database([("Cat", "a"), ("Cat", "a"), ("Dog", "b"), ("Dog", "c")])) as found:
        short = still_short(found, CLASSES)
        assert {name: wanted.per_class for name, wanted in short.items()} == {"Cat": 2}


def test_what_was_missed_is_counted_with_what_was_not_taken():
    with closing(database([("Cat", "a"), ("Cat", "a")])) as found:
        missed = {"class": "Cat", "reason": "http_404", "files": 1}
        scratch.insert(found, "missed", missed)
        scratch.insert(found, "missed", missed | {"reason": "hidden", "files": 4})
        choose(found, CLASSES)
        assert count(found, CLASSES)["classes"]["Cat"] == {
            "asked": 3,
            "found": 7,
            "fetched": 2,
            "kept": 1,
            "rejected": {"hidden": 4, "http_404": 1, "repeated": 1},
        }
