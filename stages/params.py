"""params.yaml as typed, checked, frozen objects: read here and nowhere else."""

from __future__ import annotations

import difflib
import re
import reprlib
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from stages.errors import ParameterError

FILE = Path("params.yaml")
MAX_BYTES = 256 * 1024
SOURCES = (  # files of stages/sources
    *("iconify", "google", "bing", "baidu", "duckduckgo", "openverse", "commons", "flickr"),
    *("folder", "urls"),
)
NETWORKS = (  # files of stages/zoo
    *("efficientnet_lite0", "dinov2_s14"),  # the default pair: weights from packages
    *("mobilenet_v2", "vit_b32"),  # the study's own pair
    *("vit_b16", "mobilenet_v3_large", "efficientnet_v2_b0", "convnext_tiny"),
    *("mobilevit_s", "vit_r26_s32"),  # hybrids
    *("tiny_cnn", "tiny_vit"),  # for tests
)
# Where a source of the user's own files is not used, dvc.yaml depends on these: DVC wants a file.
UNSET = {name: f"data/unset/{name}" for name in ("folder", "urls", "pages")}
CLASS_NAME = "letters, digits, - and _, single spaces, up to 60 characters, a number in quotes"
_loaded: dict[str, Any] = {}  # by the names that `load` was asked for


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _own_or_each(low: float, high: float, kind: type, *words: str) -> Any:
    """A type for a setting that is `auto` or another word, a number, or a number per network."""
    number = Annotated[kind, Field(ge=low, le=high)]
    return Annotated[
        Literal[("auto", *words)] | number | dict[Literal[NETWORKS], number],
        Field(
            description=f"{', '.join(['auto', *words])}, a number from {low:g} to {high:g}, "
            f"or one for each of {', '.join(NETWORKS)}"
        ),
    ]


def _place(name: str, kind: str) -> Any:
    """The path of a dependency of the stage; not s3:// of DVC, for sources open files."""
    words = f"the path of {kind}, or {UNSET[name]} where no source uses it"
    return Annotated[str, Field(pattern=r"^([^:\x00-\x1f]|:[^/\x00-\x1f])+$", description=words)]


Words = list[Annotated[str, Field(min_length=1)]]


class Filters(Section):
    type: Literal["any", "clipart", "lineart", "photo", "animated"] = "any"
    colour: Literal["any", "colour", "grey", "transparent"] = "any"
    size: Literal["any", "small", "medium", "large"] = "any"
    licence: Literal["any", "creative_commons", "public_domain", "commercial"] = "any"


class Class(Section):
    """What is left out, not what is empty, `selection.settled` fills in from the study."""

    query: Words = Field(default=[], description="a list of words to search for")
    search: Words = Field(default=[], description="a list of words to search for")
    exclude: list[str] = []
    per_class: int = Field(default=None, ge=1, le=100_000)
    min_side: int = Field(default=None, ge=2, le=10_000)
    filters: Filters = None


class Download(Section):
    connections: int = Field(ge=1, le=64)
    connections_per_host: int = Field(ge=1, le=16)
    connect_timeout: float = Field(gt=0, le=120)
    read_timeout: float = Field(gt=0, le=120)
    total_timeout: float = Field(gt=0, le=3600)
    max_megabytes: int = Field(ge=1, le=1000)
    min_side: int = Field(ge=2, le=10_000)
    retries: int = Field(ge=0, le=10)
    user_agent: str = Field(
        pattern=r"^[!-~]+( [!-~]+)*$", description="text that says who fetches, in ASCII"
    )
    respect_robots: bool
    respect_opt_out: bool


class Scrape(Section):
    source: Literal[SOURCES] | list[Literal[SOURCES]] = Field(
        description=f"one of {', '.join(SOURCES)}, or a list of them, each once"
    )
    folder: _place("folder", "a folder")
    urls: _place("urls", "a CSV file")
    pages: _place("pages", "a folder")
    query: str = Field(pattern=r"\{class\}", description="text with {class} in it")
    filters: Filters
    per_class: int = Field(ge=1, le=100_000)
    allow_incomplete: bool
    size: int = Field(ge=16, le=4096)
    search_agent: str = Field(
        pattern=r"^([!-~]+( [!-~]+)*)?$", description="a user agent in ASCII, or nothing"
    )
    download: Download

    @property
    def all_sources(self) -> list[str]:
        return [self.source] if isinstance(self.source, str) else self.source

    @field_validator("source")
    @classmethod
    def _each_source_once(cls, source: str | list[str]) -> str | list[str]:
        if isinstance(source, list) and not 0 < len(set(source)) == len(source):
            raise ValueError("|one source or more, each once")
        return source

    @model_validator(mode="after")
    def _places_are_those_of_the_sources(self) -> Scrape:
        for name, source in (("folder", "folder"), ("urls", "urls"), ("pages", "google")):
            is_set, used = getattr(self, name) != UNSET[name], source in self.all_sources
            if is_set and not used:
                raise ValueError(f"{name}|{UNSET[name]}, as scrape.source is without {source}")
            if used and not is_set and name != "pages":
                raise ValueError(f"{name}|a path of your own, as scrape.source has {source}")
        if len({Path(getattr(self, name)) for name in UNSET}) < len(UNSET):
            raise ValueError("|folder, urls and pages that are three different paths")
        return self


class Rgb(Section):
    background: str = Field(
        pattern=r"^#[0-9a-fA-F]{6}$", description='a colour like "#ffffff" (red, green, blue)'
    )
    max_side: int = Field(ge=16, le=4096)
    max_megapixels: int = Field(ge=1, le=1000)


class Checks(Section):
    min_deviation: float = Field(ge=0, le=127)
    min_side: int = Field(ge=1, le=4096)
    min_ratio: float = Field(ge=0, le=1)


class Split(Section):
    train: float = Field(gt=0, lt=1)
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    max_distance: int = Field(ge=0, le=32)

    @model_validator(mode="after")
    def _ratios_sum_to_one(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"|train, validation and test that sum to 1, not {total:g}")
        return self


class Weights(Section):
    mirror: str = Field(
        pattern=r"^(https?://\S+|[^:]*)$",
        description='a folder, an http or https URL, or "" for the publishers themselves',
    )


class Augment(Section):
    views: int = Field(ge=1, le=100)
    mirror: bool
    rotation: float = Field(ge=0, le=180)
    shift: float = Field(ge=0, lt=1)
    zoom: float = Field(ge=0, lt=1)
    brightness: float = Field(ge=0, lt=1)


class Training(Section):
    optimizer: Literal["adam", "adamw"]
    learning_rate: float = Field(gt=0, le=0.1)
    schedule: Literal["constant", "cosine"]
    warmup_epochs: int = Field(ge=0, le=1000)
    weight_decay: float = Field(ge=0, lt=1)
    clip_norm: float = Field(ge=0, le=1000)
    label_smoothing: float = Field(ge=0, lt=1)
    mixup: float = Field(ge=0, le=10)
    class_weights: Literal["none", "balanced"]
    batch_size: int = Field(ge=1, le=4096)
    epochs: int = Field(ge=1, le=10_000)
    patience: int = Field(ge=0, le=10_000)

    @model_validator(mode="after")
    def _decay_has_an_optimizer(self) -> Training:
        if self.weight_decay and self.optimizer == "adam":
            raise ValueError("weight_decay|0 with optimizer adam; adamw decays weights")
        return self


class Finetune(Training):
    blocks: _own_or_each(1, 1000, int, "all")
    learning_rate: _own_or_each(1e-9, 0.1, float)
    layer_decay: float = Field(gt=0, le=1)
    average: bool


class Evaluate(Section):
    repeats: list[Annotated[int, Field(ge=0, le=2**32 - 1)]] = Field(
        description="a list of seeds from 0 to 4294967295, like [1, 2], or []"
    )


class Study(Section):
    seed: int = Field(ge=0, le=2**32 - 1)
    classes: dict[Annotated[str, Field(pattern=r"^[\w-]+( [\w-]+)*$", max_length=60)], Class] = (
        Field(min_length=2, description=f"a map of two classes or more, named with {CLASS_NAME}")
    )
    scrape: Scrape
    rgb: Rgb
    checks: Checks
    split: Split
    models: list[Literal[NETWORKS]] = Field(
        min_length=1, description=f"a list of one or more of {', '.join(NETWORKS)}"
    )
    weights: Weights
    device: Literal["auto", "cpu", "gpu"]
    image_size: _own_or_each(32, 1024, int)
    augment: Augment
    transfer: Training
    finetune: Finetune
    evaluate: Evaluate

    @field_validator("classes")
    @classmethod
    def _each_name_once(cls, classes: dict[str, Class]) -> dict[str, Class]:
        first: dict[str, str] = {}
        for name in classes:  # on some disks the folders of Cat and cat are one
            same = first.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
            if same != name:
                raise ValueError(f"{name}|a name that differs from {same} in more than case")
        return classes

    @field_validator("models")
    @classmethod
    def _each_model_once(cls, models: list[str]) -> list[str]:
        if len(set(models)) < len(models):
            raise ValueError("|each network once")
        return models

    @field_validator("evaluate")
    @classmethod
    def _each_seed_once(cls, evaluate: Evaluate, others: ValidationInfo) -> Evaluate:
        seeds = [*evaluate.repeats, others.data.get("seed")]
        if len(set(seeds)) < len(seeds):
            raise ValueError("repeats|each seed once, and not the study's own, `seed`")
        return evaluate


def load(*names: str) -> SimpleNamespace:
    """Check the whole of params.yaml and return the sections named, and nothing else.

    A name is a section ("seed", "transfer") or one value of it ("finetune.blocks"): what a stage
    asks for is what it declares under `params:` in dvc.yaml.

    Raises ParameterError, one line with the key, the value and what is allowed.
    """
    study = check(_read())
    asked = SimpleNamespace()
    for name in names:
        _loaded[name] = value = _value(study, name)
        section, _, key = name.partition(".")
        if key:
            part = getattr(asked, section, SimpleNamespace())
            setattr(part, key, value)
            value = part
        setattr(asked, section, value)
    return asked


def changed() -> list[str]:
    """Names given to `load` whose values in params.yaml are no longer those it returned."""
    study = check(_read())
    return [name for name, value in _loaded.items() if _value(study, name) != value]


def _value(study: Study, name: str) -> Any:
    section, _, key = name.partition(".")
    value = getattr(study, section)
    return getattr(value, key) if key else value


def check(content: object) -> Study:
    """Typed parameters from the content of params.yaml. Raises ParameterError."""
    if not isinstance(content, dict):
        _refuse(f"the whole is {_shown(content, [])}", "a map of sections")
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        _explain(error.errors()[0], content)


def with_seed(seed: str) -> str:
    """params.yaml as it would be with another seed and no repeats. Raises ParameterError."""
    content = _read()
    check(content)
    content |= {"seed": int(seed) if seed.isdecimal() else seed}
    content["evaluate"] |= {"repeats": []}
    check(content)
    return yaml.safe_dump(content, sort_keys=False)


def own_value(setting: object, model: str, own: Any) -> Any:
    """What a setting means for one network: `own` where it says `auto` or does not name it."""
    if isinstance(setting, dict):
        return setting.get(model, own)
    return own if setting == "auto" else setting


class _Loader(yaml.SafeLoader):
    """YAML 1.2, no key twice, and no aliases: nested, they grow without bounds."""

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            _refuse(f"line {self.peek_event().start_mark.line + 1} has an alias", "values in full")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                line = key.start_mark.line + 1
                _refuse(f"line {line} has {_text(key.value)} a second time", "once")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# DVC reads and writes YAML 1.2, in which `no` and 1:30 are texts and 1e-05 is a number. PyYAML
# follows YAML 1.1, in which it is the other way round.
_YAML_1_2 = {
    "null": r"|~|null|Null|NULL",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern in _YAML_1_2.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^({_pattern})$"), first=None
    )


def _read() -> object:
    try:
        with FILE.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            _refuse("it is too large", f"{MAX_BYTES} bytes")
        return yaml.load(data.decode("utf-8"), _Loader)  # noqa: S506, a SafeLoader
    except FileNotFoundError:
        raise ParameterError(f"{FILE} is missing here: run from the project's folder") from None
    except OSError as error:
        _refuse(f"cannot be read ({error.strerror})", "a file")
    except RecursionError:
        _refuse("it is nested too deeply", "sections of values")
    # The last four are what PyYAML raises for `!!bool x` or `!!timestamp x`.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        _refuse(f"not YAML ({' '.join(str(error).split())})", "YAML")


def _refuse(fault: str, allowed: str) -> NoReturn:
    raise ParameterError(f"{FILE}: {fault}; allowed: {allowed}") from None


def _explain(error: dict, content: dict) -> NoReturn:
    """Say what pydantic found: the key, the value, what is allowed."""
    kind, path = error["type"], list(error["loc"])
    if path[0] == "classes" and path[-1] == "[key]":
        _refuse(f"{_dotted(path[:-1])} is not a class name", CLASS_NAME)
    if kind == "value_error":  # from a validator above: "key|what is allowed"
        key, _, allowed = str(error["ctx"]["error"]).partition("|")
        path += [key] if key else []
    else:
        owner, field, path = _place(path)
        if field is None:
            _refuse(f"{_dotted(path)} is not a parameter", _known(owner, path[-1]))
        allowed = _allowed(field)
    value = "missing" if kind == "missing" else _shown(content, path)
    _refuse(f"{_dotted(path)} is {value}", allowed)


def _place(loc: list) -> tuple[type[Section], FieldInfo | None, list]:
    """The section that pydantic's place is in, the field (None: unknown), the keys in the file."""
    owner, field, path = Study, None, []
    for part in loc:
        inner = _section(field) if field else Study
        if inner is None:  # inside a plain value: a list's index, or a branch of a union
            return owner, field, [*path, part] if isinstance(part, int) else path
        path.append(part)
        if field and field.annotation is not inner:
            field = FieldInfo(annotation=inner)  # a class, whatever its name
        else:
            owner, field = inner, inner.model_fields.get(part)
        if field is None:
            break
    return owner, field, path


def _section(field: FieldInfo) -> type[Section] | None:
    """The section that a field holds, or a map of which it holds."""
    kinds = [field.annotation, *get_args(field.annotation)]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)


def _known(owner: type[Section], wrong: object) -> str:
    names = list(owner.model_fields)
    near = difflib.get_close_matches(str(wrong)[:60], names, n=1)
    return ", ".join(names) + (f" (did you mean {near[0]}?)" if near else "")


def _allowed(field: FieldInfo) -> str:
    """What a field takes, in words, from its type and its limits."""
    if field.description:
        return field.description
    if section := _section(field):
        return f"a map of {', '.join(section.model_fields)}"
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(get_args(field.annotation))
    if get_origin(field.annotation) is list:
        return "a list of text"
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    limits = {type(limit).__name__: limit for limit in field.metadata}
    words = [
        f"{word} {getattr(limits[name], name.lower())}"
        for name, word in (("Gt", "above"), ("Ge", "from"), ("Lt", "below"), ("Le", "up to"))
        if name in limits
    ]
    return f"{kind[field.annotation]} {', '.join(words)}".strip()


def _dotted(path: list) -> str:
    return ".".join(_text(part) if isinstance(part, str) else str(part) for part in path)


def _shown(content: object, path: list) -> str:
    """The value at a place in the file, on one line and short."""
    for key in path:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            break
    if isinstance(content, str):
        return _text(content)
    if content is None or isinstance(content, bool):
        return {None: "empty", True: "true", False: "false"}[content]
    try:
        return _cut(reprlib.repr(content))
    except ValueError:
        return "a number of thousands of digits"  # which Python refuses to print


def _text(text: str) -> str:
    """As it is where it reads as one word or more, else in quotes."""
    plain = re.fullmatch(r"(?!(?i:true|false|null)$)[^\W\d]\S*( \S+)*", text)
    return _cut(text if plain and text.isprintable() else ascii(text))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
