"""stages/compute/alike.py: machines whose bytes would differ are told apart, and named."""

from dataclasses import replace

import pytest

from stages.compute import alike
from stages.errors import StudyError

HERE = alike.facts(["numpy"])


def test_nodes_that_are_as_this_machine_are_alike():
    alike.require(HERE, {"a": HERE, "b": HERE})


def test_a_processor_of_another_kind_is_named_with_its_nodes():
    """Machines of two kinds are not at hand: what one would say of itself is made up."""
    other = replace(HERE, instructions="avx512f", words="A newer one, AVX-512")
    with pytest.raises(StudyError) as error:
        alike.require(HERE, {"a": HERE, "b": other, "c": other})
    assert f"({HERE.words}: this machine, a; A newer one, AVX-512: b, c)" in str(error.value)
    assert "compute.resource" in str(error.value)


def test_another_version_of_a_package_is_named():
    other = replace(HERE, packages={"numpy": "1.0"})
    with pytest.raises(StudyError, match=r"^compute: b has numpy 1\.0, this machine 2"):
        alike.require(HERE, {"a": HERE, "b": other})
    with pytest.raises(StudyError, match=r"^compute: b has numpy not at all"):
        alike.require(HERE, {"b": replace(HERE, packages={"numpy": ""})})
