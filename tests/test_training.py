import keras
import numpy as np
import pytest

from stages import training
from stages.determinism import make_reproducible
from stages.errors import StudyError
from stages.params import Training
from stages.training import Batches, one_hot, train

make_reproducible(0)  # while tests are collected: TensorFlow takes no settings once it has worked

PLAIN = Training(
    optimizer="adam",
    learning_rate=0.05,
    schedule="constant",
    warmup_epochs=0,
    weight_decay=0.0,
    clip_norm=0.0,
    label_smoothing=0.0,
    mixup=0.0,
    batch_size=4,
    epochs=6,
    patience=6,
)


def numbered_views(pictures: int, views: int) -> np.ndarray:
    """(pictures, views, 2): each view says which picture and which view it is."""
    return np.stack(np.meshgrid(range(pictures), range(views), indexing="ij"), axis=-1)


def shown(batches: Batches, epoch: int = 1) -> np.ndarray:
    return np.concatenate([inputs for inputs, _ in batches.epoch(epoch)])


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of points, and their classes."""
    rng = np.random.default_rng(1)
    labels = np.arange(40) % 2
    return rng.normal(labels[:, None] * 2.0, 1.0, (40, 3)).astype(np.float32), labels


def classifier() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def trained(folder, settings: Training) -> tuple[keras.Model, dict]:
    points, labels = blobs()
    targets = one_hot(labels, 2)
    model = classifier()
    batches = Batches(points[:30, None], targets[:30], settings, seed=0)
    return model, train(model, batches, (points[30:], targets[30:]), settings, folder)


def test_an_epoch_shows_every_picture_once_the_last_partial_batch_included():
    batches = Batches(numbered_views(10, 3), np.eye(10, dtype=np.float32), PLAIN, seed=0)
    assert sorted(shown(batches)[:, 0]) == list(range(10))


def test_each_epoch_shows_a_picture_by_its_next_view():
    batches = Batches(numbered_views(5, 3), np.eye(5, dtype=np.float32), PLAIN, seed=0)
    seen = {picture: [] for picture in range(5)}
    for epoch in (1, 2, 3):
        for picture, view in shown(batches, epoch):
            seen[int(picture)].append(int(view))
    assert all(sorted(views) == [0, 1, 2] for views in seen.values())


def test_an_epoch_depends_on_seed_and_number_and_not_on_what_was_drawn():
    settings = PLAIN.model_copy(update={"mixup": 0.4})
    one, other = (
        Batches(numbered_views(9, 2), np.eye(9, dtype=np.float32), settings, seed=3)
        for _ in range(2)
    )
    shown(one, 3)
    assert np.array_equal(shown(one, 2), shown(other, 2))
    assert not np.array_equal(shown(one, 2), shown(one, 1))


@pytest.mark.parametrize("stack", [1, 100, 1 << 20])
def test_tensorflow_gets_the_batches_of_every_epoch_in_their_order(monkeypatch, stack):
    monkeypatch.setattr(training, "STACK", stack)  # bytes; a batch has 32
    batches = Batches(numbered_views(10, 3), np.eye(10, dtype=np.float32), PLAIN, seed=0)
    expected = [batch for epoch in range(1, 1 + PLAIN.epochs) for batch in batches.epoch(epoch)]
    given = list(batches.dataset().as_numpy_iterator())
    assert len(given) == len(expected) == PLAIN.epochs * len(batches)
    for pair, other in zip(given, expected, strict=True):
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(pair, other, strict=True))


def test_smoothing_spreads_its_share_over_all_classes():
    assert training.smoothed(np.eye(4, dtype=np.float32)[:1], 0.2).tolist() == [
        pytest.approx([0.85, 0.05, 0.05, 0.05])
    ]


def test_mixing_blends_examples_and_targets_by_the_same_share():
    batch = np.array([[0.0], [1.0], [2.0]], np.float32)
    values, targets = training.mixed(batch, one_hot(np.arange(3), 3), 0.4, np.random.default_rng(5))
    assert np.allclose(values[:, 0], targets @ np.arange(3))
    assert not np.allclose(values, batch)


def test_the_rate_warms_up_to_its_peak_and_falls_to_zero():
    settings = PLAIN.model_copy(update={"schedule": "cosine", "warmup_epochs": 1})
    rate = training.schedule(settings, steps_per_epoch=10)
    assert float(rate(0)) == 0.0
    assert float(rate(10)) == pytest.approx(0.05)
    assert float(rate(60)) == pytest.approx(0.0, abs=1e-8)


def test_a_constant_rate_stays_after_its_warm_up():
    settings = PLAIN.model_copy(update={"warmup_epochs": 1})
    rate = training.schedule(settings, steps_per_epoch=10)
    assert float(rate(5)) == pytest.approx(0.025)
    assert float(rate(59)) == pytest.approx(0.05)


def test_training_leaves_the_weights_of_the_epoch_it_calls_best(tmp_path):
    points, labels = blobs()
    targets = one_hot(labels, 2)
    model = classifier()
    batches = Batches(points[:30, None], targets[:30], PLAIN, seed=0)
    contrary = points[30:], one_hot(1 - labels[30:], 2)  # each epoch is worse than the one before
    best = train(model, batches, contrary, PLAIN, tmp_path / "curve")
    loss, accuracy = model.evaluate(*contrary, verbose=0)
    assert best["epoch"] == 1
    assert loss == pytest.approx(best["validation_loss"], rel=1e-5)
    assert accuracy == pytest.approx(best["validation_accuracy"])


def test_two_trainings_give_the_same_weights(tmp_path):
    one, _ = trained(tmp_path / "one", PLAIN)
    other, _ = trained(tmp_path / "other", PLAIN)
    assert np.array_equal(one.get_weights()[0], other.get_weights()[0])


def test_an_interrupted_training_keeps_the_curve_of_the_epochs_it_had(tmp_path, monkeypatch):
    def interrupted(self, epoch: int, logs: dict) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Curve, "_print", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "curve", PLAIN)
    table = (tmp_path / "curve/plots/metrics/validation/accuracy.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in table] == ["step", "1", "2"]


def test_a_loss_that_is_no_number_ends_in_a_clear_error(tmp_path):
    points, labels = blobs()
    points[3] = np.nan
    batches = Batches(points[:, None], one_hot(labels, 2), PLAIN, seed=0)
    validation = points[:2], one_hot(labels[:2], 2)
    with pytest.raises(StudyError, match="lower the learning rate"):
        train(classifier(), batches, validation, PLAIN, tmp_path / "curve")


def test_the_curve_writes_nothing_outside_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "curve", PLAIN)
    assert [path.name for path in tmp_path.iterdir()] == ["curve"]
