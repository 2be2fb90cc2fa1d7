"""A drawing (SVG) of anyone as pixels: nothing but itself is read, and nothing in it is run.

resvg, which draws, knows no scripts and no web; but it would open files of this machine that a
drawing names. So it gets the drawing without them, and without declarations, which may hide names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import resvg_py
from lxml import etree

MAX_MEGABYTES = 20
MEMORY = 1 << 30  # bytes that one drawing may take, where the system can be told (Linux)
INSIDE = re.compile(r"\s*(?:#|data:image/(?:png|jpe?g|gif|webp)[;,])", re.I)
LENGTH = re.compile(r"\s*(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*(px|pt|pc|mm|cm|in)?\s*")
PIXELS = {None: 1, "px": 1, "pt": 4 / 3, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96}


class DrawingError(Exception):
    """Bytes that are no drawing; the text says why, short enough for a table."""


def read(data: bytes) -> etree._Element:
    """The root element, all that points outside taken away. Raises DrawingError."""
    if len(data) > MAX_MEGABYTES << 20:
        raise DrawingError(f"more than {MAX_MEGABYTES} MB")
    # What is too deep, or grows by entities of entities, libxml2 refuses by itself.
    parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities="internal")
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise DrawingError(" ".join(str(error).split())) from None
    if root.tag != "{http://www.w3.org/2000/svg}svg":
        raise DrawingError(f"its root is {root.tag}")
    for element in root.iter(etree.Element):
        for name, value in element.items():
            if re.search(r"(^|[}:])href$", name) and not INSIDE.match(value):
                del element.attrib[name]
    return root


def size(root: etree._Element, side: int) -> tuple[int, int]:
    """Width and height in pixels, the longer one `side`. Raises DrawingError where it has none."""
    width, height = _own_size(root) or _view_box(root)
    longer = max(width, height)
    return max(1, round(width / longer * side)), max(1, round(height / longer * side))


def draw(data: bytes, side: int) -> bytes:
    """RGBA PNG whose longer side has `side` pixels; the same bytes on every machine.

    Text is left out: it would depend on the machine's fonts. Raises DrawingError.
    """
    root = read(data)
    width, height = size(root, side)
    if root.get("viewBox") is None:
        root.set("viewBox", "0 0 {} {}".format(*_own_size(root)))
    root.set("width", str(width))
    root.set("height", str(height))
    text = etree.tostring(root, encoding="unicode", with_tail=False)
    try:
        with _limited_memory():
            return resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True)
    except ValueError as error:
        raise DrawingError(" ".join(str(error).split())) from None


def _own_size(root: etree._Element) -> tuple[float, float] | None:
    """Width and height as the drawing says them, in CSS pixels; None where they are shares."""
    sides = [LENGTH.fullmatch(root.get(name, "")) for name in ("width", "height")]
    if not all(sides):
        return None
    width, height = (float(side[1]) * PIXELS[side[2]] for side in sides)
    return (width, height) if width > 0 and height > 0 else None


def _view_box(root: etree._Element) -> tuple[float, float]:
    try:
        _, _, width, height = map(float, re.split(r"[\s,]+", root.get("viewBox", "").strip()))
    except ValueError:
        raise DrawingError("it says no size") from None
    if not (0 < width < 1e9 and 0 < height < 1e9):
        raise DrawingError("it says no size")
    return width, height


@contextmanager
def _limited_memory() -> Iterator[None]:
    """What asks for more ends the process: drawings are made in one that may end."""
    if sys.platform != "linux":
        yield
        return
    import resource  # there is none elsewhere

    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + MEMORY if before[1] == resource.RLIM_INFINITY else min(used + MEMORY, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
