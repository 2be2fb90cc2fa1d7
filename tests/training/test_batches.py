import numpy as np
import pytest

from stages.params import Finetune
from stages.pictures.datasets import Listing
from stages.training import batches as engine
from stages.training.batches import Batches, Validation, one_hot
from tests.training.small_training import PLAIN


def numbered_views(pictures: int, views: int) -> np.ndarray:
    """(pictures, views, 2): each view says which picture and which view it is."""
    return np.stack(np.meshgrid(range(pictures), range(views), indexing="ij"), axis=-1)


def shown(batches: Batches, epoch: int = 1) -> np.ndarray:
    return np.concatenate([inputs.reshape(-1, 2) for inputs, _ in batches.epoch(epoch)])


def numbered(pictures: int, views: int, seed: int = 0, **settings) -> Batches:
    targets, rows = np.eye(pictures, dtype=np.float32), np.arange(pictures)
    own = PLAIN.model_copy(update=settings)
    return Batches(numbered_views(pictures, views), targets, rows, own, seed)


def test_an_epoch_shows_every_picture_once_the_last_partial_batch_included():
    assert sorted(shown(numbered(10, 3))[:, 0]) == list(range(10))


def test_each_epoch_shows_a_picture_by_its_next_view():
    batches = numbered(5, 3)
    seen = {picture: [] for picture in range(5)}
    for epoch in (1, 2, 3):
        for picture, view in shown(batches, epoch):
            seen[int(picture)].append(int(view))
    assert all(sorted(views) == [0, 1, 2] for views in seen.values())


def test_a_picture_comes_with_its_own_target():
    for inputs, targets in numbered(10, 3).epoch(1):
        assert np.array_equal(targets.argmax(axis=-1), inputs[..., 0])


def test_an_epoch_depends_on_seed_and_number_and_not_on_what_was_drawn():
    one, other = (numbered(9, 2, seed=3, mixup=0.4) for _ in range(2))
    shown(one, 3)
    assert np.array_equal(shown(one, 2), shown(other, 2))
    assert not np.array_equal(shown(one, 2), shown(one, 1))


@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])  # bytes; a batch has 32
@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_the_size_of_piles_changes_no_batch(monkeypatch, chunk, mixup):
    expected = [batch for pair in numbered(10, 3, mixup=mixup).epoch(2) for batch in singly(pair)]
    monkeypatch.setattr(engine, "CHUNK", chunk)
    given = [batch for pair in numbered(10, 3, mixup=mixup).epoch(2) for batch in singly(pair)]
    assert len(given) == 3
    for pair, other in zip(given, expected, strict=True):
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(pair, other, strict=True))


def singly(chunk: tuple[np.ndarray, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(*chunk, strict=True))


def test_epochs_go_on_where_they_are_told_to():
    batches = numbered(10, 3)
    later = [inputs for inputs, _ in batches.epochs(first=5)]
    expected = [inputs for epoch in (5, 6) for inputs, _ in batches.epoch(epoch)]
    assert all(np.array_equal(one, other) for one, other in zip(later, expected, strict=True))


def test_validation_shows_its_rows_in_order_and_nothing_else():
    inputs = numbered_views(10, 1)
    rows = np.array([1, 4, 5, 7, 9])
    validation = Validation(inputs, np.eye(10, dtype=np.float32), rows, batch_size=2)
    chunks = list(validation.chunks())
    assert np.concatenate([x.reshape(-1, 2) for x, _ in chunks])[:, 0].tolist() == rows.tolist()
    assert (
        np.concatenate([y.reshape(-1, 10) for _, y in chunks]).argmax(1).tolist() == rows.tolist()
    )
    assert len(validation) == 5


def test_stored_arrays_meet_the_listing_they_were_made_for(tmp_path):
    splits, folds = np.array(["train", "validation", "train", "test"]), np.array([2, 1, 3, 0])
    labels = np.array([0, 1, 1, 0])
    listing = Listing(["a", "b", "c", "d"], ["g"] * 4, splits, folds, ["One", "Two"], labels)
    np.save(tmp_path / "views.npy", numbered_views(4, 3).astype(np.float16))
    np.save(tmp_path / "clean.npy", numbered_views(4, 1).astype(np.float16))
    batches, validation = engine.stored(tmp_path, listing, PLAIN, seed=0)
    ((inputs, targets),) = batches.epoch(1)
    assert sorted(inputs[..., 0].ravel().tolist()) == [0, 2]  # the training pictures' views
    assert targets.argmax(-1).tolist() == (inputs[..., 0] / 2).tolist()  # the later is of class Two
    ((inputs, targets),) = validation.chunks()
    assert inputs[..., 0].tolist() == [[1.0]]
    assert targets.tolist() == [[[0.0, 1.0]]]


def tokens(share: float) -> list[np.ndarray]:
    """The batches of an epoch, each (n, tokens, 1), of six pictures whose tokens have numbers."""
    inputs = np.broadcast_to(np.arange(9)[:, None], (6, 2, 9, 1))
    settings = Finetune(
        **PLAIN.model_dump() | {"batch_size": 2, "label_smoothing": 0.1},
        blocks=1,
        layer_decay=1,
        keep_patches=share,
        average=False,
    )
    batches = Batches(inputs, np.eye(6, dtype=np.float32), np.arange(6), settings, seed=0)
    return [batch for chunk, _ in batches.epoch(1) for batch in chunk]


def test_of_patches_a_batch_has_a_share_and_its_class_token():
    seen = tokens(0.5)
    assert {batch.shape for batch in seen} == {(2, 5, 1)}
    assert all(np.array_equal(one, other) for one, other in seen)
    assert all(batch[0, 0] == 0 for batch in seen)
    drawn = [tuple(batch[0, :, 0]) for batch in seen]
    assert len(set(drawn)) > 1
    assert all(list(one) == sorted(set(one)) for one in drawn)
    assert np.array_equal(tokens(0.5), seen)
    assert np.array_equal(tokens(1), np.broadcast_to(np.arange(9)[:, None], (3, 2, 9, 1)))


def test_smoothing_spreads_its_share_over_all_classes():
    assert engine.smoothed(np.eye(4, dtype=np.float32)[:1], 0.2).tolist() == [
        pytest.approx([0.85, 0.05, 0.05, 0.05])
    ]


def test_mixing_blends_examples_and_targets_by_the_same_share():
    batch = np.array([[0.0], [1.0], [2.0]], np.float32)
    values, targets = engine.mixed(batch, one_hot(np.arange(3), 3), 0.4, np.random.default_rng(5))
    assert np.allclose(values[:, 0], targets @ np.arange(3))
    assert not np.allclose(values, batch)
