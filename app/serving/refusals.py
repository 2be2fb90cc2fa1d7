"""What a request gets in place of an answer: a problem (RFC 9457) that says what to do."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class RefusedError(Exception):
    """A request that gets no answer, with the status to say so; `code` is one word for programs."""

    def __init__(
        self, status: int, code: str, detail: str, remedy: str, headers: dict | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.remedy = status, code, detail, remedy
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        problem = {
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "remedy": self.remedy,
        }
        return JSONResponse(problem, self.status, self.headers, MEDIA_TYPE)


class OverloadedError(RefusedError):
    """Said at once, for a request that would wait for others: 503 with the time to try again."""

    def __init__(self, detail: str, seconds: int = 1) -> None:
        remedy = f"send it again after {seconds} s, and after twice that each time it is refused"
        super().__init__(503, "overloaded", detail, remedy, {"Retry-After": str(seconds)})
