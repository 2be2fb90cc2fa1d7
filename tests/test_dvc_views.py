"""What DVC shows of a study: plots in a browser without a network, metrics in a terminal."""

import csv
import json
import re
import shlex
import shutil
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml

from stages import report, scrape, split
from stages.tables import write_table
from tests.chromium import needs_chromium
from tests.made_study import ROOT, make_study
from tests.tiny_study import run

MODELS = ("efficientnet_lite0", "dinov2_s14")  # the default study's: their names have to fit
WIDTH = 120  # columns of a terminal
PROJECT = ("dvc.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/page.html", ".dvc/plots")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
PLOTS = dict(chain.from_iterable(p.items() for s in STAGES for p in s.get("plots", [])))
CURVES = ["reports_plots_accuracy_csv", "reports_plots_loss_csv"]


@pytest.fixture(scope="module", autouse=True)
def _terminal():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(WIDTH))
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project with a made-up study of two networks, committed, and another in the workspace."""
    folder = tmp_path_factory.mktemp("project")
    for name in PROJECT:
        (folder / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    run(folder, "git", "init", "--quiet", "--initial-branch=main", ".")
    reported(folder, each=12)
    run(folder, "git", "add", ".")
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    run(folder, "git", *who, "commit", "--quiet", "--message=A study")
    reported(folder, each=24)
    return folder


def reported(folder: Path, each: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_study(MODELS, each=each)
        report.main()
        pictures = [
            {"class": name, "group": f"{name} {part}", "split": part}
            for name in ("Bird", "Cat")
            for part in split.NAMES
        ]
        counts = split.per_class(pictures)  # as the stage `split` writes it
        write_table("reports/split.csv", counts[0], counts)
        row = dict(zip(scrape.COUNTED, ("Bird", 3, each, 5, 3, 2, "2 surplus"), strict=True))
        write_table("reports/scrape.csv", scrape.COUNTED, [row])


def dvc(folder: Path, *words: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *words)


@needs_chromium
@pytest.mark.parametrize("words", [("show",), ("diff", "HEAD")])
def test_every_plot_is_drawn_without_a_network(project, browser, tmp_path, words):
    dvc(project, "plots", *words, "-o", str(tmp_path / "elsewhere"))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = (tmp_path / "elsewhere/index.html").as_uri()
    page.goto(address)
    page.wait_for_function("drawn")
    found = page.evaluate("""[...document.querySelectorAll("main > div")].map(plot => ({
        id: plot.id, drawings: plot.querySelectorAll("canvas").length,
        end: plot.getBoundingClientRect().bottom, wide: plot.scrollWidth}))""")
    versions = page.evaluate("[vega.version, vegaLite.version, vegaEmbed.version]")
    page.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert [plot["id"] for plot in found][:2] == CURVES
    assert {plot["id"] for plot in found} == {re.sub(r"[./]", "_", path) for path in PLOTS}
    assert [plot["drawings"] for plot in found] == [1] * len(PLOTS)
    assert max(plot["wide"] for plot in found) <= 1280
    if words == ("show",):
        assert found[1]["end"] <= 900
    named = re.findall(r'"vega[a-z-]*@(.+?)":', (ROOT / ".dvc/vega.py").read_text())
    assert versions == named


def test_the_page_knows_the_place_of_every_plot():
    (order,) = re.findall(r"const ORDER = (\[.*?\])", (ROOT / ".dvc/page.html").read_text(), re.S)
    assert sorted(json.loads(order)) == sorted(re.sub(r"[./]", "_", path) for path in PLOTS)


@pytest.fixture(scope="module")
def specs(project):
    """What DVC makes of each plot for two revisions: in Vega-Lite."""
    data = json.loads(dvc(project, "plots", "diff", "HEAD", "--json"))["data"]
    return {path: plots[0]["content"] for path, plots in data.items()}


@pytest.mark.parametrize("path", PLOTS)
def test_every_plot_has_a_title_and_names_its_axes(specs, path):
    spec, rows = specs[path] | {"data": None}, specs[path]["data"]["values"]
    assert {row["rev"] for row in rows} == {"HEAD", "workspace"}
    text = json.dumps(spec)
    assert "<DVC_METRIC" not in text
    assert spec["title"]["text"] not in ("", path)
    assert all(axis_titles(spec["spec"]))
    made_here = set(re.findall(r'"([^"]+)"', str(re.findall(r'"as": (\[.*?\]|".*?")', text))))
    assert set(re.findall(r'"field": "([^"]+)"', text)) <= {*rows[0], *made_here}
    assert set(re.findall(r"datum\.(\w+)", text)) <= {*rows[0], *made_here}


def axis_titles(panel: dict) -> list[str]:
    """The titles of its two axes; of layers that share one, the first has it."""
    layers = [part.get("encoding", {}) for part in (panel, *panel.get("layer", []))]
    return [next(layer[axis]["title"] for layer in layers if axis in layer) for axis in ("x", "y")]


@pytest.mark.parametrize("template", sorted((ROOT / ".dvc/plots").iterdir()), ids=lambda p: p.stem)
def test_panels_of_a_plot_bear_their_own_titles(template):
    """Vega-Lite 5.2 puts titles of rows and columns beside other panels where their order is told:
    with two networks, each confusion matrix but the first stood under the wrong name."""
    facet = json.loads(template.read_text(encoding="utf-8"))["facet"]
    assert not facet.keys() & {"row", "column"}


@needs_chromium
@pytest.mark.parametrize("name", ["confusion", "classes"])
def test_a_run_stands_beside_itself_at_another_revision(project, browser, tmp_path, name):
    """And what only one of the revisions has comes last: it would push the others apart."""
    dvc(project, "plots", "diff", "HEAD", "-o", str(tmp_path))
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    page.wait_for_function("drawn")
    titles = page.evaluate(
        """async (name) => {
        const [place, spec] = calls.find(([place]) => place.includes(name))
        const field = name === "classes" ? "network" : "run"
        const gone = spec.data.values[0][field]
        spec.data.values = spec.data.values.filter(row => row[field] !== gone || row.rev === "HEAD")
        const view = (await vegaEmbed(place, spec, {renderer: "svg"})).view
        const svg = new DOMParser().parseFromString(await view.toSVG(), "image/svg+xml")
        return [...svg.querySelectorAll("text")].map(text => text.textContent)
            .filter(text => / · (HEAD|workspace)$/.test(text))
        }""",
        name,
    )
    page.close()
    named = [title.split(" · ") for title in titles]
    *pairs, (last, revision) = named
    assert len(named) == (7 if name == "confusion" else 3)
    assert [run for run, _ in pairs[::2]] == [run for run, _ in pairs[1::2]]
    assert last not in [run for run, _ in pairs]
    assert revision == "HEAD"


def test_metrics_are_one_figure_a_run_and_fit_a_terminal(project):
    keys = [f"{model}.{phase}" for model in MODELS for phase in ("head", "tuned")]
    shown = dvc(project, "metrics", "show")
    assert shown.splitlines()[0].split() == ["Path", *sorted(keys)]
    changes = dvc(project, "metrics", "diff")
    assert [line.split()[1] for line in changes.splitlines()[1:]] == sorted(keys)
    assert max(map(len, [*shown.splitlines(), *changes.splitlines()])) <= WIDTH


def test_experiments_are_told_apart_by_these_figures(project):
    (words,) = re.findall(r"dvc exp (show .*)", (ROOT / "README.md").read_text())
    shown = dvc(project, "exp", *shlex.split(words), "--no-pager")
    header, *rows = [line.split() for line in shown.splitlines() if "─" not in line]
    assert header == ["Experiment", *(f"{model}.tuned" for model in MODELS)]
    assert [row[0] for row in rows] == ["workspace", "main"]
    more = len("├── 1a2b3c4 [waxen-brook]") - len("Experiment") + len("   transfer.learning_rate")
    assert max(map(len, shown.splitlines())) + more <= WIDTH
    (names, *_) = csv.reader(dvc(project, "exp", "show", "--csv").splitlines())
    keys = [f"{model}.{phase}" for model in MODELS for phase in ("head", "tuned")]
    assert [name for name in names if re.search("head|tuned", name)] == keys
