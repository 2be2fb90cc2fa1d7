"""Heads trained one after another, on stored features that are drawn."""

from pathlib import Path

import numpy as np
import pytest

from stages.errors import InterruptedStageError
from stages.training import devices, heads, loop
from stages.training.batches import Batches, Validation, one_hot
from stages.training.determinism import make_reproducible
from stages.training.heads import Heads
from tests.training.small_training import EVERYTHING, PLAIN

make_reproducible(0)

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
FEATURES = RNG.normal(LABELS[:, None, None], 1.0, (60, 2, 5)).astype(np.float32)
STEADY = PLAIN.model_copy(update={"class_weights": "none", "epochs": 3})


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def inputs(fold: int, settings=STEADY) -> tuple[Batches, Validation]:
    """Of three folds one validates, the others train; the last one is smaller."""
    fold_of = np.minimum(np.arange(60) // 22, 2)
    targets = one_hot(LABELS, 3)
    batches = Batches(FEATURES, targets, np.flatnonzero(fold_of != fold), settings, seed=0)
    clean = FEATURES[:, :1]
    return batches, Validation(clean, targets, np.flatnonzero(fold_of == fold), 4)


def trained(engine: Heads, fold: int, settings=STEADY) -> tuple[dict, np.ndarray, list]:
    with engine.trained(f"fold-{fold}", inputs(fold, settings)) as one:
        return one.chosen, one.logits, [variable.numpy() for variable in one.head.variables]


def same(one: tuple, other: tuple) -> bool:
    arrays = zip([one[1], *one[2]], [other[1], *other[2]], strict=True)
    return one[0] == other[0] and all(np.array_equal(*pair) for pair in arrays)


@pytest.mark.parametrize("settings", [STEADY, EVERYTHING], ids=["plain", "everything"])
def test_a_head_after_others_is_to_the_bit_what_it_is_alone(settings):
    device = devices.choose("cpu")
    one_by_one = Heads(device)
    found = [trained(one_by_one, fold, settings) for fold in range(3)]
    alone = [trained(Heads(device), fold, settings) for fold in range(3)]
    assert all(map(same, found, alone))
    assert not same(found[0], found[1])


def test_what_is_traced_for_one_head_serves_the_others(monkeypatch):
    made = []
    real = heads.Trainer
    monkeypatch.setattr(heads, "Trainer", lambda *about: made.append(real(*about)) or made[-1])
    engine = Heads(devices.choose("cpu"))
    for fold in range(3):
        trained(engine, fold)
    (trainer,) = made
    assert trainer.train.experimental_get_tracing_count() == 1


def test_other_classes_weights_or_rates_by_step_are_traced_anew():
    batches, _ = inputs(0)
    whole = Batches(FEATURES, one_hot(LABELS, 3), np.arange(60), STEADY, seed=0)
    changed = [{"class_weights": "balanced"}, {"schedule": "cosine"}, {"learning_rate": 0.1}]
    trainer = heads.Trainer(heads.models.head(5, 3), batches, devices.choose("cpu"))
    assert trainer.serves(whole)
    assert not trainer.serves(inputs(0, STEADY.model_copy(update=changed[0]))[0])
    for update in changed:
        settings = STEADY.model_copy(update=update)
        one = Batches(FEATURES, one_hot(LABELS, 3), np.arange(30), settings, seed=0)
        assert not trainer.serves(one)


def test_the_head_of_a_loaded_model_says_what_the_trained_one_said():
    with Heads(devices.choose("cpu")).trained("fold-0", inputs(0)) as one:
        other = heads.models.head(5, 3)
        loop.assign(other.variables, loop.values(one.head.variables))
        other.get_layer("standardise").finalize_state()
        np.testing.assert_allclose(other(FEATURES[:, 0]), one.logits, atol=1e-6)
        np.testing.assert_allclose(one.head(FEATURES[:, 0]), one.logits, atol=1e-6)


def test_a_killed_head_of_a_later_fold_goes_on_to_the_same_bits(monkeypatch, capsys):
    device = devices.choose("cpu")
    whole = trained(Heads(device), 1, EVERYTHING)
    engine = Heads(device)
    trained(engine, 0, EVERYTHING)
    real = loop.one_epoch
    with monkeypatch.context() as patch:
        stop = iter([False] * 4 + [True])

        def interrupted(*about):
            if next(stop):
                raise KeyboardInterrupt
            return real(*about)

        patch.setattr(loop, "one_epoch", interrupted)
        with pytest.raises(InterruptedStageError, match="goes on after epoch 4"):
            trained(engine, 1, EVERYTHING)
    after = Heads(device)
    trained(after, 0, EVERYTHING)
    assert same(trained(after, 1, EVERYTHING), whole)
    assert "goes on after epoch 4" in capsys.readouterr().out
    assert [path.suffix for path in sorted(Path(".checkpoints").iterdir())] == [".lock"] * 2
