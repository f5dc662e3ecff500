"""The addresses of a server: /search, /v1/embeddings and what tells of them, each described truthfully in /openapi.json."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import Response

from isoglot.records import Kind
from isoglot.retrieval.collection import Answer
from isoglot.retrieval.encode import unit
from isoglot.serving import answers
from isoglot.serving.gate import State
from isoglot.serving.messages import EmbeddingRequest, SearchRequest, embedding_request, search_request
from isoglot.serving.metrics import CONTENT_TYPE, Metrics
from isoglot.serving.refusals import Refusal, described
from isoglot.serving.served import Served
from isoglot.serving.settings import Limits
from isoglot.serving.work import ticket, work

_ASKED = (400, 401, 404, 408, 413, 415, 422, 429, 500, 503)
_TOLD, _HEALTH = (400, 401, 500), (400, 500, 503)


def add_routes(app: FastAPI, served: Served, limits: Limits, metrics: Metrics, state: State) -> None:
    """Add all addresses but those of the page."""
    threads = anyio.CapacityLimiter(limits.requests)
    searches = search_request(limits, list(served.residents))
    embeddings = embedding_request(limits, {name: resident.width for name, resident in served.residents.items()})
    started = int(time.time())
    models = [{"id": name, "object": "model", "created": started, "owned_by": "isoglot"} for name in served.residents]

    async def answered(request: Request, do: Callable[[bytes, dict[str, Any]], Any]) -> Response:
        """The answer to a body in JSON, made in a thread; what `do` tells of it goes into the log."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refusal("content_type", "send JSON: Content-Type: application/json")
        body, told = await request.body(), request.state.trace.values
        content = await work(
            request,
            lambda: dumped(do(body, told)),
            threads=threads,
            timeout=limits.timeout,
            wait=served.batcher.seconds_to_wait,
        )
        return Response(content, media_type="application/json")

    @app.post(
        "/search",
        summary="Search the index",
        response_model=answers.SearchAnswer,
        responses=described(*_ASKED),
        openapi_extra=searches.described(),
    )
    async def search(request: Request) -> Response:
        return await answered(request, lambda body, told: _search(served, metrics, searches.read(body), told))

    @app.post(
        "/v1/embeddings",
        summary="Vectors of texts, as OpenAI's API has them",
        response_model=answers.EmbeddingAnswer,
        responses=described(*_ASKED),
        openapi_extra=embeddings.described(),
    )
    async def embed(request: Request) -> Response:
        return await answered(request, lambda body, told: _embed(served, embeddings.read(body), told))

    @app.get("/v1/models", summary="The models", response_model=answers.ModelsAnswer, responses=described(*_TOLD))
    async def all_models() -> Response:
        return _json({"object": "list", "data": models})

    @app.get(
        "/v1/models/{model}", summary="A model", response_model=answers.ModelAnswer, responses=described(*_TOLD, 404)
    )
    async def one_model(model: str) -> Response:
        for about in models:
            if about["id"] == model:
                return _json(about)
        raise Refusal("not_found", f"no model of that name; there are: {', '.join(served.residents)}", param="model")

    @app.get("/info", summary="What is served", response_model=answers.Info, responses=described(*_TOLD))
    async def info() -> Response:
        return _json(served.info)

    @app.get(
        "/healthz",
        summary="Whether requests are answered",
        response_model=answers.Health,
        responses=described(*_HEALTH),
    )
    async def health() -> Response:
        if state.stopping:
            raise Refusal("stopping", "the server is stopping", wait=5)
        return _json({"status": "ready"})

    @app.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **described(*_TOLD)},
    )
    async def figures() -> Response:
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _search(served: Served, metrics: Metrics, asked: SearchRequest, told: dict[str, Any]) -> dict[str, Any]:
    """The answer to a search, as plain JSON values."""
    model, queries, own = asked.model or served.default, asked.all_queries, ticket()
    told |= {"model": model, "texts": len(queries), "k": asked.k}
    started = time.monotonic()
    found = served.searchers[model].search(
        queries,
        asked.k,
        languages=asked.languages,
        where=asked.where,
        fairness=asked.fairness,
        strength=asked.strength,
        query_language=asked.query_language,
        hybrid=asked.hybrid,
        sentences=asked.sentences,
    )
    seconds = time.monotonic() - started
    metrics.search_seconds.labels(model).observe(seconds)
    told["tokens"] = own.tokens
    return {
        "model": model,
        "fairness": asked.fairness,
        "strength": asked.strength,
        "results": [_result(answer, cut) for answer, cut in zip(found, own.cut, strict=True)],
        "took_ms": round(1000 * seconds, 2),
    }


def _result(answer: Answer, cut: bool) -> dict[str, Any]:
    return {
        "query": answer.query,
        "query_language": answer.query_language,
        "truncated": cut,
        "hits": [{"rank": rank, **asdict(hit)} for rank, hit in enumerate(answer.hits, 1)],
        "languages": dict(Counter(hit.lang for hit in answer.hits)),
        "why": answer.why,
    }


def _embed(served: Served, asked: EmbeddingRequest, told: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request for embeddings, as plain JSON values."""
    model, texts = asked.model or served.default, asked.texts
    resident = served.residents[model]
    kind: Kind = "query" if asked.input_type == "query" else "passage"
    told |= {"model": model, "texts": len(texts)}
    if asked.dimensions is not None and asked.dimensions > resident.width:
        raise Refusal("invalid_value", f"dimensions: {model} has {resident.width}", param="dimensions")
    made = ticket().result(served.submit(model, texts, kind))
    vectors, tokens = made.vectors, sum(made.tokens)
    told["tokens"] = tokens
    if asked.dimensions is not None:
        vectors = unit(vectors[:, : asked.dimensions])
    rows: list[Any] = vectors.tolist()
    if asked.encoding_format == "base64":
        rows = [base64.b64encode(row.tobytes()).decode("ascii") for row in vectors.astype("<f4")]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": number, "embedding": row} for number, row in enumerate(rows)],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "truncated": [number for number, cut in enumerate(made.cut) if cut],
    }


def dumped(value: Any) -> bytes:
    """JSON in UTF-8; in ASCII where a text is not UTF-8."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def _json(value: Any) -> Response:
    return Response(dumped(value), media_type="application/json")
