"""Open-licensed cartoon icons and emoji: the 238 sets of the npm package @iconify/json.

An image search that needs no network: a class's search words are looked up in the names of some
340,000 icons, and what is found is drawn.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.sources import RESERVE, Picture, crawl
from stages.sources.iconify_svg import Svg, draw, drawers, icon_svg
from stages.web import packages

REQUIREMENT = "@iconify/json@2.2.535"
INTEGRITY = (
    "sha512-nAV60ACUSHwnsb6fsp+letHlNkrwO4vzBtcC6B4EDHErQQfezk7E3nJdnwJj"
    "ve6OCfMNO0uVT5Vrgna9/NCmXw=="
)
MAX_MEMBER = 128 << 20  # bytes of one set; the largest has 104 million

# Sets whose pictures stand for something else: there a penguin is Linux, a tiger a company.
BRANDS = {"Logos", "Flags / Maps", "Programming"}
PER_SET = 6  # monochrome icons of one set in one class: more would be one hand's style

# Words that tell the styles of one drawing apart; a set's second style comes last.
STYLES = {
    *("alt", "bold", "broken", "color", "colored", "dark", "duo", "duotone", "fill", "filled"),
    *("flat", "light", "line", "linear", "outline", "outlined", "regular", "remix", "rounded"),
    *("sharp", "solid", "thin", "twotone", "12", "16", "20", "24", "28", "32", "48"),
}


@dataclass(frozen=True)
class Icon:
    set_name: str
    name: str
    query: str  # the search word that matched
    rank: int  # of that word in the class's list
    svg: Svg


def pictures(
    classes: Mapping[str, Class], settings: Scrape, known: Collection[str] = ()
) -> Iterator[Picture]:
    """Pictures of every class, coloured ones first, the sets taking turns."""
    sets, found = search(packages.from_npm(REQUIREMENT, INTEGRITY), classes)
    wanted = {name: c.per_class + RESERVE for name, c in classes.items()}
    chosen = {name: best_first(icons, sets)[: wanted[name]] for name, icons in found.items()}
    with drawers(sum(map(len, chosen.values()))) as pool:
        crawler = crawl.Crawler(
            Classes,
            Results,
            Drawings,
            downloader_threads=8,  # they wait for the pool, which does the work
            extra_downloader_args={"pool": pool, "size": settings.size},
        )
        for class_name, icon, data in crawler.crawl(chosen=chosen):
            yield picture(class_name, icon, data, sets[icon.set_name])


# ---- the search -------------------------------------------------------------------------------


def search(
    archive: Path, classes: Mapping[str, Class]
) -> tuple[dict[str, dict], dict[str, list[Icon]]]:
    """What collections.json says of every set, and for every class the icons its words find."""
    found: dict[str, list[Icon]] = {name: [] for name in classes}
    patterns = {name: Pattern(wanted) for name, wanted in classes.items()}
    sets = {}
    for member, content in members(archive):
        if member == "collections.json":
            sets = content
            continue
        for name, pattern in patterns.items():
            found[name] += matches(content, pattern)
    if not sets:
        raise StudyError(f"{REQUIREMENT} lacks its collections.json: pin another version")
    return sets, {name: [i for i in icons if permitted(i, sets)] for name, icons in found.items()}


def members(archive: Path) -> Iterator[tuple[str, dict]]:
    """The JSON files of the package, one after another: all of them are half a gigabyte."""
    try:
        with tarfile.open(archive, "r|gz") as packed:
            for member in packed:
                name = member.name.removeprefix("package/").removeprefix("json/")
                if not member.isfile() or not re.fullmatch(r"[a-z0-9-]+\.json", name):
                    continue
                if member.size > MAX_MEMBER:
                    raise StudyError(f"{REQUIREMENT}: {name} has {member.size} bytes, too many")
                content = json.load(packed.extractfile(member))
                if name == "collections.json" or "icons" in content:
                    yield name, content
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise StudyError(f"{archive} is not the package {REQUIREMENT} ({error})") from None


class Pattern:
    """The words of a class as one question to a name."""

    def __init__(self, wanted: Class) -> None:
        words = [(i, word, re.compile(expression(word))) for i, word in enumerate(wanted.search)]
        # Patterns that name sets come first: only what they find may be of a brand.
        self.words = sorted(words, key=lambda entry: ":" not in entry[1])
        self.any = re.compile("|".join(map(expression, wanted.search)))
        self.none = re.compile("|".join(map(expression, wanted.exclude)) or "(?!)")

    def query(self, key: str) -> tuple[int, str] | None:
        """The first search word that `set:name` holds, unless it holds an excluded one."""
        if not self.any.search(key) or self.none.search(key):
            return None
        return next((i, word) for i, word, found in self.words if found.search(key))


def expression(word: str) -> str:
    """A search word as a regular expression on `set:name`: its plural too, or a glob as it is."""
    if ":" in word:
        return f"^(?:{translate(word)})"
    word = re.sub(r"[^a-z0-9]+", "-", word.lower())
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}e?s"
    return f":(?:.*-)?(?:{word}|{plural})(?:-|$)"


def matches(icon_set: dict, pattern: Pattern) -> Iterator[Icon]:
    prefix = icon_set["prefix"]
    for name in [*icon_set["icons"], *icon_set.get("aliases", {})]:
        if query := pattern.query(f"{prefix}:{name}"):
            rank, word = query
            if svg := icon_svg(icon_set, name):
                yield Icon(prefix, name, word, rank, svg)


def permitted(icon: Icon, sets: Mapping[str, dict]) -> bool:
    """Brands only where the search names a set; never what the catalogue does not list."""
    about = sets.get(icon.set_name)
    if about is None:
        return False
    return ":" in icon.query or about.get("category") not in BRANDS


def best_first(icons: Iterable[Icon], sets: Mapping[str, dict]) -> list[Icon]:
    """Coloured sets, then the others; each set gives its best, then each its second, …

    Best is: found by an early search word, few other words in the name. A drawing that stands
    under several names is taken once.
    """
    turns: Counter = Counter()
    seen: set = set()
    placed = []
    for icon in sorted(icons, key=lambda icon: (_colourless(icon, sets), *_own_order(icon))):
        motif = (icon.set_name, *(w for w in icon.name.split("-") if w not in STYLES))
        again = motif in seen
        colourless = _colourless(icon, sets)
        if icon.svg in seen or (colourless and turns[icon.set_name] >= PER_SET):
            continue
        seen |= {motif, icon.svg}
        turns[icon.set_name] += 1
        placed.append(((colourless, again, turns[icon.set_name], icon.set_name), icon))
    return [icon for _, icon in sorted(placed, key=lambda pair: pair[0])]


def _colourless(icon: Icon, sets: Mapping[str, dict]) -> bool:
    return not sets[icon.set_name].get("palette")


def _own_order(icon: Icon) -> tuple:
    return icon.rank, icon.name.count("-"), icon.name, icon.set_name


# ---- the crawl: a class is a query, an icon a result, a drawing a download ---------------------


class Classes(crawl.Feeder):
    def feed(self, chosen: dict[str, list[Icon]]) -> None:
        for page in chosen.items():
            self.output(page)


class Results(crawl.Parser):
    def parse(self, page: tuple[str, list[Icon]]) -> Iterator[tuple[str, Icon]]:
        class_name, icons = page
        for icon in icons:
            yield class_name, icon


class Drawings(crawl.Downloader):
    def __init__(self, *args: object, pool: Executor, size: int) -> None:
        super().__init__(*args)
        self.pool, self.size = pool, size

    def download(self, _: int, task: tuple[str, Icon]) -> tuple[str, Icon, bytes]:
        class_name, icon = task
        try:
            data = self.pool.submit(draw, icon.svg, self.size).result()
        except ValueError as error:
            name = f"{icon.set_name}:{icon.name}"
            raise StudyError(
                f"icon {name} cannot be drawn ({error}): "
                f'add "{name}" to classes.{class_name}.exclude'
            ) from None
        return class_name, icon, data


def picture(class_name: str, icon: Icon, data: bytes, about: dict) -> Picture:
    author, licence = about.get("author", {}), about.get("license", {})
    return Picture(
        class_name=class_name,
        name=f"{icon.set_name}_{icon.name}.png",
        data=data,
        source="iconify",
        query=icon.query,
        image_url=f"iconify:{icon.set_name}/{icon.name}",
        page_url=author.get("url", ""),
        title=about["name"],
        author=author.get("name", ""),
        licence=licence.get("spdx") or licence.get("title", ""),
        licence_url=licence.get("url", ""),
    )
