"""stages/training/activations.py: one pass of the frozen backbone, and what is kept of it."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor, wait
from types import SimpleNamespace

import filelock
import keras
import numpy as np
import pytest
from PIL import Image

from stages import params, weights
from stages.compute.engines import Local
from stages.training import activations, devices, drafts, frozen_pass
from stages.training.determinism import make_reproducible

make_reproducible(0)


def network(filters: int, kernel: int) -> tuple[keras.Model, keras.KerasTensor]:
    """Of 16 × 16 pixels: a convolution, where the tuned part begins, and the means of its maps."""
    image = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(filters, kernel, padding="same")(image)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps)), maps


@pytest.mark.parametrize(
    ("filters", "kernel", "kept"),
    [
        (1, 1, True),  # fewer bytes than pixels
        (64, 1, False),  # 32,000 bytes more to read, 49,000 multiplications to make again
        (64, 15, True),  # as many bytes, 11 million multiplications
    ],
)
def test_activations_are_kept_where_reading_them_takes_less_than_making_them(filters, kernel, kept):
    assert frozen_pass.worth_keeping(*network(filters, kernel)) == kept


def test_the_pixels_themselves_are_kept_where_all_is_tuned():
    backbone, _ = network(1, 1)
    assert not frozen_pass.worth_keeping(backbone, backbone.input)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("count", [1, frozen_pass.BATCH])
def test_activations_and_features_are_those_of_the_network(count, xla):
    backbone, cut = network(4, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
    found = frozen_pass.both_outputs(backbone, cut, xla)(pixels)
    maps = found[frozen_pass.ACTIVATIONS]
    expected = keras.Model(backbone.input, [cut, backbone.output]).predict_on_batch(
        pixels / np.float32(127.5) - 1
    )
    assert maps.dtype == np.float32
    assert np.allclose(maps, expected[0], atol=1e-5)
    assert np.allclose(found[frozen_pass.FEATURES], expected[1], atol=1e-5)


def test_where_all_is_tuned_the_activations_are_the_pixels():
    backbone, _ = network(4, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    found = frozen_pass.both_outputs(backbone, backbone.input, xla=False)(pixels)
    maps = found[frozen_pass.ACTIVATIONS]
    assert maps.dtype == np.uint8
    assert np.array_equal(maps, pixels)


@pytest.fixture
def frozen(study, project, monkeypatch):
    """Makes a FrozenBackbone of tiny_cnn, for three pictures; words replace its parameters."""
    monkeypatch.setenv("VITOON_CACHE", str(study / "cache"))
    (study / "stages").symlink_to(project / "stages")
    shutil.copy(project / "requirements.txt", study)
    weights.main("tiny_cnn")
    files = ["Cat/a.png", "Cat/b.png", "Dog/a.png"]
    for file, colour in zip(files, ("red", "green", "blue"), strict=True):
        (study / "data/rgb" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), colour).save(study / "data/rgb" / file)

    def make(blocks=1, **augment) -> activations.FrozenBackbone:
        loaded = params.load("augment", "rgb.background")
        loaded.augment = loaded.augment.model_copy(update={"views": 2} | augment)
        loaded.finetune = SimpleNamespace(blocks=blocks)
        return activations.FrozenBackbone("tiny_cnn", files, loaded, devices.choose("cpu", "cnn"))

    return make


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_pass_that_gives_the_features_leaves_the_activations(frozen, study, monkeypatch):
    frozen().write_features(study / "features", Local())
    features = np.load(study / "features/views.npy")
    monkeypatch.setattr(activations, "Draft", None)  # it would fail if it were called
    kept = frozen().activations()
    assert np.load(kept / "clean.npy").shape[:2] == (3, 1)
    assert np.load(kept / "views.npy").shape[:2] == features.shape[:2] == (3, 2)
    kinds = [np.load(kept / f"{name}.npy").dtype for name in ("clean", "views")]
    assert kinds == [np.float32, np.float16]  # predictions are made of the one, the other trains


def test_activations_that_are_gone_are_made_again_to_the_same_bytes(frozen, study):
    frozen().write_features(study / "features", Local())
    kept = frozen().activations()
    before, features = content(kept), content(study / "features")
    shutil.rmtree(kept)
    assert content(frozen().activations()) == before
    frozen().write_features(study / "again", Local())  # with the activations there
    assert content(study / "again") == features


def test_what_decides_the_activations_decides_where_they_lie(frozen, study):
    kept = frozen().activations()
    assert frozen().activations() == kept
    others = [frozen(blocks=2), frozen(rotation=3.0)]
    places = {kept, *(other.activations() for other in others)}
    Image.new("RGB", (40, 30), "white").save(study / "data/rgb/Dog/a.png")
    places.add(frozen().activations())
    assert len(places) == 4


def test_after_a_kill_no_half_of_them_is_taken_for_a_whole(frozen, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(drafts, "new_array", killed)  # a kill at this moment cannot be timed
        with pytest.raises(KeyboardInterrupt):
            frozen().activations()
    assert sorted(content(frozen().activations())) == ["clean.npy", "views.npy"]


def test_who_needs_activations_that_another_process_is_making_waits_for_them(frozen):
    kept = frozen().activations()
    with ThreadPoolExecutor(1) as pool:
        with filelock.FileLock(kept.with_suffix(".lock")):  # the other process
            mine = pool.submit(frozen().activations)
            assert wait([mine], timeout=0.5).not_done
        assert mine.result(timeout=60) == kept


def test_activations_that_nobody_has_used_for_weeks_are_removed(frozen):
    old, used = frozen(rotation=1.0).activations(), frozen(rotation=2.0).activations()
    long_ago = time.time() - activations.UNUSED - 60
    for place in (old, used):
        os.utime(place, (long_ago, long_ago))
    os.utime(used)
    frozen().activations()
    assert not old.exists()
    assert used.exists()


def test_what_is_built_after_activations_are_made_again_has_the_names_it_has_without(frozen):
    frozen().activations()
    keras.utils.clear_session()
    found = frozen().activations()
    plain = keras.layers.Dense(1).name
    shutil.rmtree(found)
    keras.utils.clear_session()
    frozen().activations()
    assert keras.layers.Dense(1).name == plain
