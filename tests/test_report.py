"""The report on small made-up studies: exact tables, the same bytes twice, a page of its own."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dvc_render.vega import VegaRenderer

from stages import figures, report, runs
from stages.errors import StudyError
from stages.figures.drawing import VARIABLES
from stages.scores import COLUMNS
from stages.tables import read_table, write_json, write_table, write_text

ROOT = Path(__file__).parent.parent
SPLITS = ("train", "train", "train", "validation", "test", "test")
CLASSES = ("Bird", "Cat & <kitten>", "Tree")
PARAMS = ROOT.joinpath("params.yaml").read_text(encoding="utf-8")
MODELS = ("tiny_cnn", "tiny_vit")


def make_study(models=MODELS, classes=CLASSES, each=6):
    """Files as the stages before `report` leave them, in the working directory."""
    listed = "".join(f"  - {model}\n" for model in models)
    write_text("params.yaml", re.sub(r"models:\n(  - .*\n)+", f"models:\n{listed}", PARAMS))
    for number, model in enumerate(models):
        for phase in runs.PHASES:
            make_run(model, phase, classes, each, seed=number)


def make_run(model, phase, classes, each, seed):
    rng = np.random.default_rng(seed + 100 * len(phase))
    rows = []
    for position, label in enumerate(classes):
        for picture in range(each):
            odds = rng.exponential(size=len(classes)) + 2 * np.eye(len(classes))[position]
            shares = odds / odds.sum()
            split = SPLITS[picture % len(SPLITS)]
            facts = (f"{label}/{picture}.png", "g", split, label, classes[shares.argmax()])
            named = dict(zip(classes, shares, strict=True))
            rows.append(dict(zip(COLUMNS, facts, strict=True)) | named)
    write_table(f"reports/predictions/{model}-{phase}.csv", (*COLUMNS, *classes), rows)
    card = {"title": model.replace("_", " ").title(), "classes": list(classes)}
    write_json(f"models/{model}/{phase}/card.json", card)
    for pictures in runs.WATCHED:
        for metric in runs.CURVES:
            folder = Path("reports/training", f"{model}-{phase}", "plots/metrics", pictures)
            lines = [f"step\t{metric}", *(f"{epoch}\t{1 - 0.5 / epoch}" for epoch in (1, 2, 3))]
            write_text(folder / f"{metric}.tsv", "\n".join(lines) + "\n")


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_study()
    return tmp_path


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """The folder of a study with its report."""
    folder = tmp_path_factory.mktemp("reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_study()
        report.main()
    return folder


@pytest.fixture(scope="module")
def page(reported):
    return (reported / "reports/report.html").read_text(encoding="utf-8")


def made(folder):
    written = [*folder.glob("reports/plots/*"), *folder.glob("reports/figures/*")]
    written += [folder / "reports/leaderboard.csv", folder / "reports/report.html"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in written}


def test_leaderboard_has_a_row_per_run_and_split(reported):
    text = (reported / "reports/leaderboard.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    assert header == [
        "model", "phase", "split", "images",
        "accuracy", "log_loss", "macro_precision", "macro_recall", "macro_f1",
    ]  # fmt: skip
    assert [row[:4] for row in rows[:4]] == [
        ["tiny_cnn", "transfer", "train", "9"],
        ["tiny_cnn", "transfer", "validation", "3"],
        ["tiny_cnn", "transfer", "test", "6"],
        ["tiny_cnn", "finetune", "train", "9"],
    ]
    assert len(rows) == 2 * 2 * 3


def test_two_runs_give_the_same_bytes(reported, study):
    report.main()
    assert len(made(study)) == 2 + 4 + 2 * len(figures.NAMES)
    assert made(study) == made(reported)


@pytest.mark.parametrize(("models", "classes"), [(1, 2), (2, 15), (1, 45)])
def test_any_number_of_models_and_classes(tmp_path, monkeypatch, models, classes):
    monkeypatch.chdir(tmp_path)
    make_study(MODELS[:models], [f"Class {number:03}" for number in range(classes)])
    report.main()
    page = Path("reports/report.html").read_text(encoding="utf-8")
    assert f"{2 * models} runs on {classes} classes" in page


def test_the_page_needs_nothing_beside_itself(page):
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(?!data:)[^\"]*", page)
    assert not re.findall(r"url\((?!#)|@import", page)
    assert "Cat &amp; &lt;kitten&gt;" in page
    assert "<kitten>" not in page


def test_each_figure_has_a_title_a_text_alternative_and_numbers(page, reported, monkeypatch):
    monkeypatch.chdir(reported)
    made_runs = runs.read_runs(MODELS)
    for name in figures.NAMES:
        figure = figures.figure(name, made_runs)
        assert f'<h2 id="{name}">{figure.title}</h2>' in page
        assert len(figure.description) > 40
        assert all(len(row) == len(figure.header) for row in figure.rows)
    drawings = re.findall(r"<svg[^>]*>", page)
    assert all(re.search(r'role="img".*aria-label="[^"]+"', drawing) for drawing in drawings)


def test_the_page_draws_in_the_colours_of_its_theme(page):
    style, body = page.split("</style>", 1)
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", body)
    for variable in VARIABLES.values():
        assert style.count(f"{variable}:") == 2, f"{variable} needs a light and a dark value"


def test_the_report_loads_no_network_library():
    program = (
        "import stages.report, sys\n"
        "for name in stages.report.figures.NAMES: __import__(f'stages.figures.{name}')\n"
        "print(sorted({'tensorflow', 'keras', 'torch', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_runs_on_other_pictures_are_not_compared(study):
    make_run("tiny_vit", "transfer", CLASSES, each=5, seed=1)
    with pytest.raises(StudyError, match=r"tiny_vit \(transfer\) and tiny_cnn .* other pictures"):
        report.main()


def test_a_missing_curve_is_named(study):
    path = study / "reports/training/tiny_vit-finetune/plots/metrics/validation/loss.tsv"
    path.unlink()
    with pytest.raises(StudyError, match=r"validation/loss\.tsv is missing: `dvc repro`"):
        report.main()


@pytest.mark.parametrize(
    ("template", "table", "x", "y"),
    [
        ("curves", "accuracy", "epoch", "accuracy"),
        ("curves", "loss", "epoch", "loss"),
        ("split_scores", "../leaderboard", "accuracy", "model"),
        ("confusion_shares", "confusion", "predicted", "actual"),
        ("class_bars", "classes", "f1", "class"),
    ],
)
def test_dvcs_templates_take_the_tables(reported, template, table, x, y):
    rows = read_table(reported / f"reports/plots/{table}.csv")
    points = [row | {"rev": rev} for rev in ("main", "workspace") for row in rows]
    labels = {"x_label": f"the {x}", "y_label": f"the {y}", "title": "A title"}
    folder = {"template": template, "template_dir": str(ROOT / ".dvc/plots")}
    content = VegaRenderer(points, "plot", x=x, y=y, **labels, **folder).get_filled_template()
    text = json.dumps(content | {"data": None})
    assert "<DVC_METRIC" not in text
    assert all(label in text for label in labels.values() if label != "the model")
    made_here = set(re.findall(r'"as": "([^"]+)"', text))
    assert set(re.findall(r'"field": "([^"]+)"', text)) <= {*points[0], *made_here}
    assert set(re.findall(r"datum\.(\w+)", text)) <= {*points[0], *made_here, "label"}


def test_the_how_to_of_a_new_figure_works(study, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/figures.md").read_text(), re.DOTALL)
    module = type(sys)("stages.figures.confidence")
    exec(code, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(figures, "NAMES", (*figures.NAMES, "confidence"))
    report.main()
    assert (study / "reports/figures/confidence.svg").exists()
    assert '<h2 id="confidence">' in (study / "reports/report.html").read_text(encoding="utf-8")
