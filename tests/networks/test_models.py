import keras
import numpy as np
import pytest

from stages.errors import ParameterError
from stages.networks import models
from stages.networks.weight_files import save_weights
from stages.training.determinism import make_reproducible
from stages.zoo import tiny_cnn, tiny_vit

CARD = {"network": "tiny_cnn", "image_size": 32, "background": "#ffffff", "classes": ["a", "b"]}
LOGITS = np.eye(2, dtype=np.float32)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (5, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def backbone():
    make_reproducible(0)
    return tiny_cnn.backbone(32)


def head_for(features: np.ndarray):
    head = models.head(features.shape[1], 2)
    models.standardise(head, features[:, None], np.arange(len(features)))
    return head


def test_features_are_standardised_as_keras_does_it_whatever_the_pieces(monkeypatch):
    features = np.random.default_rng(0).normal(5.0, 3.0, (50, 4, 7)).astype(np.float32)
    padded = np.pad(features, [(1, 1), (0, 0), (0, 0)], constant_values=100)  # not of these rows
    theirs = models.head(7, 2)
    theirs.get_layer("standardise").adapt(features.reshape(-1, 7))
    for piece in (1 << 24, 500):
        monkeypatch.setattr(models, "PIECE", piece)
        head = models.head(7, 2)
        models.standardise(head, padded, np.arange(1, 51))
        for one, other in zip(head.weights, theirs.weights, strict=True):
            assert np.allclose(one, other, rtol=1e-5)
        shown = head.get_layer("standardise")(features[:3, 0])
        assert np.allclose(shown, theirs.get_layer("standardise")(features[:3, 0]), atol=1e-5)


def test_a_trained_model_says_the_same_when_loaded_from_its_folder(tmp_path, backbone, pixels):
    features = backbone.predict_on_batch(pixels)
    head = head_for(features)
    models.save_trained(tmp_path, backbone, head, trained=10, card=CARD, logits=LOGITS)
    loaded, card = models.load_trained(tmp_path)
    assert np.allclose(loaded.predict_on_batch(pixels), head.predict_on_batch(features), atol=1e-5)
    assert card["classes"] == ["a", "b"]


def test_an_untrained_backbone_is_kept_as_the_very_same_bytes(tmp_path, backbone, pixels):
    save_weights(backbone, tmp_path / "published")
    head = head_for(backbone.predict_on_batch(pixels))
    model = tmp_path / "model"
    models.save_trained(model, tmp_path / "published", head, trained=10, card=CARD, logits=LOGITS)
    kept = model / models.BACKBONE
    assert kept.read_bytes() == (tmp_path / "published").read_bytes()


def test_the_card_tells_sizes_with_and_without_the_optimiser(tmp_path, backbone, pixels):
    head = head_for(backbone.predict_on_batch(pixels))
    models.save_trained(tmp_path, backbone, head, trained=10, card=CARD, logits=LOGITS)
    _, card = models.load_trained(tmp_path)
    weights = sum((tmp_path / f).stat().st_size for f in (models.BACKBONE, models.HEAD))
    assert card["bytes"] == {"weights": weights, "with_optimizer": weights + 2 * 4 * 10}
    assert card["parameters"] == tiny_cnn.ENTRY.parameters + 32 * 2 + 2


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_upper_part_goes_on_where_the_views_were_cut(backbone, pixels, blocks):
    cut = models.cut_at("tiny_cnn", backbone, blocks)
    below = keras.Model(backbone.input, cut).predict_on_batch(pixels)
    features = models.upper(backbone, cut, pixels=False).predict_on_batch(below)
    assert np.allclose(features, backbone.predict_on_batch(pixels), atol=1e-5)


def test_the_upper_part_of_a_transformer_takes_any_number_of_tokens(pixels):
    make_reproducible(0)
    whole = tiny_vit.backbone(32)
    cut = models.cut_at("tiny_vit", whole, 1)
    below = keras.Model(whole.input, cut).predict_on_batch(pixels)
    upper = models.upper(whole, cut, pixels=False)
    assert np.allclose(upper.predict_on_batch(below), whole.predict_on_batch(pixels), atol=1e-5)
    fewer = upper.predict_on_batch(below[:, :3])
    assert fewer.shape == (len(pixels), tiny_vit.ENTRY.features)
    assert np.isfinite(fewer).all()
    assert {v.path for v in upper.variables} <= {v.path for v in whole.variables}


@pytest.mark.parametrize("blocks", [1, 2, "all"])
def test_the_upper_part_may_take_pixels_and_trains_no_other_blocks(pixels, blocks):
    own = tiny_cnn.backbone(32)
    cut = models.cut_at("tiny_cnn", own, blocks)
    tuned = {variable.path for variable in keras.Model(cut, own.output).trainable_variables}
    upper = models.upper(own, cut, pixels=True)
    features = upper.predict_on_batch((pixels + 1) * 127.5)
    assert np.allclose(features, own.predict_on_batch(pixels), atol=1e-5)
    assert {variable.path for variable in upper.trainable_variables} == tuned


def test_more_blocks_than_the_network_has_are_refused(backbone):
    with pytest.raises(ParameterError, match=r"blocks is 4 for Tiny CNN; allowed: .* 1 to 3"):
        models.cut_at("tiny_cnn", backbone, 4)
