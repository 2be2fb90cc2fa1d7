"""What can be chosen in params.yaml, in its order, and within which limits."""

from __future__ import annotations

import unicodedata
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

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
CLASS_NAME = (
    "letters, digits, - and _, emoji, single spaces, up to 60 characters, a number in quotes"
)
_LETTER = r"[\w\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}-]"  # of any script


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


def _place(name: str, kind: str, start: str = "") -> Any:
    """The path of a dependency of the stage; of DVC's addresses those that sources open."""
    words = f"the path of {kind}, or {UNSET[name]} where no source uses it"
    return Annotated[str, Field(pattern=rf"^{start}(:?[^:/\x00-\x1f]|::|/)+$", description=words)]


ClassName = Annotated[
    str,
    Field(pattern=rf"^{_LETTER}+( {_LETTER}+)*$", max_length=60),
    # An accent is a letter's part or a mark after it: two spellings that look the same.
    AfterValidator(partial(unicodedata.normalize, "NFC")),
]
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
    folder: _place("folder", "a folder, s3://bucket/prefix", r"(s3://\w)?")
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
    keep_patches: float = Field(gt=0, le=1)
    average: bool


class Evaluate(Section):
    folds: list[Annotated[int, Field(ge=1, le=9)]] = Field(
        description="a list of folds from 1 to 9, like [1, 2], or []"
    )
    repeats: list[Annotated[int, Field(ge=0, le=2**32 - 1)]] = Field(
        description="a list of seeds from 0 to 4294967295, like [1, 2], or []"
    )


class Export(Section):
    calibration: int = Field(ge=1, le=10_000)
    litert: bool


class Compute(Section):
    engine: Literal["local", "ray"]
    address: str = Field(
        pattern=r"^(ray://)?([\w.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}$|^$",
        description='host:port or ray://host:port of a Ray cluster, or "" for Ray on this machine',
    )
    resource: str = Field(pattern=r"^[\w.-]*$", description='a Ray resource, or "" for any node')

    @model_validator(mode="after")
    def _places_are_of_a_cluster(self) -> Compute:
        for name in ("address", "resource"):
            if self.engine == "local" and getattr(self, name):
                raise ValueError(f'{name}|"", as compute.engine is local')
        return self


class Study(Section):
    seed: int = Field(ge=0, le=2**32 - 1)
    classes: dict[ClassName, Class] = Field(
        min_length=2, description=f"a map of two classes or more, named with {CLASS_NAME}"
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
    export: Export
    compute: Compute

    @field_validator("classes", mode="before")
    @classmethod
    def _each_name_once(cls, classes: object) -> object:
        first: dict[str, object] = {}
        for name in classes if isinstance(classes, dict) else ():
            same = first.setdefault(unicodedata.normalize("NFC", str(name)).casefold(), name)
            if same is not name:  # on some disks the folders of Cat and cat are one
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
    def _each_fold_once(cls, evaluate: Evaluate) -> Evaluate:
        if len(set(evaluate.folds)) < len(evaluate.folds):
            raise ValueError("folds|each fold once")
        return evaluate

    @field_validator("evaluate")
    @classmethod
    def _each_seed_once(cls, evaluate: Evaluate, others: ValidationInfo) -> Evaluate:
        seeds = [*evaluate.repeats, others.data.get("seed")]
        if len(set(seeds)) < len(seeds):
            raise ValueError("repeats|each seed once, and not the study's own, `seed`")
        return evaluate
