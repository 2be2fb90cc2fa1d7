"""Train, validation and test: stratified by class, near duplicates always on one side.

Folds for cross-fitting go with them. Fold 0 is the test pictures and fold 1 those of validation;
the training pictures are cut into further ones of about that size.
"""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold

from stages.errors import StudyError
from stages.params import Split, load
from stages.pictures import near_duplicates, shards
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.tables import read_table, write_json, write_table

RGB = Path("data/rgb")
NAMES = ("train", "validation", "test")
COLUMNS = ("file", "class", "group", "split", "fold")
FOLDS = 20  # StratifiedGroupKFold balances badly with fewer, and takes longer with more
DEALS = 10_000
TRAINING_FOLDS = (3, 8)  # at least, at most: with fewer, a network learns from far fewer pictures
STYLE = re.compile(  # words of an icon's name that say how it is drawn, not what
    r"\d\d|alt|bold|broken|colou?r(ed)?|dark|duotone|fill(ed)?|flat|light|line(ar)?|outlined?|"
    r"regular|rounded|sharp|solid|thin|twotone"
)


def main() -> str:
    params = load("seed", "split")
    kept = [row for row in read_table(RGB / "manifest.csv") if row["status"] == "kept"]
    kept.sort(key=lambda row: row["file"])
    classes = np.array([row["class"] for row in kept])
    motifs = np.array([motif(row) for row in kept])
    hashes = perceptual_hashes([row["file"] for row in kept])
    groups, cross_class_pairs = near_duplicates.groups(
        hashes, classes, motifs, params.split.max_distance
    )
    require_groups(classes, groups)
    splits = assign(classes, groups, params.split, params.seed)
    folds = cross_fitting(classes, groups, splits, params.seed)
    facts = zip([row["file"] for row in kept], classes, groups, splits, folds, strict=True)
    rows = [dict(zip(COLUMNS, fact, strict=True)) for fact in facts]
    table = per_class(rows)
    require_every_class(table)
    write_table("data/split.csv", COLUMNS, rows)
    write_table("reports/split.csv", ("class", *NAMES, "groups"), table)
    counts = summary(rows, cross_class_pairs)
    write_json("reports/split.json", counts)
    return "{train:,} training, {validation:,} validation and {test:,} test pictures".format(
        **counts
    )


def motif(row: dict[str, str]) -> str:
    """The same text for one vendor's drawings of one thing in one class, else the file's own name.

    Hashes miss many of them: a set and its flat or older style differ in shades and outlines.
    """
    icon = re.fullmatch(r"iconify:([a-z0-9]+)[a-z0-9-]*/(.+)", row["image_url"])
    words = [word for word in icon[2].split("-") if not STYLE.fullmatch(word)] if icon else []
    return f"{row['class']}:{icon[1]}:{'-'.join(words)}" if words else row["file"]


def perceptual_hashes(files: list[str]) -> np.ndarray:
    """uint64 (n, 2): the 64-bit pHash of each picture and of its mirror image."""
    # Threads, as reading and scaling pictures happens outside of Python's lock.
    with ThreadPoolExecutor() as pool:
        hashed = pool.map(_hashed, files)
        rows = list(followed(hashed, "split", len(files), "picture"))
    return np.array(rows, np.uint64).reshape(-1, 2)


def assign(classes: np.ndarray, groups: np.ndarray, ratios: Split, seed: int) -> np.ndarray:
    """train, validation or test for each picture; no group is in two of them.

    The pictures are cut into equal folds of whole groups, each with the mix of classes of the
    whole as far as groups allow, and the folds are dealt out by the ratios: of many random deals
    the one that is fairest to each class. Promised is that a class with three groups of its own
    or more is in every split; how near its shares are to the ratios is up to the size of its
    groups and of folds, and reported.
    """
    names, numbers, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shares = _folds(ratios, most=min(max(sizes), len(set(groups.tolist()))))
    folds = _cut(numbers, groups, sum(shares), seed)
    in_fold = np.zeros((sum(shares), len(names)))
    np.add.at(in_fold, (folds, numbers), 1)
    splits = _fairest_deal(in_fold, shares, ratios, seed)[folds]
    _fill_gaps(splits, numbers, groups)
    return np.array(NAMES)[splits]


def cross_fitting(
    classes: np.ndarray, groups: np.ndarray, splits: np.ndarray, seed: int
) -> np.ndarray:
    """The fold of each picture, int64 (n,): 0 for test, 1 for validation, the others for training.

    No group is in two of them. The training pictures are cut into as many as they are times the
    test pictures, within TRAINING_FOLDS, and into no more than their largest class has pictures.
    """
    folds = np.select([splits == "test", splits == "validation"], [0, 1])
    rows = np.flatnonzero(splits == "train")
    least, most = TRAINING_FOLDS
    count = max(least, min(most, round(len(rows) / np.count_nonzero(splits == "test"))))
    _, numbers, sizes = np.unique(classes[rows], return_inverse=True, return_counts=True)
    count = min(count, max(sizes))
    if count > 1:
        cut = _cut(numbers, groups[rows], count, seed)
        folds[rows] = 2 + np.unique(cut, return_inverse=True)[1]  # groups may fill fewer
    else:
        folds[rows] = 2
    return folds


def per_class(rows: list[dict]) -> list[dict]:
    """A row for each class: its pictures in each split, and its groups."""
    counts = Counter((row["class"], row["split"]) for row in rows)
    groups = Counter(name for name, _ in {(row["class"], row["group"]) for row in rows})
    return [
        {"class": name, **{split: counts[name, split] for split in NAMES}, "groups": groups[name]}
        for name in sorted(groups)
    ]


def require_groups(classes: np.ndarray, groups: np.ndarray) -> None:
    """Raises StudyError for a class with fewer groups than there are splits."""
    found = Counter(name for name, _ in set(zip(classes.tolist(), groups.tolist(), strict=True)))
    if not found:
        raise StudyError(f"{RGB} holds no pictures: `dvc repro -f to_rgb` makes them anew")
    for name, count in sorted(found.items()):
        if count < len(NAMES):
            raise StudyError(
                f"class {name}: its {np.count_nonzero(classes == name)} pictures form {count} "
                f"groups of near duplicates; train, validation and test need 3. Add search words "
                f"in classes.{name} of params.yaml, or lower split.max_distance"
            )


def require_every_class(table: list[dict]) -> None:
    """Raises StudyError where a class has no picture in a split."""
    for row in table:
        for name in NAMES:
            if not row[name]:
                raise StudyError(
                    f"class {row['class']} has no picture in {name}, {row['train']} in train, and "
                    f"{row['groups']} groups of near duplicates in all. Add search words in "
                    f"classes.{row['class']} of params.yaml, or raise split.{name}"
                )


def summary(rows: list[dict], cross_class_pairs: int) -> dict:
    """The figures of the whole split."""
    groups = Counter(row["group"] for row in rows)
    splits = Counter(row["split"] for row in rows)
    return {
        "images": len(rows),
        "groups": len(groups),
        "largest_group": max(groups.values()),
        "cross_class_pairs": cross_class_pairs,
        **{name: splits[name] for name in NAMES},
    }


def _hashed(file: str) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(shards.read(RGB, file))) as picture:
            return near_duplicates.hashes(picture)
    except OSError as error:
        raise StudyError(
            f"{RGB / file} cannot be read ({error}): `dvc repro -f to_rgb` makes it anew"
        ) from None


def _folds(ratios: Split, most: int) -> tuple[int, int, int]:
    """How many folds each split gets: about FOLDS in all, at most `most`, fitting the ratios."""

    def shares(count: int) -> tuple[int, int, int]:
        validation, test = (max(1, round(r * count)) for r in (ratios.validation, ratios.test))
        return count - validation - test, validation, test

    def misfit(count: int) -> tuple[float, int]:
        wanted = (ratios.train, ratios.validation, ratios.test)
        errors = [abs(n / count - r) for n, r in zip(shares(count), wanted, strict=True)]
        return round(max(errors), 2) + (shares(count)[0] < 1), abs(count - FOLDS)

    return shares(min(range(3, max(3, min(most, 100)) + 1), key=misfit))


def _cut(numbers: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold of each picture, by its class's number and its group."""
    folds = np.zeros(len(numbers), int)
    cutter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class smaller than the number of folds is no trouble: folds are put together again.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, chosen) in enumerate(cutter.split(folds, numbers, groups)):
            folds[chosen] = fold
    return folds


def _fairest_deal(
    in_fold: np.ndarray, shares: tuple[int, int, int], ratios: Split, seed: int
) -> np.ndarray:
    """A split's number for each fold: no class missing in a split, then all near their ratios."""
    deck = np.repeat(np.arange(3), shares)
    deals = np.random.default_rng([seed, 0]).permuted(np.tile(deck, (DEALS, 1)), axis=1)
    unfair = np.zeros(DEALS)
    for split, ratio in enumerate((ratios.train, ratios.validation, ratios.test)):
        counts = (deals == split) @ in_fold  # deals x classes
        unfair += 1e6 * np.count_nonzero(counts == 0, axis=1)
        unfair += ((counts / in_fold.sum(0) / ratio - 1) ** 2).sum(1)
    return deals[np.argmin(unfair)]


def _fill_gaps(splits: np.ndarray, numbers: np.ndarray, groups: np.ndarray) -> None:
    """Move a class's smallest group to where it is missing, from where it has most groups.

    Small classes need it: no deal helps where each fold lacks one of them.
    """
    for number in range(max(numbers) + 1):
        for split in range(len(NAMES)):
            held = [np.unique(groups[(numbers == number) & (splits == s)]) for s in range(3)]
            if not len(held[split]):
                most = max(held, key=len)
                smallest = min(most, key=lambda group: np.count_nonzero(groups == group))
                splits[groups == smallest] = split


if __name__ == "__main__":
    run(main)
