"""The server, held to its own description by schemathesis, and asked what no description has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.trying import ANY_TEXTS, AWKWARD, SCALARS, TEXTS, VALUES, tried

pytest.importorskip("fastapi", reason="the server needs the extra serve")
schemathesis = pytest.importorskip("schemathesis")

from schemathesis import GenerationMode  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

from tests.fuzz.served import URL, application, ask, check_answer, without_lifespan  # noqa: E402

EMBED, SEARCH = "/v1/embeddings", "/search"
HELD_TO = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
PATHS = {"/healthz", "/info", "/metrics", SEARCH, EMBED, "/v1/models", "/v1/models/{model}"}


def _cases(mode: GenerationMode, paths: set[str]) -> st.SearchStrategy[Any]:
    """Requests to some addresses, made by the description."""
    schema = schemathesis.openapi.from_dict(application().openapi())
    schema.app = without_lifespan
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {operation.path for operation in operations} == PATHS
    return st.one_of([o.as_strategy(generation_mode=mode) for o in operations if o.path in paths])


def _known_languages(body: Any) -> None:
    """A code has to be one of a language, for which there is no pattern."""
    if isinstance(body, dict):
        if isinstance(body.get("languages"), list):
            body["languages"] = ["de" if isinstance(code, str) else code for code in body["languages"]]
        if isinstance(body.get("query_language"), str):
            body["query_language"] = "en"


def _ask(case: Any, more: list[Any]) -> Any:
    response = case.call(base_url=URL)
    headers = {name: values[0] for name, values in response.headers.items()}
    check_answer(response.status_code, headers, response.content)
    case.validate_response(response, checks=[*HELD_TO, *more])
    return response


@tried(12)
@given(st.deferred(lambda: _cases(GenerationMode.POSITIVE, PATHS)))
def test_requests_by_the_description_are_answered_as_it_says(case: Any) -> None:
    _known_languages(case.body)
    _ask(case, [checks.positive_data_acceptance])


@tried(12)
@given(st.deferred(lambda: _cases(GenerationMode.NEGATIVE, {SEARCH, EMBED})))
def test_requests_against_the_description_are_refused(case: Any) -> None:
    _ask(case, [checks.negative_data_rejection])


# --- what no description has

METHODS = st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PATCH", "X"])
ADDRESSES = st.sampled_from(
    [SEARCH, EMBED, "/v1/models", "/v1/models/base", "/info", "/healthz", "/metrics", "/", "/openapi.json"]
)
PARTS = st.sampled_from(
    ["/", "//", "/..", "/%00", "/%2e%2e", "/v1", "/models", "/search", "?", ";", "\\", "/page", "/favicon.ico"]
)
WHERE = ADDRESSES.map(str.encode) | st.lists(PARTS | ANY_TEXTS, min_size=1, max_size=4).map(
    lambda parts: "/".join(parts).encode("utf-8", "surrogatepass")
)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20).map(
    lambda text: text.encode("latin-1")
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(b"content-type", b"content-length", b"authorization", b"host", b"x-request-id", b"expect", b"accept"),
                *(b"origin", b"transfer-encoding", b"range", b"if-none-match", b"accept-encoding", b"cookie"),
            ]
        ),
        LATIN
        | st.sampled_from(
            [b"application/json", b"localhost", b"0", b"-1", b"99999999999", b"100-continue", b"Bearer x", b"[::1"]
        ),
    ),
    max_size=3,
)
SEARCHED = {
    "query",
    "queries",
    "k",
    "model",
    "languages",
    "where",
    "fairness",
    "strength",
    "query_language",
    "hybrid",
    "sentences",
}
EMBEDDED = {"input", "model", "dimensions", "encoding_format", "input_type", "user"}
FIELDS = st.sampled_from(sorted(SEARCHED | EMBEDDED))
GOOD: dict[str, Any] = {
    "query": "de1",
    "queries": ["de1", "en2"],
    "k": 3,
    "model": "base",
    "languages": ["de", "zh-TW"],
    "where": {"source": "a", "year": [2001, 2002.0, True]},
    "fairness": "standardised",
    "strength": 0.5,
    "query_language": "no",
    "hybrid": True,
    "sentences": False,
    "input": ["de1", "en2"],
    "dimensions": 5,
    "encoding_format": "base64",
}
NAMED = st.lists(FIELDS, max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries(
        {
            name: (st.just(GOOD[name]) if name in GOOD else TEXTS)
            | SCALARS
            | VALUES
            | st.dictionaries(TEXTS, SCALARS, max_size=3)
            for name in names
        }
    )
)
RAW = st.lists(
    st.sampled_from((*AWKWARD, "{", "}", '"query":', '"input":', "[", ",", "1e999", "NaN", "\\ud800")), max_size=9
).map("".join)
BODIES = (
    st.tuples(NAMED, st.sampled_from([{"query": "de1"}, {"input": "de1"}, {}])).map(
        lambda two: json.dumps({**two[1], **two[0]}).encode()
    )
    | RAW.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=60)
)


@tried(120)
@example("POST", b"/search", [(b"content-length", b"9" * 5000)], b"{}", 1, True, False)
@given(METHODS, WHERE, HEADERS, BODIES, st.integers(1, 4), st.booleans(), st.booleans())
def test_any_request_is_answered(
    method: str, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes, parts: int, is_usual: bool, leaves: bool
) -> None:
    usual = [(b"host", b"localhost"), (b"content-type", b"application/json")] if is_usual else []
    step = -(-len(body) // parts) or 1
    chunks = [body[start : start + step] for start in range(0, len(body), step)]
    answered = ask(method, path, [*usual, *headers], chunks, query=body[:20], leaves=leaves and parts == 1)
    if answered is not None:
        check_answer(answered.status, answered.headers, answered.body)


@tried(120)
@given(st.sampled_from([SEARCH, EMBED]), NAMED)
def test_any_fields_are_answered_or_refused(path: str, fields: dict[str, Any]) -> None:
    """Values of every type beside good ones: 200 with an answer that fits the question, or which field is wrong."""
    body = {
        **({"query": "de1"} if path == SEARCH and "queries" not in fields else {}),
        **({"input": "de1"} if path == EMBED else {}),
        **fields,
    }
    body = {name: value for name, value in body.items() if name in (SEARCHED if path == SEARCH else EMBEDDED)}
    answered = ask(
        "POST",
        path.encode(),
        [(b"host", b"localhost"), (b"content-type", b"application/json")],
        [json.dumps(body).encode()],
    )
    assert answered is not None
    check_answer(answered.status, answered.headers, answered.body)
    assert answered.status in (200, 400, 404, 413, 422), answered
    if answered.status != 200:
        return
    answer = json.loads(answered.body)
    if path == EMBED:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        assert [row["index"] for row in answer["data"]] == list(range(len(texts)))
        return
    asked = [body["query"]] if body.get("query") is not None else body["queries"]
    assert [result["query"] for result in answer["results"]] == asked
    for result in answer["results"]:
        assert len(result["hits"]) <= (body.get("k") or 10)
        assert [hit["rank"] for hit in result["hits"]] == list(range(1, 1 + len(result["hits"])))
        assert result["hits"] or result["why"]
        for hit in result["hits"]:
            if body.get("languages"):
                assert hit["lang"] in {"de": ["de"], "en": ["en"], "zh": ["zh"]}.get(hit["lang"], ())
            for key, value in (body.get("where") or {}).items():
                assert hit["metadata"][key] in (value if isinstance(value, list) else [value])
