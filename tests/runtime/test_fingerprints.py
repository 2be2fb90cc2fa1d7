"""stages/runtime/fingerprints.py: what changes a result changes a fingerprint, and nothing else."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import source_code
from stages.errors import StudyError
from stages.runtime import fingerprints
from stages.runtime.fingerprints import locked, with_requirements

NETWORKS = {"networks/tiny_cnn", "networks/tiny_vit"}
TRAINED = {"features", "transfer", "finetune", "finetune_fold", "repeat", "explain", "export"}


@pytest.fixture
def copy(tmp_path, monkeypatch, project):
    """A copy of the code, made the current folder."""
    shutil.copytree(project / "stages", tmp_path / "stages")
    shutil.copy(project / "requirements.txt", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed(before):
    after = source_code.fingerprints(["folder"])
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("file", "tables"),
    [
        ("sources/bing.py", set()),
        ("web/client.py", {"weights"}),
        ("web/opt_outs.py", set()),
        ("sources/folder.py", {"scrape"}),
        ("sources/listing.py", {"scrape"}),
        ("pictures/near_duplicates.py", {"checks", "split"}),
        ("zoo/tiny_cnn.py", {"networks/tiny_cnn"}),
        ("zoo/parts/seeded.py", NETWORKS),
        ("training/trainer.py", {"transfer", "finetune", "finetune_fold", "repeat"}),
        ("training/tuning.py", {"finetune", "finetune_fold", "repeat"}),
        ("networks/models.py", TRAINED),
        ("networks/weight_files.py", TRAINED | {"weights"}),
        ("statistics/calibration.py", {"export", "report", "cards"}),
        ("figures/learning_curves.py", {"report"}),
        ("figures/report.html.jinja", {"report"}),
        ("evaluate.py", {"evaluate"}),
        ("sources/shortage.py", set()),
        ("errors.py", set()),
        ("params.py", set()),
    ],
)
def test_a_change_of_code_is_seen_where_it_runs_and_nowhere_else(copy, file, tables):
    before = source_code.fingerprints(["folder"])
    with (copy / "stages" / file).open("a") as code:
        code.write("\nCHANGED = True\n")
    assert changed(before) == tables


def test_a_file_that_is_named_and_not_there_is_an_error_with_the_remedy(copy):
    """As a new one, without `git add`, is in the folder of a queued experiment."""
    (copy / "stages/zoo/tiny_vit.py").unlink()
    with pytest.raises(StudyError, match=r"^stages/zoo/tiny_vit\.py is missing .*`git add`"):
        source_code.fingerprints(["folder"])


def test_the_source_that_is_chosen_is_the_one_whose_code_counts(copy):
    before = source_code.fingerprints(["folder", "bing"])
    with (copy / "stages/sources/bing.py").open("a") as code:
        code.write("\nCHANGED = True\n")
    after = source_code.fingerprints(["folder", "bing"])
    assert {name for name in before if before[name] != after[name]} == {"scrape"}


@pytest.mark.parametrize(
    ("package", "tables"),
    [
        ("pillow", {"scrape", "to_rgb", "checks", "split", "evaluate", "report"} | TRAINED),
        ("tensorflow", {"evaluate"} | TRAINED | {f"networks/{n}" for n in source_code.NETWORKS}),
        ("matplotlib", {"checks", "report"}),
        ("resvg-py", {"scrape", "to_rgb", "checks"}),  # what decodes, and not what trains
        ("pytest", set()),
        ("ruff", set()),
        ("tqdm", set()),
    ],
)
def test_a_new_version_counts_for_those_whose_bytes_it_makes(copy, package, tables):
    before = source_code.fingerprints(["folder"])
    text = (copy / "requirements.txt").read_text()
    (copy / "requirements.txt").write_text(text.replace(f"\n{package}==", f"\n{package}==9"))
    assert changed(before) == tables


def test_new_hashes_of_the_same_version_count_for_nothing(copy):
    before = source_code.fingerprints(["folder"])
    text = (copy / "requirements.txt").read_text()
    (copy / "requirements.txt").write_text(text.replace("sha256:0", "sha256:1"))
    assert changed(before) == set()


CODE = '''"""A module."""
import math

LIMIT = 3  # of something


class Circle:
    """A round thing."""

    def area(self, r: float) -> float:
        """Of a disc."""
        return math.pi * r**2


def clipped(x):
    if x > LIMIT:
        x = LIMIT
    return x
'''


def sha256(text):
    return fingerprints._read(text.encode()).sha256


@given(st.lists(st.sampled_from(range(len(CODE.splitlines()) + 1)), max_size=5), st.text("ab #\t"))
def test_comments_and_empty_lines_anywhere_change_nothing(places, words):
    lines = CODE.splitlines()
    for place in sorted(places, reverse=True):
        lines[place:place] = ["# " + words, ""]
    assert sha256("\n".join(lines)) == sha256(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A module.", "Another module.\n\nWith more to say."),
        ("A round thing.", "A disc."),
        ("Of a disc.", ""),
        ("LIMIT = 3  # of something", "LIMIT=(3)"),
    ],
)
def test_docstrings_and_layout_change_nothing(old, new):
    assert sha256(CODE.replace(old, new)) == sha256(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("3", "4"), ("r**2", "r*2"), ("x >", "x >="), ("x = LIMIT", "pass"), ("float", "int"),
     ("import math", "import cmath as math"), ("def area", "@property\n    def area")],
)  # fmt: skip
def test_another_behaviour_is_another_hash(old, new):
    assert sha256(CODE.replace(old, new)) != sha256(CODE)


def test_a_text_that_is_no_docstring_counts():
    assert sha256("x = 'a'") != sha256("x = 'b'")
    assert sha256("def f():\n    return 'a'") != sha256("def f():\n    return 'b'")


def test_where_docstrings_are_read_they_count():
    code = 'def main():\n    """{}"""\n\n\nprint(main.__doc__)\n'
    assert sha256(code.format("One")) != sha256(code.format("Two"))


def test_packages_that_another_one_rests_on_are_taken_along():
    text = """\
numpy==1 \\
    --hash=sha256:00
    # via
    #   -r requirements.in
    #   scipy
scipy==2 ; python_full_version < '3.11' \\
    --hash=sha256:00
    # via
    #   -r requirements.in
    #   imagehash
scipy==3 ; python_full_version == '3.11.*' \\
    --hash=sha256:00
    # via
    #   -r requirements.in
    #   imagehash
imagehash==4 \\
    --hash=sha256:00
    # via -r requirements.in
pytest==5 \\
    --hash=sha256:00
    # via -r requirements.in
iniconfig==6 \\
    --hash=sha256:00
    # via pytest
"""
    pins = locked(text)
    assert with_requirements({"imagehash", "os"}, pins) == {"imagehash", "scipy", "numpy"}
    assert pins["scipy"].version == "2, 3 (python_full_version == '3.11.*')"
    assert pins["iniconfig"].asked_by == {"pytest"}
