"""params.yaml as typed, checked, frozen objects: read here and nowhere else."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from stages import sources, zoo
from stages.errors import ParameterError

FILE = Path("params.yaml")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _own_or_each(low: float, high: float, kind: type, *words: str) -> Any:
    """A type for a setting that is `auto` or another word, a number, or a number per network."""
    number = Annotated[kind, Field(ge=low, le=high)]
    return Annotated[
        Literal["auto", *words] | number | dict[Literal[zoo.NAMES], number],
        Field(
            description=f"{', '.join(['auto', *words])}, a number from {low:g} to {high:g}, "
            "or one for each network named"
        ),
    ]


class Class(Section):
    search: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="a list of one search word or more"
    )
    exclude: list[str] = []


class Scrape(Section):
    source: Literal[sources.NAMES]
    folder: str
    per_class: int = Field(ge=1, le=100_000)
    size: int = Field(ge=16, le=4096)

    @model_validator(mode="after")
    def _folder_is_named(self) -> Scrape:
        if self.source == "folder" and not self.folder:
            raise ValueError("folder|the path of a folder, since scrape.source is folder")
        return self


class Rgb(Section):
    background: str = Field(
        pattern=r"^#[0-9a-fA-F]{6}$", description='a colour like "#ffffff" (red, green, blue)'
    )
    max_side: int = Field(ge=16, le=4096)
    max_megapixels: int = Field(ge=1, le=1000)


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
    batch_size: int = Field(ge=1, le=4096)
    epochs: int = Field(ge=1, le=10_000)
    patience: int = Field(ge=1, le=10_000)

    @model_validator(mode="after")
    def _decay_has_an_optimizer(self) -> Training:
        if self.weight_decay and self.optimizer == "adam":
            raise ValueError("weight_decay|0 with optimizer adam; adamw decays weights")
        return self


class Finetune(Training):
    blocks: _own_or_each(1, 1000, int, "all")
    learning_rate: _own_or_each(1e-9, 0.1, float)


class Study(Section):
    seed: int = Field(ge=0, lt=2**32)
    classes: dict[Annotated[str, Field(pattern=r"^[\w-]+( [\w-]+)*$")], Class] = Field(
        min_length=2, description="two classes or more, named with letters, digits, - and _"
    )
    scrape: Scrape
    rgb: Rgb
    split: Split
    models: list[Literal[zoo.NAMES]] = Field(
        min_length=1, description=f"a list of one or more of {', '.join(zoo.NAMES)}"
    )
    image_size: _own_or_each(32, 1024, int)
    augment: Augment
    transfer: Training
    finetune: Finetune

    @field_validator("models")
    @classmethod
    def _each_model_once(cls, models: list[str]) -> list[str]:
        if len(set(models)) < len(models):
            raise ValueError("|each network once")
        return models


def load(*names: str) -> SimpleNamespace:
    """Check the whole of params.yaml and return the sections named, and nothing else.

    A name is a section ("seed", "transfer") or one value of it ("finetune.blocks"): what a stage
    asks for is what it declares under `params:` in dvc.yaml.

    Raises ParameterError, one line with the key, the value and what is allowed.
    """
    study = check(_read())
    asked = SimpleNamespace()
    for name in names:
        section, _, key = name.partition(".")
        value = getattr(study, section)
        if key:
            part = getattr(asked, section, SimpleNamespace())
            setattr(part, key, getattr(value, key))
            value = part
        setattr(asked, section, value)
    return asked


def check(content: object) -> Study:
    """Typed parameters from the content of params.yaml. Raises ParameterError."""
    if not isinstance(content, dict):
        raise ParameterError(f"{FILE} holds no parameters; allowed: a map of sections")
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise ParameterError(_sentence(error.errors()[0], content)) from None


def own_value(setting: object, model: str, own: Any) -> Any:
    """What a setting means for one network: `own` where it says `auto` or does not name it."""
    if isinstance(setting, dict):
        return setting.get(model, own)
    return own if setting == "auto" else setting


class _Loader(yaml.SafeLoader):
    """YAML 1.2's floats, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ParameterError(f"{FILE}: {key} stands twice; allowed: once")
        return super().construct_mapping(node, deep)


# DVC writes 1e-05, a float in YAML 1.2 and a text to PyYAML, which follows YAML 1.1.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _read() -> object:
    try:
        return yaml.load(FILE.read_text(encoding="utf-8"), _Loader)  # noqa: S506, a SafeLoader
    except FileNotFoundError:
        raise ParameterError(f"{FILE} is missing here: run from the project's folder") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = " ".join(str(error).split())
        raise ParameterError(f"{FILE} is not YAML: {place}") from None


def _sentence(error: dict, content: dict) -> str:
    """One line of what pydantic found: the key, the value, what is allowed."""
    path = [part for part in error["loc"] if part != "[key]"]
    kind = error["type"]
    if kind == "value_error":
        key, _, allowed = str(error["ctx"]["error"]).partition("|")
        path = [*path, *([key] if key else [])]
        return f"{FILE}: {'.'.join(map(str, path))} is {_shown(content, path)}; allowed: {allowed}"
    owner, field, keys = _field(path)
    name = ".".join(map(str, keys))
    if kind == "missing":
        return f"{FILE}: {name} is missing; allowed: {_allowed(field)}"
    if kind == "extra_forbidden":
        return f"{FILE}: {name} is not a parameter; allowed: {_known(owner, str(keys[-1]))}"
    return f"{FILE}: {name} is {_shown(content, keys)}; allowed: {_allowed(field)}"


def _field(path: list) -> tuple[type[Section], FieldInfo | None, list]:
    """The section that owns a path, its field, and the keys that stand in params.yaml."""
    owner, field, keys = Study, None, []
    for part in path:
        keys.append(part)
        if field is not None and _section(field) is None:
            if not isinstance(part, int):
                keys.pop()  # pydantic's name for a branch of a union, not a key of the file
            break
        if field is not None and field.annotation is not _section(field):
            owner, field = _section(field), FieldInfo(annotation=_section(field))
            continue  # the name of a class: any text
        owner = _section(field) if field is not None else Study
        field = owner.model_fields.get(part)
        if field is None:
            break
    return owner, field, keys


def _section(field: FieldInfo) -> type[Section] | None:
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)


def _known(owner: type[Section], wrong: str) -> str:
    names = list(owner.model_fields)
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"{', '.join(names)}" + (f" (did you mean {near[0]}?)" if near else "")


def _allowed(field: FieldInfo) -> str:
    """What a field takes, in words, from its type and its limits."""
    if field.description:
        return field.description
    if section := _section(field):
        return f"a map of {', '.join(section.model_fields)}"
    if choices := getattr(field.annotation, "__args__", ()):
        return "one of " + ", ".join(map(str, choices)) if choices[0] is not str else "a list"
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    limits = {type(limit).__name__: limit for limit in field.metadata}
    words = [
        f"{word} {getattr(limits[name], name.lower()):g}"
        for name, word in (("Gt", "above"), ("Ge", "from"), ("Lt", "below"), ("Le", "up to"))
        if name in limits
    ]
    return " ".join([kind[field.annotation], *words])


def _shown(content: object, keys: list) -> str:
    for key in keys:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            break
    text = "empty" if content is None else str(content)
    return text if len(text) <= 60 else text[:57] + "…"
