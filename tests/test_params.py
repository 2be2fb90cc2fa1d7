"""stages/params: what is right is read as it stands, what is wrong is one line."""

import copy
import subprocess
import sys
import time

import pytest
import yaml
from dvc.utils.serialize import modify_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages import params
from stages.errors import ParameterError
from tests import made_params

ROOT = params.FILE.resolve().parent


def line_of(call, *arguments) -> str:
    with pytest.raises(ParameterError) as error:
        call(*arguments)
    line = str(error.value)
    assert line.startswith("params.yaml")
    assert line.isprintable(), "one line"
    assert len(line) < 600
    return line


def changed(content: dict, dotted: str, value: object) -> dict:
    *parents, last = dotted.split(".")
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


def read(study, text: str) -> object:
    (study / "params.yaml").write_text(text, encoding="utf-8")
    return params.file.read()


def test_the_projects_own_file_is_right():
    params.check(yaml.load((ROOT / "params.yaml").read_text(), params.file.Loader))


def test_what_is_read_is_what_is_asked_for(study):
    loaded = params.load("seed", "split", "finetune.blocks")
    assert loaded.seed == 0
    assert loaded.split.max_distance == 6
    assert vars(loaded.finetune) == {"blocks": "auto"}
    assert not hasattr(loaded, "rgb")


def test_parameters_cannot_be_changed(study):
    with pytest.raises(ValueError, match="frozen"):
        params.load("split").split.train = 0.5


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("seed", -1, "seed is -1; allowed: a whole number from 0, up to 4294967295"),
        ("seed", True, "seed is true; allowed: a whole number from 0, up to 4294967295"),
        ("seed", "3", "seed is '3'; allowed: a whole number from 0, up to 4294967295"),
        ("seed", None, "seed is empty; allowed: a whole number from 0, up to 4294967295"),
        (
            "transfer.learning_rate",
            3,
            "transfer.learning_rate is 3; allowed: a number above 0, up ",
        ),
        ("transfer.learning_rate", float("inf"), "is inf; allowed: a number above 0, up to 0.1"),
        ("transfer.learning_rate", float("nan"), "is nan; allowed: a number above 0, up to 0.1"),
        ("transfer.epochs", 2.5, "transfer.epochs is 2.5; allowed: a whole number from 1, up to 1"),
        ("transfer.optimizer", "", "transfer.optimizer is ''; allowed: one of adam, adamw"),
        ("transfer.optimizer", "a\nb", r"transfer.optimizer is 'a\nb'; allowed: one of adam, ada"),
        ("transfer", 3, "transfer is 3; allowed: a map of optimizer, learning_rate, "),
        ("transfer.batch_sise", 3, "transfer.batch_sise is not a parameter; allowed: optimizer"),
        ("transfer.batch_sise", 3, "(did you mean batch_size?)"),
        ("augment.mirror", 1, "augment.mirror is 1; allowed: true or false"),
        ("rgb.background", "#fff", "rgb.background is '#fff'; allowed: a colour like \"#ffffff\""),
        ("split.train", 0.5, "allowed: train, validation and test that sum to 1, not 0.8"),
        ("models", [], "models is []; allowed: a list of one or more of efficientnet_lite0"),
        ("models", ["vgg"], "models.0 is vgg; allowed: a list of one or more of efficientnet_lite"),
        (
            "models",
            ["tiny_cnn"] * 2,
            "models is ['tiny_cnn', 'tiny_cnn']; allowed: each network on",
        ),
        ("evaluate.folds", [0], "evaluate.folds.0 is 0; allowed: a list of folds from 1 to 9"),
        ("evaluate.folds", [2, 2], "evaluate.folds is [2, 2]; allowed: each fold once"),
        ("export.litert", "yes", "export.litert is yes; allowed: true or false"),
        ("evaluate.repeats", 3, "evaluate.repeats is 3; allowed: a list of seeds from 0 to 42949"),
        ("evaluate.repeats", [1, -1], "evaluate.repeats.1 is -1; allowed: a list of seeds from 0"),
        ("evaluate.repeats", [1, 1], "is [1, 1]; allowed: each seed once, and not the study"),
        ("evaluate.repeats", [0, 1], "is [0, 1]; allowed: each seed once, and not the study"),
        ("finetune.blocks", "most", "finetune.blocks is most; allowed: auto, all, a number from 1"),
        ("finetune.blocks", {"vgg": 1}, "finetune.blocks is {'vgg': 1}; allowed: auto, all, a num"),
        ("classes.B/d", {}, "classes.B/d is not a class name; allowed: letters, digits, - and _,"),
        ("classes.Bird.exclude", "x", "classes.Bird.exclude is x; allowed: a list of text"),
        ("classes.Bird.exclude", [None], "classes.Bird.exclude.0 is empty; allowed: a list of tex"),
        ("classes.Bird", None, "classes.Bird is empty; allowed: a map of query, search, "),
        ("classes", {}, "classes is {}; allowed: a map of two classes or more, named with letters"),
        ("scrape.source", "bong", "scrape.source is bong; allowed: one of iconify, google, bing, "),
        ("scrape.source", ["bing", "bong"], "scrape.source is ['bing', 'bong']; allowed: one"),
        ("scrape.source", [], "scrape.source is []; allowed: one source or more, each once"),
        ("scrape.source", ["bing"] * 2, "['bing', 'bing']; allowed: one source or more, each once"),
        ("scrape.source", ["folder"], "scrape.folder is data/unset/folder; allowed: a path of y"),
        (
            "scrape.source",
            "urls",
            "scrape.urls is data/unset/urls; allowed: a path of your own,",
        ),
        (
            "scrape.folder",
            "",
            "scrape.folder is ''; allowed: the path of a folder, s3://bucket/prefix, or data/unset",
        ),
        (
            "scrape.folder",
            "gs://bucket/cats",
            "scrape.folder is gs://bucket/cats; allowed: the path of a folder, s3://bucket/prefix",
        ),
        (
            "scrape.folder",
            "album",
            "is album; allowed: data/unset/folder, as scrape.source is",
        ),
        (
            "scrape.pages",
            "pages",
            "is pages; allowed: data/unset/pages, as scrape.source is",
        ),
        (
            "scrape.urls",
            "s3://a/b",
            "scrape.urls is s3://a/b; allowed: the path of a CSV file",
        ),
        (
            "classes.cat",
            {},
            "classes.cat is {}; allowed: a name that differs from Cat in mo",
        ),
        ("scrape.query", "cartoon", "scrape.query is cartoon; allowed: text with {class} in it"),
        ("scrape.filters.type", "x", "scrape.filters.type is x; allowed: one of any, clipart, li"),
        ("scrape.search_agent", "é", "scrape.search_agent is é; allowed: a user agent in ASCII, "),
        ("classes.Bird.per_class", 0, "Bird.per_class is 0; allowed: a whole number from 1, up to"),
        ("classes.Bird.per_class", None, "Bird.per_class is empty; allowed: a whole number from 1"),
        ("classes.Bird.filters", None, "Bird.filters is empty; allowed: a map of type, colour, si"),
        ("classes.Bird.filters", {"x": 1}, "Bird.filters.x is not a parameter; allowed: type, co"),
        ("classes.Bird.query", [""], "classes.Bird.query.0 is ''; allowed: a list of words"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(content, key, value, line):
    assert line in line_of(params.check, changed(content, key, value))


def test_one_path_is_not_two_things(content):
    content["scrape"] |= {"source": ["folder", "urls"], "folder": "album", "urls": "./album"}
    assert "folder, urls and pages that are three different" in line_of(params.check, content)


@pytest.mark.parametrize("text", ["no", '"null"', '"1"', "'no'", "off"])
def test_a_class_may_have_a_name_that_yaml_has_another_use_for(study, text):
    file = study / "params.yaml"
    file.write_text(file.read_text().replace("  Tree: {}", f"  {text}: {{}}"))
    assert text.strip("'\"") in params.load("classes").classes


@pytest.mark.parametrize("text", ["null", "1", "~", "true"])
def test_without_quotes_it_is_none(study, text):
    file = study / "params.yaml"
    file.write_text(file.read_text().replace("  Tree: {}", f"  {text}: {{}}"))
    assert "is not a class name; allowed: letters, digits" in line_of(params.load, "classes")


@pytest.mark.parametrize(
    "name", [3, None, "", " Cat", "Cat ", "a  b", "../x", "a.b", "x" * 61, "a\u202eb"]
)
def test_what_is_no_class_name(content, name):
    content["classes"][name] = {"search": ["x"]}
    assert "is not a class name; allowed: letters, digits" in line_of(params.check, content)


@pytest.mark.parametrize(
    "name",
    [
        "Hot dog",
        "Éléphant",
        "パンダ",
        "बिल्ली",
        "قطة",
        "Cat 🐱",
        "\U0001f469\u200d\U0001f680",
        "🇯🇵",
        "t-rex_2",
        "3",
    ],
)
def test_what_is_a_class_name(content, name):
    content["classes"][name] = content["classes"]["Cat"]
    assert name in params.check(content).classes


def test_an_accent_is_the_same_letter_however_it_is_written(content):
    content["classes"]["E\u0301le\u0301phant"] = {}
    assert "Éléphant" in params.check(content).classes


@pytest.mark.parametrize("name", ["cat", "CAT"])
def test_two_classes_that_some_disks_would_put_into_one_folder(content, name):
    content["classes"][name] = {}
    assert "allowed: a name that differs from Cat in more than case" in line_of(
        params.check, content
    )


@pytest.mark.parametrize("key", ["seed", "rgb", "rgb.max_side", "scrape.filters"])
def test_a_missing_key_is_named(content, key):
    *parents, last = key.split(".")
    place = content
    for part in parents:
        place = place[part]
    del place[last]
    assert f"params.yaml: {key} is missing; allowed: a" in line_of(params.check, content)


def test_what_dvc_writes_reads_as_before(study):
    """`dvc exp run -S` writes the file again, in YAML 1.2: without quotes around "no"."""
    before = params.file.read()
    with modify_yaml(study / "params.yaml") as content:
        content["checks"]["min_side"] = 65
    before["checks"]["min_side"] = 65
    assert "no" in before["classes"]["Dog"]["exclude"]
    assert params.file.read() == before


@pytest.mark.parametrize("text", ["no", "off", "Yes", "y", "1:30", "2026-01-02", "0b1", "1_000"])
def test_texts_of_yaml_1_2_are_no_values(study, text):
    assert read(study, f"a: {text}") == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("-3", -3)],
)
def test_values_of_yaml_1_2(study, text, value):
    found = read(study, f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["1e-05", "1E-5", "1.e-5", "0.00001", "1.0e-05", ".1e-4"])
def test_a_rate_as_dvc_writes_it_is_a_number(study, text):
    assert read(study, f"rate: {text}") == {"rate": 1e-5}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed: 1\nseed: 2", "line 2 has seed a second time; allowed: once"),
        ("a: {x: 1, b: 2, x: 3}", "line 1 has x a second time; allowed: once"),
        ("a: &a [1]\nb: *a", "line 2 has an alias; allowed: values in full"),
        ("a: &a {x: *a}", "line 1 has an alias; allowed: values in full"),
        ("a: [1", "not YAML (while parsing"),
        ("a: \x00", "not YAML (unacceptable character"),
        ("? [a]\n: 1", "not YAML (while constructing a mapping"),
        ("a: !!python/object:os.system x", "not YAML (could not determine a constructor"),
        ("a: !!bool x", "not YAML ('x')"),
        ("a: !!timestamp x", "not YAML ("),
        ("a: " + "9" * 5000, "not YAML (Exceeds the limit"),
        ("[" * 100_000, "it is nested too deeply; allowed: sections of values"),
        ("a: " * 50_000, "not YAML (mapping values are not allowed"),
        ("#" * 300_000, "it is too large; allowed: 262144 bytes"),
    ],
)
def test_what_is_not_a_readable_file(study, text, line):
    started = time.monotonic()
    assert f"params.yaml: {line}" in line_of(read, study, text)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("text", "shown"), [("", "empty"), ("- 1\n- 2", "[1, 2]"), ("x", "x"), ("3", "3")]
)
def test_a_file_that_is_no_map(study, text, shown):
    (study / "params.yaml").write_text(text)
    expected = f"params.yaml: the whole is {shown}; allowed: a map of sections"
    assert line_of(params.load, "seed") == expected


def test_a_file_that_cannot_be_read(study):
    (study / "params.yaml").write_bytes(b"\xff\xfe\xff")
    assert "not YAML ('utf-8' codec" in line_of(params.load, "seed")
    (study / "params.yaml").unlink()
    assert "missing here: run from the project's folder" in line_of(params.load, "seed")
    (study / "params.yaml").mkdir()
    assert "cannot be read (Is a directory)" in line_of(params.load, "seed")


def test_a_number_too_long_to_print(study, content):
    content["classes"] = read(study, "[0x" + "f" * 5000 + "]")
    assert "classes is a number of thousands of digits; allowed:" in line_of(params.check, content)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["auto", "all", "#ffffff", "adamw", "tiny_cnn", 10**400, 1e-5, 0, 1, "a" * 999]
    )
)
KEYS = st.text(max_size=8) | st.none() | st.booleans() | st.integers() | st.floats()
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


def places(content: object, path: tuple = ()) -> list[tuple]:
    below = content.items() if isinstance(content, dict) else ()
    return [path, *(p for key, value in below for p in places(value, (*path, key)))]


RIGHT = made_params.read()
PLACES = places(RIGHT)[1:]


def complaint(call, *arguments) -> str | None:
    """The text of its ParameterError; any other error is the test's."""
    try:
        call(*arguments)
    except ParameterError as error:
        return str(error)


def is_one_line_or_none(line: str | None) -> bool:
    if line is None:
        return True
    told = line.startswith("params.yaml: ") and "; allowed: " in line
    return told and line.isprintable() and len(line) < 600


@settings(max_examples=400, deadline=None)
@given(
    place=st.sampled_from(PLACES), value=ANYTHING, action=st.sampled_from(["set", "add", "drop"])
)
def test_whatever_is_changed_ends_in_one_line_or_is_right(place, value, action):
    content = copy.deepcopy(RIGHT)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    if action == "set":
        inner[place[-1]] = value
    elif action == "drop":
        del inner[place[-1]]
    else:
        try:
            inner[value] = inner[place[-1]]
        except TypeError:  # lists and maps are no keys
            return
    assert is_one_line_or_none(complaint(params.check, content))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_bytes_are_put_in_end_in_one_line_or_are_right(study, data):
    text = made_params.FILE.read_bytes()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 20)))
    put = data.draw(st.binary(max_size=8) | st.text("{}[]&*!|>'\"%@`:,-?#\n \t<=0x", max_size=8))
    put = put if isinstance(put, bytes) else put.encode()
    (study / "params.yaml").write_bytes(text[:start] + put + text[stop:])
    assert is_one_line_or_none(complaint(params.load, "seed"))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("auto", 224), (140, 140), ({"tiny_cnn": 32}, 32), ({"tiny_vit": 32}, 224)],
)
def test_what_a_setting_means_for_one_network(setting, expected):
    assert params.own_value(setting, "tiny_cnn", 224) == expected


def test_another_seed_changes_nothing_else(study, content):
    text = (study / "params.yaml").read_text()
    text = text.replace("repeats: []", "repeats: [1, 2]").replace("1.0e-3", "1e-05 # at batch 128")
    (study / "params.yaml").write_text(text)
    content["transfer"]["learning_rate"] = 1e-05
    assert yaml.safe_load(params.with_seed("2")) == content | {"seed": 2}


def test_another_seed_has_to_be_one(study):
    assert "seed is '-1'; allowed: a whole number from 0" in line_of(params.with_seed, "-1")
    (study / "params.yaml").write_text("seed: 0")
    assert "classes is missing; allowed:" in line_of(params.with_seed, "1")


def test_reading_parameters_imports_no_network_library():
    code = "import sys, stages.params; print({'tensorflow', 'keras', 'PIL'} & {*sys.modules})"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "set()\n"
