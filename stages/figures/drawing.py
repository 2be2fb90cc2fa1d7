"""Paper and pens: Matplotlib figures as static files, and as SVG that follows the page's theme."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.tables import write_text

# Drawn as these on white; in the page each is the CSS variable of its name, so that it has a value
# for the dark theme too (report.html.jinja).
INK, MUTED, GRID = "#1f2328", "#57606a", "#d0d7de"
ACCENT = "#0a58ca"
HEAT = "#6db3ff"  # of a full cell: as strong as INK on it stays readable
TRAIN, VALIDATION, TEST = "#9a6700", "#0a69da", "#1a7f37"
WRONG = "#b3261e"
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    ACCENT: "--accent",
    HEAT: "--heat",
    TRAIN: "--train",
    VALIDATION: "--validation",
    TEST: "--test",
    WRONG: "--wrong",
}
EITHER = (0.23, 0.51, 0.96)  # where pixels cannot follow the theme: shows on white and on black
SPLIT_COLOURS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}

POINTS = 72  # Matplotlib's unit of length is the inch, ours a CSS pixel: one of 72
STATIC_WIDTH, GAP, HEADLINE = 1440, 16, 44  # of the files for slides, in pixels
STYLE = {
    "figure.dpi": POINTS,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "svg.fonttype": "none",  # text stays text: it is searched, copied and read aloud
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.8,
}


def axes(canvas: FigureBase, left: int, top: int, right: int, bottom: int, **options) -> Axes:
    """Axes with these margins, in pixels, on a panel."""
    width, height = canvas.bbox.width, canvas.bbox.height
    scale = canvas.get_figure(root=True).dpi / POINTS
    left, top, right, bottom = (margin * scale for margin in (left, top, right, bottom))
    place = (left, bottom, width - left - right, height - top - bottom)
    return canvas.add_axes(
        (place[0] / width, place[1] / height, place[2] / width, place[3] / height), **options
    )


def tip(artist: Artist, text: str) -> None:
    """Show a text when the pointer rests on something (in the page)."""
    artist.set_gid(f"tip:{text}")


def panel_svg(panel: Panel, name: str) -> str:
    """A panel as SVG to put into the page; `name` keeps its ids apart from other panels'."""
    with _style(name):
        canvas = Canvas(figsize=(panel.width / POINTS, panel.height / POINTS), facecolor="none")
        _draw(panel, canvas)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return _themed(text.getvalue(), panel)


def write_static(figure: Figure, stem: Path) -> None:
    """Write the whole figure, on white, as `<stem>.svg` and `<stem>.png`; nothing of nothing."""
    if not figure.panels:
        return
    width = max(panel.width for panel in figure.panels)
    height = max(panel.height for panel in figure.panels)
    columns = _columns(len(figure.panels), width)
    rows = ceil(len(figure.panels) / columns)
    widths, heights = [GAP, width] * columns, [HEADLINE] + [height, GAP] * rows
    with _style(stem.name):
        size = (sum(widths) / POINTS, sum(heights) / POINTS)
        canvas = Canvas(figsize=size, facecolor="white")
        top = 1 - 14 / sum(heights)
        canvas.text(GAP / sum(widths), top, figure.title, size=15, weight="bold", va="top")
        ratios = {"width_ratios": widths, "height_ratios": heights}
        grid = canvas.add_gridspec(len(heights), len(widths), wspace=0, hspace=0, **ratios)
        for index, panel in enumerate(figure.panels):
            row, column = divmod(index, columns)
            place = grid[2 * row + 1, 2 * column + 1]
            _draw(panel, canvas.add_subfigure(place, facecolor="none"))
        stem.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        write_text(stem.with_suffix(".svg"), _tips(text.getvalue()))
        canvas.savefig(stem.with_suffix(".png"), dpi=2 * POINTS, metadata={"Software": None})


def _columns(panels: int, width: int) -> int:
    """How many fit on a slide; an even number, so that a network's phases stay side by side."""
    fit = max(1, STATIC_WIDTH // (width + GAP))
    return panels if panels <= fit else max(1, fit - fit % 2)


@contextmanager
def _style(salt: str) -> Iterator[None]:
    with mpl.rc_context({**STYLE, "svg.hashsalt": salt}):
        yield


def _draw(panel: Panel, canvas: FigureBase) -> None:
    canvas.text(0.01, 1 - 4 / panel.height, panel.title, size=11, weight="bold", va="top")
    panel.draw(canvas)


def _themed(svg: str, panel: Panel) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<g id=\"(?!tip:)[^\"]*\">", "<g>", _tips(svg))
    svg = re.sub(r"font: (?:bold )?([\d.]+px) '[^']*'", _font, svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    root = f'<svg viewBox="0 0 {panel.width} {panel.height}" width="{panel.width}" role="img"'
    name = f'aria-label="{html.escape(panel.title)}"'
    return re.sub(r"<svg[^>]*>", f'{root} height="{panel.height}" {name}>', svg, count=1)


def _font(match: re.Match) -> str:
    weight = "font-weight: bold; " if "bold" in match.group() else ""
    return f"{weight}font-size: {match.group(1)}"


def _tips(svg: str) -> str:
    return re.sub(r"<g id=\"tip:([^\"]*)\">", r"<g><title>\1</title>", svg)
