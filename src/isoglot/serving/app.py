"""The application of a server: `create_app(ServeSettings(index="my-index"))` for any ASGI server, `isoglot serve` for ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from isoglot.files import package_versions
from isoglot.serving.gate import Gate, State
from isoglot.serving.metrics import Metrics
from isoglot.serving.page_routes import add_page, page_files
from isoglot.serving.refusals import Kind, Refusal
from isoglot.serving.routes import add_routes
from isoglot.serving.served import Served
from isoglot.serving.settings import ServeSettings

_ABOUT = "Search in every language alike, and embeddings in OpenAI's form. Every refusal has the form of ErrorBody."
_OPEN = ("/healthz", "/", "/favicon.ico")


def create_app(settings: ServeSettings) -> FastAPI:
    """The application, with its models in memory and warm; `app.state.served` and `app.state.activity` are for who runs it.

    Raises:
        InputError: the index or a model cannot be used.
    """
    metrics, state, page = Metrics(), State(), page_files()
    served = Served(settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(bool)  # what that imports is not for the first request to wait for
        yield
        state.stopping = True
        served.close()

    app = FastAPI(
        title="isoglot",
        version=package_versions(["isoglot"]).get("isoglot", "unknown"),
        description=_ABOUT,
        docs_url=None,  # a page with scripts of another host
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.served, app.state.activity = served, state
    add_routes(app, served, settings.limits, metrics, state)
    add_page(app, page)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_middleware(
        Gate,
        settings=settings,
        metrics=metrics,
        state=state,
        wait=served.batcher.seconds_to_wait,
        free=frozenset({*_OPEN, *page}),
    )
    metrics.gauge("queue_texts", "Texts that wait for a model", lambda: served.batcher.depth()[0])
    metrics.gauge("queue_tokens", "Tokens that wait for a model, estimated", lambda: served.batcher.depth()[1])
    metrics.gauge("requests_in_flight", "Requests that are not answered yet", lambda: state.requests)
    metrics.gauge("index_documents", "Documents of the index", lambda: served.info["documents"])
    metrics.gauge("index_generation", "Of the index, as it is searched", lambda: served.info["generation"])
    _describe(app, settings)
    return app


async def _unrouted(_: Request, error: Exception) -> Response:
    """Errors of the router, which the gate answers."""
    assert isinstance(error, HTTPException)
    kinds: dict[int, tuple[Kind, str]] = {
        404: ("not_found", "no such address; /openapi.json describes all"),
        405: ("method_not_allowed", "not with this method"),
    }
    kind, words = kinds.get(error.status_code, ("malformed", "the request is malformed"))
    raise Refusal(kind, words, headers=error.headers)


def _describe(app: FastAPI, settings: ServeSettings) -> None:
    """Have /openapi.json tell of the token, and of no answers that there are not."""
    standard = app.openapi

    def described() -> dict[str, Any]:
        known = app.openapi_schema
        schema = standard()
        if schema is known:
            return schema
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                answers = operation["responses"]
                if "HTTPValidationError" in str(answers.get("422")):
                    del answers["422"]
                if settings.token is None:
                    answers.pop("401", None)
                elif path not in _OPEN:
                    operation["security"] = [{"token": []}]
        if settings.token is not None:
            schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        return schema

    app.openapi = described  # type: ignore[method-assign]
