"""Matplotlib figures as static files, and as SVG that follows the page's theme."""

from __future__ import annotations

import html
import io
import re
from functools import partial
from pathlib import Path

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.figure import FigureBase
from PIL import Image

from stages.figures import Figure, Panel
from stages.figures.text import FAMILY, add_fonts, fitting, no_warnings_of_fonts
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
SHARP = 2  # PNG pixels to one of ours
XLINK = "http://www.w3.org/1999/xlink"
STYLE = {
    "figure.dpi": POINTS,
    "font.family": FAMILY,
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
    "image.composite_image": False,  # several pictures on one axes stay as sharp as they are
}


def axes(canvas: FigureBase, left: int, top: int, right: int, bottom: int, **options) -> Axes:
    """Axes with these margins, in pixels, on a panel."""
    width, height = canvas.bbox.size
    place = (left, bottom, width - left - right, height - top - bottom)
    return canvas.add_axes(
        (place[0] / width, place[1] / height, place[2] / width, place[3] / height), **options
    )


def tooltip(artist: Artist, text: str) -> None:
    """Show a text when the pointer rests on something (in the page)."""
    artist.set_gid(f"tooltip:{text}")


def render(figure: Figure, name: str, folder: Path) -> list[str]:
    """Draw each panel: returned as SVG for the page, and the whole as svg/<name>.svg and PNG.

    The files are for slides, on white. Of a figure without panels there are none.
    """
    drawn = [_drawn(panel, f"{name}-{index}") for index, panel in enumerate(figure.panels)]
    if drawn:
        _write_static(figure, drawn, name, folder)
    pairs = zip(figure.panels, drawn, strict=True)
    return [_themed(svg, panel) for panel, (svg, _) in pairs]


def _drawn(panel: Panel, name: str) -> tuple[str, Image.Image]:
    """A panel as SVG and, twice as large, as pixels; `name` keeps its ids apart from others'.

    The text of an SVG is drawn by its reader, with the reader's fonts; the pixels need ours.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}), no_warnings_of_fonts():
        size = (panel.width / POINTS, panel.height / POINTS)
        canvas = Canvas(figsize=size, facecolor="none")
        title = fitting(panel.title, panel.width - 10, 11)
        canvas.text(0.01, 1 - 4 / panel.height, title, size=11, weight="bold", va="top")
        panel.draw(canvas)
        text, pixels = io.StringIO(), io.BytesIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        add_fonts(canvas)
        canvas.savefig(pixels, format="rgba", dpi=SHARP * POINTS)
    size = (SHARP * panel.width, SHARP * panel.height)
    return _plain(text.getvalue()), Image.frombytes("RGBA", size, pixels.getvalue())


def _write_static(
    figure: Figure, drawn: list[tuple[str, Image.Image]], name: str, folder: Path
) -> None:
    panel = figure.panels[0]
    columns = _columns(len(drawn), panel.width)
    places = [
        (GAP + (index % columns) * (panel.width + GAP),
         HEADLINE + index // columns * (panel.height + GAP))
        for index in range(len(drawn))
    ]  # fmt: skip
    width = max(x for x, _ in places) + panel.width + GAP
    height = places[-1][1] + panel.height + GAP
    title = Panel("", width, HEADLINE, partial(_headline, figure.title))
    parts = [((0, 0), *_drawn(title, f"{name}-title"))]
    parts += [(place, *one) for place, one in zip(places, drawn, strict=True)]
    sheet = Image.new("RGB", (SHARP * width, SHARP * height), "white")
    inner = []
    for (x, y), svg, pixels in parts:
        sheet.paste(pixels, (SHARP * x, SHARP * y), pixels)
        inner.append(re.sub("<svg ", f'<svg x="{x}" y="{y}" ', svg, count=1))
    root = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="{XLINK}" '
    root += f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    style = "<style>* { stroke-linejoin: round; stroke-linecap: butt }</style>"
    ground = '<rect width="100%" height="100%" fill="white"/>'
    text = "\n".join([root, style, ground, *inner, "</svg>"])
    write_text(folder / "svg" / f"{name}.svg", text + "\n")
    (folder / "png").mkdir(parents=True, exist_ok=True)
    sheet.save(folder / "png" / f"{name}.png")


def _headline(title: str, canvas: FigureBase) -> None:
    width, height = canvas.bbox.size
    canvas.text(GAP / width, 1 - 14 / height, title, size=15, weight="bold", va="top")


def _columns(panels: int, width: int) -> int:
    """How many fit on a slide; an even number, so that a network's phases stay side by side."""
    fit = max(1, STATIC_WIDTH // (width + GAP))
    return panels if panels <= fit else max(1, fit - fit % 2)


def _plain(svg: str) -> str:
    """Matplotlib's SVG without what only clutters: ids of its own, comments, metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<g id=\"tooltip:([^\"]*)\">", r"<g><title>\1</title>", svg)
    svg = re.sub(r"<g id=\"[^\"]*\">", "<g>", svg)
    size = r'(width|height)="([\d.]+)pt"'  # of 72 dpi: our pixels
    return re.sub(size, r'\1="\2"', svg, count=2)


def _themed(svg: str, panel: Panel) -> str:
    """As it stands in the page: its colours are variables, its fonts the page's."""
    svg = re.sub(r"font: (?:bold )?([\d.]+px) '[^']*'", _font, svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    root = f'<svg viewBox="0 0 {panel.width} {panel.height}" width="{panel.width}" role="img"'
    name = f'aria-label="{html.escape(panel.title)}"'
    return re.sub(r"<svg[^>]*>", f'{root} height="{panel.height}" {name}>', svg, count=1)


def _font(match: re.Match) -> str:
    weight = "font-weight: bold; " if "bold" in match.group() else ""
    return f"{weight}font-size: {match.group(1)}"
