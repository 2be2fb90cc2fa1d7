"""The JSON that requests get, as models of which /openapi.json is made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Fields go out under their aliases, since `class` is no name in Python."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")


class Guess(Answer):
    class_: str = Field(alias="class")
    probability: float = Field(ge=0, le=1, description="calibrated on validation pictures")


class PictureProblem(Answer):
    code: str = Field(description="`undecodable`, or `decoder_ended`: it took its process")
    detail: str
    remedy: str


class Picture(Answer):
    """What is said of one picture: guesses, or why there are none."""

    name: str | None = Field(description="as the client calls it")
    class_: str | None = Field(
        alias="class",
        description="the most probable one; null where the picture has a problem, and where "
        "`max_error` is given and this is none of the classes, as far as can be told",
    )
    guesses: list[Guess] = Field(description="the most probable classes first")
    problem: PictureProblem | None


class Predictions(Answer):
    network: str
    precision: str
    pictures: list[Picture] = Field(description="in the order of the request")


class Health(Answer):
    status: str


class Serving(Answer):
    """Limits of this service: more is refused."""

    body_bytes: int
    body_seconds: float
    pictures: int = Field(description="in one request")
    megapixels: float = Field(description="of one picture")
    formats: list[str] = Field(description="of pictures, by content and not by name")
    requests: int = Field(description="at once")
    waiting: int = Field(description="pictures at once")
    seconds: float = Field(description="for an answer, once the request is complete")


class Metadata(Answer):
    model: dict = Field(description="the card of the exported network")
    limits: Serving


class Problem(Answer):
    """RFC 9457: why there is no answer, and what to do."""

    title: str
    status: int
    code: str = Field(description="one word, for programs")
    detail: str
    remedy: str
