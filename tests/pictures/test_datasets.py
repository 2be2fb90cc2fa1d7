import numpy as np
import pytest
from PIL import Image

from stages.params import Augment
from stages.pictures import datasets
from stages.runtime.randomness import generator

STILL = Augment(views=1, mirror=False, rotation=0.0, shift=0.0, zoom=0.0, brightness=0.0)
LIVELY = Augment(views=4, mirror=True, rotation=20.0, shift=0.1, zoom=0.2, brightness=0.3)


@pytest.fixture
def picture() -> np.ndarray:
    """Red on the left, blue on the right, a green bar on top."""
    pixels = np.full((32, 32, 3), (255, 0, 0), np.uint8)
    pixels[:, 16:] = (0, 0, 255)
    pixels[:6] = (0, 255, 0)
    return pixels


def vary(picture: np.ndarray, draws: dict, **limits) -> np.ndarray:
    """A view with given draws in [-1, 1] instead of random ones."""

    class Fixed:
        def uniform(self, low, high, count):
            names = ("turn", "zoom", "right", "down", "light")
            return np.array([draws.get(name, 0.0) for name in names])

        def random(self):
            return 0.0

    return datasets.varied(picture, STILL.model_copy(update=limits), "#ffffff", Fixed())


def test_a_view_without_variation_is_the_picture_itself(picture):
    assert np.array_equal(vary(picture, {}), picture)


def test_a_mirrored_view_is_the_picture_from_right_to_left(picture):
    assert np.array_equal(vary(picture, {}, mirror=True), picture[:, ::-1])


def test_a_shifted_view_moves_right_and_leaves_background_behind(picture):
    view = vary(picture, {"right": 1.0}, shift=0.25)
    assert np.array_equal(view[:, 8:], picture[:, :-8])
    assert np.all(view[:, :7] == 255)


def test_a_quarter_turn_brings_the_top_bar_to_a_side(picture):
    view = vary(picture, {"turn": 1.0}, rotation=90.0)
    inside = slice(1, -1)  # at the very edge, rounding may let background in
    difference = view.astype(int) - np.rot90(picture, k=3)
    assert np.abs(difference[inside, inside]).max() <= 1


def test_zooming_in_enlarges_what_is_in_the_middle(picture):
    view = vary(picture, {"zoom": 1.0}, zoom=0.5)
    assert not np.any(np.all(view[1:] == (0, 255, 0), axis=-1)[2:])  # the bar left the view
    assert tuple(view[16, 4]) == (255, 0, 0)


def test_a_darker_view_keeps_its_colours_in_proportion(picture):
    assert tuple(vary(picture, {"light": -1.0}, brightness=0.5)[20, 3]) == (127, 0, 0)


def test_views_belong_to_the_file_and_not_to_its_place_in_the_list(picture):
    pixels = np.stack([picture, picture[::-1]])
    both = datasets.views(pixels, ["a.png", "b.png"], LIVELY, "#ffffff")
    alone = datasets.views(pixels[1:], ["b.png"], LIVELY, "#ffffff")
    assert np.array_equal(both[1], alone[0])
    assert both.shape == (2, 4, 32, 32, 3)
    assert len({view.tobytes() for view in both[0]}) == 4


def test_an_address_always_gives_the_same_numbers():
    assert generator(7, "Bird/a.png", 3).random() == generator(7, "Bird/a.png", 3).random()
    assert generator(7, "Bird/a.png", 3).random() != generator(7, "Bird/a.png", 4).random()


def test_scaled_pixels_lie_in_minus_one_to_one():
    assert np.array(datasets.scaled(np.array([0, 255], np.uint8))).tolist() == [-1.0, 1.0]


def test_pixels_are_read_in_the_order_of_the_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/rgb").mkdir(parents=True)
    for name, colour in (("a.png", (255, 0, 0)), ("b.png", (0, 0, 255))):
        Image.new("RGB", (20, 10), colour).save(tmp_path / "data/rgb" / name)
    pixels = datasets.read_pixels(["b.png", "a.png"], 20, "#00ff00")
    assert tuple(pixels[0, 10, 10]) == (0, 0, 255)
    assert tuple(pixels[1, 10, 10]) == (255, 0, 0)
    assert tuple(pixels[0, 0, 0]) == (0, 255, 0)  # padded, not stretched


def test_the_listing_knows_classes_by_name_and_rows_by_split(tmp_path):
    table = tmp_path / "split.csv"
    table.write_text(
        "file,class,group,split,fold\na,Dog,0,train,2\nb,Cat,1,test,0\nc,Dog,2,train,3\n"
    )
    listing = datasets.read_listing(table)
    assert listing.classes == ["Cat", "Dog"]
    assert listing.labels.tolist() == [1, 0, 1]
    assert listing.rows("train").tolist() == [0, 2]
    assert listing.fold_count == 4


def test_each_fold_is_tested_once_by_a_split_of_its_own():
    folds = np.array([2, 0, 3, 1, 2])
    names = {0: "test", 1: "validation"}
    splits = np.array([names.get(fold, "train") for fold in folds.tolist()])
    labels = np.zeros(5, int)
    listing = datasets.Listing(["a"] * 5, ["0"] * 5, splits, folds, ["Cat"], labels)
    assert listing.testing(0).splits.tolist() == splits.tolist()  # fold 0 has the study's own
    parts = [listing.testing(fold) for fold in range(4)]
    assert [part.rows("test").tolist() for part in parts] == [[1], [3], [0, 4], [2]]
    assert [part.rows("validation").tolist() for part in parts] == [[3], [0, 4], [2], [1]]
    assert all(len(part.rows("train")) + len(part.rows("test")) < 5 for part in parts)


def test_the_pictures_that_to_rgb_kept_are_those_of_the_split(study):
    rows = ["file,class,status", "b.png,Cat,kept", ",Cat,rejected", "a.png,Dog,kept"]
    (study / "data/rgb").mkdir(parents=True)
    (study / "data/rgb/manifest.csv").write_text("\n".join(rows) + "\n")
    assert datasets.kept_files() == ["a.png", "b.png"]


def test_a_view_moves_down_too(picture):
    view = vary(picture, {"down": 1.0}, shift=0.25)
    assert np.array_equal(view[8:], picture[:-8])
    assert np.all(view[:7] == 255)


def test_limits_are_shares_of_the_size_degrees_and_factors(picture):
    half = vary(picture, {"right": 0.5, "down": -0.5}, shift=0.25)
    assert np.array_equal(half[:-4, 4:], picture[4:, :-4])
    out = vary(picture, {"zoom": -1.0}, zoom=0.5)  # half as large, in the middle
    assert np.all(out[:7] == 255)
    assert tuple(out[10, 9]) == (0, 255, 0)
    assert tuple(out[20, 10]) == (255, 0, 0)
    assert tuple(vary(picture, {"light": 1.0}, brightness=0.5)[20, 3]) == (255, 0, 0)
    assert tuple(vary(picture // 2, {"light": 1.0}, brightness=0.5)[20, 3]) == (190, 0, 0)


def test_a_positive_turn_is_clockwise_and_the_other_is_not(picture):
    clockwise = vary(picture, {"turn": 1.0}, rotation=90.0)
    other = vary(picture, {"turn": -1.0}, rotation=90.0)
    assert tuple(clockwise[16, 29]) == (0, 255, 0)
    assert tuple(other[16, 2]) == (0, 255, 0)


def test_a_mirrored_view_turns_and_moves_as_another_does(picture):
    """Mirrored first, then turned and moved: in the picture's frame, not in the mirror's."""
    options = {"rotation": 90.0, "shift": 0.25}
    draws = {"turn": 1.0, "right": 1.0}
    mirrored = vary(picture, draws, mirror=True, **options)
    expected = vary(np.ascontiguousarray(picture[:, ::-1]), draws, **options)
    assert np.abs(mirrored.astype(int) - expected)[1:-1, 9:-1].max() <= 1


def test_half_of_all_views_are_mirrored_and_the_draws_fill_their_range(picture):
    wide = STILL.model_copy(update={"mirror": True, "views": 200})
    made = datasets.views(picture[None], ["a"], wide, "#ffffff")[0]
    mirrored = sum(np.array_equal(view, picture[:, ::-1]) for view in made)
    assert 70 < mirrored < 130
    assert mirrored + sum(np.array_equal(view, picture) for view in made) == 200
    bright = STILL.model_copy(update={"brightness": 1.0, "views": 200})
    made = datasets.views(picture[None] // 2, ["a"], bright, "#ffffff")[0]
    levels = made[:, 20, 3, 0]
    assert levels.min() < 20
    assert levels.max() > 235
    assert 110 < levels.mean() < 144


def test_pixels_come_in_pieces_that_together_are_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/rgb").mkdir(parents=True)
    files = [f"{number}.png" for number in range(7)]
    for number, file in enumerate(files):
        Image.new("RGB", (8, 8), (30 * number, 0, 0)).save(tmp_path / "data/rgb" / file)
    pieces = list(datasets.pixels_in_pieces(files, 8, "#ffffff", 3))
    assert [len(piece) for piece in pieces] == [3, 3, 1]
    assert np.array_equal(np.concatenate(pieces), datasets.read_pixels(files, 8, "#ffffff"))
    assert np.concatenate(pieces)[:, 0, 0, 0].tolist() == [30 * number for number in range(7)]
