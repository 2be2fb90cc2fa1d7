"""The pages of docs/ and the README, followed as their readers do, in a tiny study that has run."""

import ast
import re
import shutil
import sys
from itertools import chain
from pathlib import Path

import dvc
import pytest
import yaml
from dvc.utils.serialize import modify_yaml
from PIL import Image

from tests import tiny_study
from tests.pages import Page, has_commands
from tests.tiny_study import MODELS, ROOT, attempt, change, commit, run

DOCS = sorted((ROOT / "docs").glob("*.md"))
CLASSES = {"Fox": "Disc", "Owl": "Box", "Fish": "Wedge"}
RUNS = "^Running stage '{}':$"


def one_network(clone: Path) -> None:
    """Half the time."""
    change(clone, lambda params: params.update(models=[MODELS[0]]))
    commit(clone, "One network")


def pictures_inside(clone: Path) -> None:
    """Those of the tiny study, where the page has its own."""
    for name, ours in (("Cat", "Disc"), ("Dog", "Box")):
        shutil.copytree(clone.parent / "pictures" / ours, clone / "my/pictures" / name)


def a_branch(clone: Path) -> None:
    """Of one network, with the other commit as its base."""
    run(clone, "git", "checkout", "--quiet", "-b", "my-branch")
    one_network(clone)


def pictures_of_ones_own(clone: Path) -> None:
    ours = clone.parent / "pictures/Disc"
    shutil.copyfile(min(ours.iterdir()), clone / "picture.png")
    shutil.copytree(ours, clone / "my/pictures")
    (clone / "downloads/today").mkdir(parents=True)
    Image.new("RGB", (40, 30), "red").save(clone / "downloads/today/a.webp")


def a_branch_and_a_picture(clone: Path) -> None:
    a_branch(clone)
    shutil.copyfile(min((clone.parent / "pictures/Disc").iterdir()), clone / "picture.png")


def a_flagged_picture(clone: Path) -> None:
    """As the stage `checks` writes it."""
    with (clone / "reports/flagged.csv").open("a", encoding="utf-8") as file:
        file.write("Disc/00.png,,blank on white and on black\n")


FEATURES = f"features@{MODELS[0]}"  # the same for every seed
MADE_AGAIN = {"split", FEATURES, f"transfer@{MODELS[0]}"}


def to_be_trained_again(clone: Path) -> None:
    """What depends on the seed is gone, and the features, and DVC does not remember them."""
    one_network(clone)
    with modify_yaml(clone / "dvc.lock") as lock:
        for name in MADE_AGAIN:
            del lock["stages"][name]
    shutil.rmtree(clone / ".dvc/cache/runs")
    shutil.rmtree(clone.parent / "cache/activations")
    commit(clone, "Nothing that depends on the seed")


EXPERIMENTS = Page(
    "docs/experiments.md",
    to_be_trained_again,
    {
        "seed=1,2 ": "seed=0,1 ",
        "efficientnet_lite0": MODELS[0],
        # No more than what writes the user's cache and a checkpoint, to save two thirds of the
        # time. The pictures lie beside the clone: docs/own-images.md.
        "^(dvc exp run --queue .*)": rf"\1 --allow-missing transfer@{MODELS[0]}",
        "^(dvc queue start --jobs 2) .*": (
            r"\1; while dvc queue status | grep -qE 'Queued|Running'; do sleep 5; done"
        ),
    },
    shows=("^Changes for experiment .* have been applied",),
)
PAGES = (
    Page("docs/classes.md", instead=CLASSES, shows=(RUNS.format("checks"), "^split:$")),
    Page("docs/own-images.md", pictures_inside, shows=("^scrape: 40 pictures of 2 classes kept",)),
    Page("docs/networks.md", shows=("^finetune@vit_b32:$",)),
    Page("docs/new-network.md", one_network, shows=(RUNS.format("finetune@my_cnn"), "passed")),
    Page("docs/caching.md", one_network, shows=(RUNS.format("transfer@tiny_cnn"),)),
    Page("docs/exclude-pictures.md", a_flagged_picture),
    Page("docs/compare.md", a_branch, shows=("^Nothing in reports/test_accuracy.json differs",)),
    Page("docs/data-diff.md", a_branch, shows=("have the same 60 pictures of 3 classes",)),
    Page("docs/cards.md"),
    Page("docs/predict.md", pictures_of_ones_own, shows=(r"picture\.png +\w+ \d",)),
    Page(
        "README.md",
        a_branch_and_a_picture,
        {
            "^    make test .*\n": "",
            # Two stay until they are ended, one asks the web for its runtime.
            "^    (make demo|make try|python -m app.serve) .*\n": "",
            "s3://bucket": "../store",
        },
        shows=("^Everything is up to date",),  # `dvc pull`, after `dvc push`
    ),
    EXPERIMENTS,
)
REFS = "refs/exps/*/*/*"  # of experiments alone: other refs there are DVC's own
ELSEWHERE = {
    "docs/demo.md": "tests/app: with a browser",
    "docs/ci.md": "tests/test_branches.py: with the steps of the workflow",
    "docs/registry.md": "tests/test_registry.py: it needs servers",
    "docs/serve.md": "tests/app/test_serve.py: with a service that has begun",
    "docs/study.md": "tests/test_study.py: it takes minutes, and is marked slow",
}


@pytest.fixture
def clone(finished_study, tmp_path, monkeypatch) -> Path:
    """A copy for one page, which may change anything."""
    shutil.copytree(finished_study, tmp_path / "study", symlinks=True)
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "study/cache"))
    monkeypatch.setenv("COLUMNS", "120")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Nobody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "nobody@example.com")
    return tmp_path / "study" / tiny_study.CLONE


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in PAGES if p is not EXPERIMENTS], ids=lambda page: page.name
)
def test_who_follows_a_page_gets_what_it_says(page, clone):
    printed = page.follow(clone)
    for words in page.shows:
        assert re.search(words, printed, re.M), printed


@pytest.mark.slow
def test_experiments_of_two_workers_at_once_make_what_one_makes_alone(clone):
    """Seed 0 is the study's, which has run alone; here it runs again, beside seed 1."""
    before = outputs((clone / "dvc.lock").read_text())
    alone = {name: before[name] for name in MADE_AGAIN}
    printed = EXPERIMENTS.follow(clone)
    assert re.search(EXPERIMENTS.shows[0], printed, re.M), printed
    experiments = run(clone, "git", "for-each-ref", "--format=%(objectname)", REFS).split()
    found = {
        seed(clone, one): outputs(run(clone, "git", "show", f"{one}:dvc.lock"))
        for one in experiments
    }
    assert found.keys() == {0, 1}, printed
    assert {name: found[0].get(name) for name in MADE_AGAIN} == alone
    same = {name for name in MADE_AGAIN if found[1][name] == alone[name]}
    assert same == {FEATURES}


def outputs(lock: str) -> dict[str, list]:
    return {name: stage["outs"] for name, stage in yaml.safe_load(lock)["stages"].items()}


def seed(clone: Path, revision: str) -> int:
    return yaml.safe_load(run(clone, "git", "show", f"{revision}:params.yaml"))["seed"]


def test_every_page_with_commands_is_followed():
    pages = [page for page in [*DOCS, ROOT / "README.md"] if has_commands(page)]
    names = {page.relative_to(ROOT).as_posix() for page in pages}
    assert names == {page.name for page in PAGES} | ELSEWHERE.keys()


def test_the_index_has_a_line_for_every_page():
    linked = re.findall(r"\]\((.+?\.md)\)", (ROOT / "docs/README.md").read_text(encoding="utf-8"))
    there = {page.name for page in DOCS} - {"README.md"}
    assert there <= set(linked)
    assert len(linked) == len(set(linked))


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_a_link_to_a_heading_of_another_page_leads_there(page):
    text = page.read_text(encoding="utf-8")
    for name, heading in re.findall(r"\]\(([\w-]+\.md)#([\w-]+)\)", text):
        titles = re.findall("^#+ (.+)$", (page.parent / name).read_text(encoding="utf-8"), re.M)
        assert heading in [anchor(title) for title in titles], f"{name}#{heading}"


def anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


# ---- messages -----------------------------------------------------------------------------------

TABLE = re.compile(r"^\| (`.+?) \|", re.M)
RAISED = ("StudyError", "ParameterError")


def quoted(part: int) -> list[str]:
    """The messages of troubleshooting.md: 0 those of the project, 1 those of DVC."""
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    cells = TABLE.findall(text.split("Of DVC itself")[part])
    # In Markdown a backtick stands within two.
    found = chain.from_iterable(re.findall(r"``(.+?)``|`(.+?)`", cell) for cell in cells)
    return [(double or single).strip() for double, single in found]


def templates(node: ast.AST) -> list[str]:
    """All texts below a node, with … for what is put into them."""
    if isinstance(node, ast.JoinedStr):
        parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
        return ["".join(parts)]
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    return [text for child in ast.iter_child_nodes(node) for text in templates(child)]


def is_in(message: str, texts: list[str]) -> bool:
    pattern = re.compile(".*".join(map(re.escape, message.split("…"))), re.S)
    return any(pattern.search(text) for text in texts)


def code() -> dict[Path, ast.AST]:
    files = chain((ROOT / "stages").rglob("*.py"), (ROOT / "app").rglob("*.py"))
    return {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def test_every_message_that_is_explained_is_one_of_the_code():
    texts = [text for tree in code().values() for text in templates(tree)]
    texts.append((ROOT / "environment.sh").read_text())
    messages = quoted(0)
    assert len(messages) > 25
    assert [message for message in messages if not is_in(message, texts)] == []


def test_every_message_of_dvc_that_is_explained_is_one_of_dvc(clone):
    command = (sys.executable, "-m", "dvc", "exp", "run", "--temp", "-S", "seed=1", "scrape")
    said = attempt(clone, *command).stderr  # the pictures lie beside the clone
    files = Path(dvc.__file__).parent.rglob("*.py")
    texts = [said, *(file.read_text(encoding="utf-8") for file in files)]
    assert [message for message in quoted(1) if not is_in(message, texts)] == []


def test_every_room_that_can_complain_has_a_message_explained():
    """Not every message: most say all that there is to say."""
    raised: dict[str, list[str]] = {}
    for file, tree in code().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(RAISED):
                raised.setdefault("/".join(file.parts[:2]), []).extend(templates(node))
    assert len(raised) > 12
    messages = quoted(0)
    missing = [room for room, texts in raised.items() if not any(is_in(m, texts) for m in messages)]
    assert missing == []
