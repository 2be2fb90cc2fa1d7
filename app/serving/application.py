"""The service as an ASGI application: routes, what they take and what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from app.prediction.model import Model
from app.serving.answers import Health, Metadata, Picture, Predictions, Problem, Serving
from app.serving.decoders import Decoders
from app.serving.metrics import Counted, Metrics
from app.serving.predictor import Predictor, Work, megapixels
from app.serving.refusals import MEDIA_TYPE, RefusedError
from app.serving.uploads import FIELD, LimitedBodies, Limits, uploads
from stages.pictures.formats import FORMATS

ROUTES = {"/predict", "/healthz", "/metadata", "/metrics", "/openapi.json"}
SEE = "the routes and what they take are in /openapi.json"
BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}


def application(model: Model, limits: Limits, work: Work, decoders: Decoders) -> FastAPI:
    """The service of one model; it opens and closes the decoders with itself."""
    metrics = Metrics()
    predictor = Predictor(model, decoders, metrics, work)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with decoders:
            await predictor.warm_up(decoders.workers)
            yield
        predictor.close()

    # No pages: those of FastAPI load their scripts from elsewhere.
    app = FastAPI(
        title=f"ViToon: {model.card['title']}",
        version=model.card["precision"],
        description=__doc__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=[
            Middleware(Counted, metrics=metrics, routes=ROUTES),
            Middleware(LimitedBodies, limits=limits, paths={"/predict"}),
        ],
    )
    _answer_problems(app)
    _add_predict(app, model, predictor, metrics, limits.pictures)
    _add_others(app, model, metrics, serving(model, limits, work))
    return app


def serving(model: Model, limits: Limits, work: Work) -> Serving:
    return Serving(
        body_bytes=limits.body_bytes,
        body_seconds=limits.body_seconds,
        pictures=limits.pictures,
        megapixels=megapixels(model, work),
        formats=list(FORMATS),
        requests=limits.requests,
        waiting=work.waiting,
        seconds=work.seconds,
    )


# ---- routes -------------------------------------------------------------------------------------


def _add_predict(
    app: FastAPI, model: Model, predictor: Predictor, metrics: Metrics, most: int
) -> None:
    classes, thresholds = model.card["classes"], model.thresholds
    top_given = Query(min(3, len(classes)), ge=1, le=len(classes), description="so many guesses")
    error_given = Query(
        None,
        description="the share of wrong answers that is borne: below the probability by which "
        "validation pictures had no more, `class` is null",
        json_schema_extra={"enum": [*thresholds, None]},
    )

    @app.post(
        "/predict",
        operation_id="predict",
        summary="What pictures show",
        openapi_extra={"requestBody": _request_body(most)},
        responses=_problems(400, 408, 413, 415, 422, 500, 503),
    )
    async def predict(
        request: Request, top: int = top_given, max_error: float | None = error_given
    ) -> Predictions:
        threshold = _threshold(thresholds, max_error)
        files = await uploads(request, most)
        pictures = await predictor.pictures(files, top, threshold)
        for picture in pictures:
            metrics.pictures.labels(outcome(picture)).inc()
        if files[0].name is None and pictures[0].problem:
            problem = pictures[0].problem
            raise RefusedError(422, problem.code, problem.detail, problem.remedy)
        card = model.card
        return Predictions(network=card["network"], precision=card["precision"], pictures=pictures)


def _add_others(app: FastAPI, model: Model, metrics: Metrics, limits: Serving) -> None:
    @app.get("/healthz", operation_id="health", summary="Whether the service takes requests")
    async def health() -> Health:
        return Health(status="ok")

    @app.get("/metadata", operation_id="metadata", summary="The network, and limits")
    async def metadata() -> Metadata:
        return Metadata(model=model.card, limits=limits)

    text = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus"}

    @app.get(
        "/metrics",
        operation_id="metrics",
        summary="Counts and times, for Prometheus",
        response_class=Response,
        responses={200: text},
    )
    async def counted() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _threshold(thresholds: dict[float, float], max_error: float | None) -> float | None:
    if max_error is None:
        return None
    if max_error not in thresholds:
        allowed = ", ".join(map(str, thresholds)) or "none, for this network"
        raise RefusedError(
            422,
            "bad_parameter",
            f"max_error: no threshold is known for {max_error:g}",
            f"take one of these: {allowed}",
        )
    return thresholds[max_error]


def _request_body(most: int) -> dict:
    form = {
        "type": "object",
        "properties": {FIELD: {"type": "array", "items": BINARY, "minItems": 1, "maxItems": most}},
        "required": [FIELD],
        "additionalProperties": False,
    }
    content = {"multipart/form-data": {"schema": form}}
    content |= {kind: {"schema": BINARY} for kind in ("image/*", "application/octet-stream")}
    return {"required": True, "content": content}


def outcome(picture: Picture) -> str:
    """For the metrics."""
    if picture.problem:
        return picture.problem.code
    return "none_of_these" if picture.class_ is None else "classified"


# ---- problems -----------------------------------------------------------------------------------

REASONS = {
    400: "A form that is none",
    408: "The request was not complete in time",
    413: "The request is too large",
    415: "Neither a form nor a picture",
    422: "A wrong parameter, or a body that is no picture that can be read",
    500: "A fault of the service",
    503: "Too much at once; `Retry-After` says when to try again",
}


def _problems(*statuses: int) -> dict[int, dict]:
    schema = Problem.model_json_schema()
    content = {MEDIA_TYPE: {"schema": schema}}
    return {status: {"description": REASONS[status], "content": content} for status in statuses}


def _answer_problems(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return error.response()

    @app.exception_handler(HTTPException)
    async def no_route(_: Request, error: HTTPException) -> Response:
        word = error.detail.lower().replace(" ", "_")
        headers = dict(error.headers or {})
        return RefusedError(error.status_code, word, error.detail, SEE, headers).response()

    @app.exception_handler(RequestValidationError)
    async def bad_parameter(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        detail = f"{first['loc'][-1]}: {first['msg']}"
        return RefusedError(422, "bad_parameter", detail, SEE).response()

    @app.exception_handler(Exception)
    async def fault(_: Request, __: Exception) -> Response:
        remedy = "the service's log has more; other requests are answered"
        return RefusedError(500, "fault", "the service has a fault", remedy).response()
