"""Near duplicates among many pictures, found in blocks."""

import time
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from stages.pictures import near_duplicates


def found(hashed: np.ndarray, most: int) -> list[tuple[int, int]]:
    parts = [np.stack(part, 1).tolist() for part in near_duplicates.pairs(hashed, most)]
    return sorted(tuple(pair) for part in parts for pair in part)


def copies(count: int, share: float) -> np.ndarray:
    """Random hashes, a share of them others' with two bits off, some mirrored."""
    rng = np.random.default_rng(count)
    hashed = rng.integers(0, 2**64, (count, 2), np.uint64)
    for i in range(1, count):
        if rng.random() < share:
            hashed[i] = hashed[rng.integers(i)][:: rng.choice([-1, 1])] ^ np.uint64(5)
    return hashed


@pytest.mark.parametrize(("cells", "most"), [(1, 1), (7, 3), (100, 40), (10**6, 10**6)])
def test_blocks_of_any_size_give_the_pairs_that_all_comparisons_give(monkeypatch, cells, most):
    monkeypatch.setattr(near_duplicates, "CELLS", cells)
    monkeypatch.setattr(near_duplicates, "PAIRS", most)
    hashed = copies(60, 0.6)
    numbers = [[int(side) for side in row] for row in hashed]
    every = [
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if min((numbers[i][0] ^ side).bit_count() for side in numbers[j]) <= 4
        or (numbers[i][1] ^ numbers[j][0]).bit_count() <= 4
    ]
    assert len(every) > 60
    assert found(hashed, 4) == every


@pytest.mark.parametrize("count", [0, 1])
def test_no_pair_among_none_or_one(count):
    assert found(copies(count, 0), 64) == []


def test_a_mirrored_picture_has_the_hashes_the_other_way_round():
    picture = Image.radial_gradient("L").rotate(30).crop((40, 90, 200, 180))
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert near_duplicates.hashes(mirrored) == near_duplicates.hashes(picture)[::-1]
    assert len(set(near_duplicates.hashes(picture))) == 2


def test_ten_thousand_pictures_are_compared_in_seconds_of_the_processor():
    start = time.process_time()
    assert len(found(copies(10_000, 0.2), 6)) >= 1500
    assert time.process_time() - start < 10


def test_found_pairs_are_handed_on_some_at_a_time(monkeypatch):
    monkeypatch.setattr(near_duplicates, "CELLS", 60)
    monkeypatch.setattr(near_duplicates, "PAIRS", 100)
    parts = [len(first) for first, _ in near_duplicates.pairs(np.zeros((40, 2), np.uint64), 0)]
    assert sum(parts) == 40 * 39 / 2
    assert all(100 < part <= 160 for part in parts[:-1])
    assert len(parts) > 4


def test_memory_does_not_grow_with_all_that_is_compared():
    hashed = copies(3000, 0)  # 9 million pairs, 8 bytes each
    tracemalloc.start()
    try:
        assert found(hashed, 0) == []
        assert tracemalloc.get_traced_memory()[1] < 12e6
    finally:
        tracemalloc.stop()


def test_as_many_bits_as_allowed_may_differ():
    hashed = np.array([[0, 2**64 - 1], [0b111, 2**64 - 1]], np.uint64)
    assert found(hashed, 3) == [(0, 1)]
    assert found(hashed, 2) == []
