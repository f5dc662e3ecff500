"""What a server refuses, always in one form: {"error": {"type", "message", "param"?}} with a status, and nothing internal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

Kind = Literal[
    "malformed",
    "wrong_host",
    "unauthorized",
    "not_found",
    "method_not_allowed",
    "too_slow",
    "too_large",
    "content_type",
    "invalid_value",
    "busy",
    "internal",
    "stopping",
    "timeout",
]
STATUS: Mapping[Kind, int] = dict(
    zip(get_args(Kind), (400, 400, 401, 404, 405, 408, 413, 415, 422, 429, 500, 503, 503), strict=True)
)
_ABOUT = {
    400: "The request is malformed: no JSON in UTF-8, or for another host.",
    401: "The token is missing or wrong.",
    404: "No such address, or no such model.",
    405: "Not with this method.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A value is wrong, unknown, missing or beyond a limit.",
    429: "Too many requests are waiting; Retry-After says when there should be room.",
    500: "A fault of the server, which its log tells.",
    503: "The server is starting or stopping, or the request took too long.",
}


class Problem(BaseModel):
    """What is wrong, and what would be right."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})
    type: Kind = Field(description="of the refusal, for programs")
    message: str = Field(description="one line, for people")
    param: str | None = Field(None, description="the field that is wrong")


class ErrorBody(BaseModel):
    """The body of every answer that is a refusal."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})
    error: Problem


class Refusal(Exception):
    """A request that is not answered.

    Args:
        kind: which decides the status.
        message: one line.
        param: the field that is wrong.
        wait: seconds until it may be tried again.
        headers: further ones.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        param: str | None = None,
        wait: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind, self.message, self.param = kind, message, param
        self.headers = dict(headers or {})
        if wait is not None:
            self.headers["Retry-After"] = str(max(1, min(600, math.ceil(wait))))

    def response(self) -> Response:
        """The answer."""
        # ASCII alone: a message may quote halves of surrogate pairs, which no encoding has
        problem = {"type": self.kind, "message": self.message} | ({"param": self.param} if self.param else {})
        body = json.dumps({"error": problem}).encode("ascii")
        return Response(body, STATUS[self.kind], self.headers, "application/json")


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Refusals of a route, for its description."""
    waits = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
    return {
        status: {
            "model": ErrorBody,
            "description": _ABOUT[status],
            **({"headers": waits} if status in (429, 503) else {}),
        }
        for status in statuses
    }
