"""docs/tested.md names all that can be chosen."""

from pathlib import Path

from stages.params import SOURCES
from stages.zoo import NETWORKS, Package, lookup

TEXT = (Path(__file__).parents[1] / "docs/tested.md").read_text()


def test_every_source_has_a_line():
    assert [name for name in SOURCES if f"`{name}`" not in TEXT] == []


def test_the_networks_whose_weights_have_been_fetched_are_those_of_packages():
    fetched = {name for name in NETWORKS if isinstance(lookup(name).ENTRY.weights, Package)}
    assert fetched == {name for name in NETWORKS if f"`{name}`" in TEXT}
    others = [n for n in NETWORKS if n not in fetched and lookup(n).ENTRY.weights]
    assert len(others) == 8  # "the eight other networks"
