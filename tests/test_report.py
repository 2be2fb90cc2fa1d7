"""The report on small made-up studies: exact tables, the same bytes twice, a page of its own."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stages import figures, report
from stages.errors import StudyError
from stages.figures.drawing import VARIABLES
from stages.figures.report_data import read_study
from stages.statistics.runs import PHASES
from stages.tables import read_table, write_table
from tests.made_study import (
    CLASSES,
    EXPORT_LATENCY,
    LATENCY,
    MODELS,
    ROOT,
    TRAINING_TIME,
    make_run,
    make_study,
)

OF_REPEATS = ("repeats", "repeat_differences")
TEXTS = ("leaderboard.csv", "label_errors.csv", "report.html", "test_accuracy.json")


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
    written = [*folder.glob("reports/plots/*"), *folder.glob("reports/figures/*/*")]
    written += [folder / "reports" / name for name in TEXTS]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in written}


def test_leaderboard_has_a_row_per_run_and_split_and_one_of_all_pictures(reported):
    text = (reported / "reports/leaderboard.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    assert header == [
        "model", "phase", "split", "images",
        "accuracy", "log_loss", "macro_precision", "macro_recall", "macro_f1",
    ]  # fmt: skip
    assert [row[:4] for row in rows[:7]] == [
        ["tiny_cnn", "transfer", "train", "18"],
        ["tiny_cnn", "transfer", "validation", "6"],
        ["tiny_cnn", "transfer", "test", "12"],
        ["tiny_cnn", "transfer", "all", "36"],
        ["tiny_cnn", "finetune", "train", "18"],
        ["tiny_cnn", "finetune", "validation", "6"],
        ["tiny_cnn", "finetune", "test", "12"],
    ]
    assert len(rows) == 2 * (4 + 3)


def test_two_runs_give_the_same_bytes(reported, study):
    report.main()
    assert len(made(study)) == len(TEXTS) + 4 + 2 * len(set(figures.NAMES) - {*OF_REPEATS})
    assert made(study) == made(reported)


def test_a_study_without_repeats_does_not_mention_them(page, reported):
    assert not re.findall("other seeds|repeats", page)
    assert not list(reported.glob("reports/figures/*/repeat*"))


@pytest.mark.parametrize("repeats", [(1,), (1, 2), range(1, 21)])
@pytest.mark.parametrize("models", [1, 2])
def test_repeats_have_their_figures(tmp_path, monkeypatch, models, repeats):
    monkeypatch.chdir(tmp_path)
    make_study(MODELS[:models], repeats=repeats)
    study = read_study(MODELS[:models], 0, repeats)
    runs, differences = (figures.figure(name, study) for name in OF_REPEATS)
    assert len(runs.rows) == 2 * 2 * models
    assert len(differences.rows) == 2 * (1 if models == 1 else 4)
    assert all(len(row) == len(f.header) for f in (runs, differences) for row in f.rows)
    assert [row[2] for row in runs.rows[:2]] != [row[2] for row in runs.rows[2:4]]
    few = "too few for an interval" in " ".join(differences.sentences)
    assert few == (len(repeats) == 1)
    assert few == (differences.rows[0][7] == "–")


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
    study = read_study(MODELS, seed=0)
    for name in set(figures.NAMES) - {*OF_REPEATS}:
        figure = figures.figure(name, study)
        assert f'<h3 id="{name}">{figure.title}</h3>' in page
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


def test_a_picture_filed_wrongly_is_named_for_the_exclusions(reported):
    assert read_table(reported / "reports/label_errors.csv")[0] == {
        "file": "Bird/3.png",
        "sha256": "0" * 64,
        "reason": "no Bird, rather Tree",
    }


def test_measured_times_join_the_costs_once_every_network_has_them(study):
    assert "ms per picture" not in str(figures.figure("pareto", read_study(MODELS, 0)).header)
    rows = [dict(zip(LATENCY, [model, "a machine", *"12345"], strict=True)) for model in MODELS]
    write_table("reports/latency.csv", LATENCY, rows)
    pareto = figures.figure("pareto", read_study(MODELS, 0))
    assert pareto.header[-5:] == [
        "GFLOPs per picture", "ms per picture, one at a time", "ms per picture, 32 at a time",
        "its 95th percentile", "that of 32",
    ]  # fmt: skip
    assert "measured once, on a machine" in pareto.caption


def test_times_of_training_join_the_costs_once_every_run_has_one(study):
    assert (
        "benchmarks.training_time measures"
        in figures.figure("pareto", read_study(MODELS, 0)).caption
    )
    rows = [
        dict(zip(TRAINING_TIME, [model, phase, "a machine", "90", "4"], strict=True))
        for model in MODELS
        for phase in PHASES
    ]
    write_table("reports/training_time.csv", TRAINING_TIME, rows[:-1])
    assert "minutes of training" not in figures.figure("pareto", read_study(MODELS, 0)).header
    write_table("reports/training_time.csv", TRAINING_TIME, rows)
    pareto = figures.figure("pareto", read_study(MODELS, 0))
    assert pareto.header[-1] == "minutes of training"
    assert [row[-1] for row in pareto.rows] == ["1.50"] * len(rows)
    assert "By minutes of training" in {panel.title for panel in pareto.panels}


def test_exported_files_are_told_with_what_they_lose_and_with_times_once_measured(study):
    figure = figures.figure("exported_files", read_study(MODELS, 0))
    assert figure.rows[-1][:4] == ["Tiny Vit", "int8.onnx", "1.0", "1.50"]
    assert len(figure.rows) == 2 * 3
    assert "int8.onnx: 1.0 MB, 1.50 points lost" in figure.description
    assert figure.header[-1] == "test accuracy"
    rows = [dict(zip(EXPORT_LATENCY, ["tiny_vit", "int8.onnx", "a machine", *"1234"], strict=True))]
    write_table("reports/export_latency.csv", EXPORT_LATENCY, rows)
    figure = figures.figure("exported_files", read_study(MODELS, 0))
    assert "measured once, on a machine" in figure.caption
    assert [row[-2:] for row in figure.rows[-2:]] == [["", ""], ["1", "3"]]


def test_litert_files_have_rows_and_bars_of_their_own_where_there_are_some(study):
    assert "networks as ONNX: " in figures.figure("exported_files", read_study(MODELS, 0)).caption
    for model in MODELS:
        rows = read_table(f"reports/exports/{model}.csv")
        rows += [row | {"file": row["file"].replace("onnx", "tflite")} for row in rows]
        write_table(f"reports/exports/{model}.csv", rows[0].keys(), rows)
    figure = figures.figure("exported_files", read_study(MODELS, 0))
    assert "networks as ONNX and for LiteRT (tflite): " in figure.caption
    assert [row[1] for row in figure.rows[-2:]] == ["float16.tflite", "int8.tflite"]
    assert "int8.tflite: 1.0 MB, 1.50 points lost" in figure.description


def test_runs_on_other_pictures_are_not_compared(study):
    make_run("tiny_vit", "transfer", CLASSES, each=5, seed=1)
    with pytest.raises(StudyError, match=r"tiny_vit \(transfer\) and tiny_cnn .* other pictures"):
        report.main()


def test_a_missing_curve_is_named(study):
    path = study / "reports/training/tiny_vit-finetune/plots/metrics/validation/loss.tsv"
    path.unlink()
    with pytest.raises(StudyError, match=r"validation/loss\.tsv is missing: `dvc repro`"):
        report.main()


def test_accuracy_of_the_test_pictures_has_a_short_name_for_each_run(reported):
    found = json.loads((reported / "reports/test_accuracy.json").read_text())
    board = read_table(reported / "reports/leaderboard.csv")
    told = [float(row["accuracy"]) for row in board if row["split"] == "test"]
    assert list(found) == list(MODELS)
    assert [list(phases) for phases in found.values()] == [["head", "tuned"]] * 2
    assert [value for phases in found.values() for value in phases.values()] == told


def test_what_an_earlier_study_left_is_removed(study):
    make_study(MODELS, repeats=(1, 2), folds=(1, 2))
    for name in ("tiny_cnn-transfer", "tiny_vit-transfer"):
        write_table(f"reports/scores/{name}.csv", ["split"], [])
    write_table("reports/repeats/.gitignore", ["kept"], [])
    make_study(MODELS[:1], repeats=(2,), folds=(2,))
    report.main()
    left = {path.relative_to("reports").as_posix() for path in Path("reports").glob("*/[!.]*")}
    assert {path for path in left if "tiny" in path} == {
        *("cards/tiny_cnn-transfer.json", "cards/tiny_cnn-finetune.json"),
        *("predictions/tiny_cnn-transfer.csv", "predictions/tiny_cnn-finetune.csv"),
        *("training/tiny_cnn-transfer", "training/tiny_cnn-finetune"),
        *("scores/tiny_cnn-transfer.csv", "maps/tiny_cnn.npy", "repeats/tiny_cnn-2.csv"),
        *("exports/tiny_cnn.csv", "folds/tiny_cnn-transfer.csv", "folds/tiny_cnn-finetune-2.csv"),
    }
    assert Path("reports/repeats/.gitignore").exists()


def test_the_how_to_of_a_new_figure_works(study, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/figures.md").read_text(), re.DOTALL)
    module = type(sys)("stages.figures.confidence")
    exec(code, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(figures, "NAMES", (*figures.NAMES, "confidence"))
    monkeypatch.setitem(figures.SECTIONS, "Can they be trusted?", ("reliability", "confidence"))
    report.main()
    assert (study / "reports/figures/svg/confidence.svg").exists()
    assert '<h3 id="confidence">' in (study / "reports/report.html").read_text(encoding="utf-8")
