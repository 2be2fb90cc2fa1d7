"""An icon of an Iconify set as SVG, and SVG as PNG."""

from __future__ import annotations

import signal
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import resvg_py

from stages.runtime.processors import cores

INK = "#22252b"  # of monochrome icons, which leave their colour to the page

_BOX = {"left": 0, "top": 0, "width": 16, "height": 16}


@dataclass(frozen=True)
class Svg:
    text: str
    width: float
    height: float


def icon_svg(icon_set: dict, name: str) -> Svg | None:
    """The drawing of a name or alias; None where it is withdrawn or its alias leads nowhere."""
    icon = _resolved(icon_set, name)
    if icon is None or icon.get("hidden"):
        return None
    left, top, width, height = (
        icon.get(key, icon_set.get(key, default)) for key, default in _BOX.items()
    )
    # The order is Iconify's: mirrored in its own box, then turned about the box's centre.
    moves = []
    turns = icon.get("rotate", 0)
    if icon.get("hFlip") and icon.get("vFlip"):
        turns += 2
    elif icon.get("hFlip"):
        moves.append(f"translate({width + left} {-top}) scale(-1 1)")
        left = top = 0
    elif icon.get("vFlip"):
        moves.append(f"translate({-left} {height + top}) scale(1 -1)")
        left = top = 0
    turns %= 4
    if turns == 1:
        moves.insert(0, f"rotate(90 {height / 2 + top} {height / 2 + top})")
    elif turns == 2:
        moves.insert(0, f"rotate(180 {width / 2 + left} {height / 2 + top})")
    elif turns == 3:
        moves.insert(0, f"rotate(-90 {width / 2 + left} {width / 2 + left})")
    if turns % 2:
        left, top, width, height = top, left, height, width
    body = icon["body"].replace("currentColor", INK)
    if moves:
        body = f'<g transform="{" ".join(moves)}">{body}</g>'
    return Svg(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{body}</svg>',
        width,
        height,
    )


def draw(svg: Svg, size: int) -> bytes:
    """RGBA PNG whose longer side has `size` pixels; the same bytes on every machine."""
    wide = svg.width >= svg.height
    return resvg_py.svg_to_bytes(
        svg_string=svg.text,
        width=size if wide else None,  # resvg finds the other side
        height=None if wide else size,
        skip_system_fonts=True,  # what is written in an icon would depend on the machine
    )


def drawers(drawings: int) -> Executor:
    """resvg holds Python's lock while it draws: processes, where there is work for several."""
    processes = min(cores(), drawings // 50)
    if processes < 2:
        return ThreadPoolExecutor(1)
    # Spawned: a fork would copy the locks that icrawler's threads hold at that moment.
    return ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=signal.signal,  # Ctrl-C is for the stage to tell, not for each process
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )


def _resolved(icon_set: dict, name: str) -> dict | None:
    """An icon with what its aliases change: turns add up, mirrors cancel, the rest replaces."""
    changes: list[dict] = []
    while name not in icon_set["icons"]:
        alias = icon_set.get("aliases", {}).get(name)
        if alias is None or len(changes) > 8:
            return None
        changes.append(alias)
        name = alias["parent"]
    icon = dict(icon_set["icons"][name])
    for alias in reversed(changes):
        for key, value in alias.items():
            if key == "rotate":
                icon[key] = icon.get(key, 0) + value
            elif key in ("hFlip", "vFlip"):
                icon[key] = icon.get(key, False) != value
            elif key != "parent":
                icon[key] = value
    return icon
