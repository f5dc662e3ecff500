"""What clients send, as pydantic models: what checks it and what describes it in /openapi.json are the same thing.

Requests are strict: unknown fields, numbers as texts and NaN are refused; null stands for a field that is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError, from_json

from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.serving.refusals import Refusal
from isoglot.serving.settings import Limits

T = TypeVar("T", bound="Request")
_BLANK = r"\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_TEXT = rf"^[^\x00]*[^{_BLANK}][^\x00]*$"  # something that is no white space, and no NUL
_NAME = r"^[^\x00-\x1f\x7f]{1,200}$"
_CODE = r"^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$"
_INTEGERS, _FILTERS = 1 << 63, 20


def _known(code: str) -> str:
    """A language's code as the index writes it."""
    try:
        return language(code)
    except InputError as error:
        raise PydanticCustomError("language", "{text}", {"text": str(error)}) from None


def _no_tokens(value: Any) -> Any:
    """Token ids mean another text to every model."""
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, (int, list)):
        raise PydanticCustomError("tokens", "token ids are not accepted: give texts")
    return value


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 5.0 is 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _few(value: Any) -> Any:
    """Refuse a long mapping before every one of its values is a problem of its own."""
    if isinstance(value, dict) and len(value) > _FILTERS:
        raise PydanticCustomError("too_long", "too many", {"max_length": _FILTERS})
    return value


Language = Annotated[str, Field(pattern=_CODE), AfterValidator(_known)]
Key = Annotated[str, Field(pattern=_NAME)]
Scalar = (
    Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
    | bool
    | Annotated[int, Field(ge=-_INTEGERS, le=_INTEGERS - 1)]
    | float
)
Filters = Annotated[
    dict[Key, Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=200)]],
    Field(max_length=_FILTERS, json_schema_extra={"additionalProperties": False}),
]
_ONE_OF_BOTH: list[Any] = [
    {"required": [one], "properties": {one: {"not": {"type": "null"}}, other: {"type": "null"}}}
    for one, other in (("query", "queries"), ("queries", "query"))
]
_STRENGTH: list[Any] = [
    {"properties": {"strength": {"type": "null"}}},
    {"required": ["fairness"], "properties": {"fairness": {"const": "standardised"}}},
]


class Request(BaseModel):
    """A body in JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @classmethod
    def read(cls: type[T], body: bytes) -> T:
        """The request in a body. Refusal for anything else."""
        try:
            value = from_json(body)
        except ValueError as error:
            raise Refusal("malformed", f"the body is not valid JSON in UTF-8: {error}") from None
        # looked for here, since every one of a million unknown fields would be a problem of its own
        for name in value if isinstance(value, dict) else ():
            if name not in cls.model_fields:
                raise Refusal("invalid_value", str(unknown("field", name, cls.model_fields)), param=name[:80])
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise _refusal(error) from None

    @classmethod
    def described(cls) -> dict[str, Any]:
        """The part of an OpenAPI operation that describes it."""
        content = {"application/json": {"schema": cls.model_json_schema()}}
        return {"requestBody": {"required": True, "content": content}}


class SearchRequest(Request):
    """A search for one query or several."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _ONE_OF_BOTH, "anyOf": _STRENGTH})

    query: str | None = Field(None, description="a question; or give `queries`")
    queries: list[str] | None = Field(None, description="questions; or give `query`")
    k: int = Field(10, description="documents for a query, at most")
    model: str | None = Field(None, description="null: the default model")
    languages: list[Language] | None = Field(
        None, min_length=1, max_length=200, description="of documents; null: all. ISO 639 or BCP 47"
    )
    where: Annotated[Filters | None, BeforeValidator(_few)] = Field(
        None, description="metadata -> value, or values of which one, that documents must have"
    )
    fairness: Literal["raw", "standardised", "round-robin", "quota"] = Field(
        "raw", description="how languages are mixed"
    )
    strength: float | None = Field(None, ge=0, le=1, description="of `standardised`, 0 (as raw) to 1; null: 1")
    query_language: Language | None = Field(None, description="of all queries; null: guessed where that is sure")
    hybrid: bool = Field(False, description="mix in a ranking by words")
    sentences: bool = Field(True, description="say which sentence of a text is nearest to the query")

    @model_validator(mode="after")
    def _together(self) -> SearchRequest:
        if (self.query is None) == (self.queries is None):
            raise PydanticCustomError("queries", "give either `query` or `queries`")
        if self.strength is not None and self.fairness != "standardised":
            raise PydanticCustomError("strength", "`strength` is of the fairness `standardised` alone")
        return self

    @property
    def all_queries(self) -> list[str]:
        """The query, or the queries."""
        return [self.query] if self.query is not None else list(self.queries or ())


class EmbeddingRequest(Request):
    """Texts to be encoded, in OpenAI's form, with `input_type` besides."""

    input: str | list[str] = Field(description="a text or several; no token ids")
    model: str | None = Field(None, description="null: the default model")
    dimensions: int | None = Field(
        None, description="the first so many dimensions, brought to length 1 again; null: all"
    )
    encoding_format: Literal["float", "base64"] = Field("float", description="base64: little-endian float32")
    input_type: Literal["query", "passage", "document"] = Field(
        "query", description="which of the model's prompts stands before the texts; `document` is `passage`"
    )
    user: Annotated[str, Field(max_length=1000)] | None = Field(None, description="ignored")

    @property
    def texts(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input


def search_request(limits: Limits, models: Sequence[str]) -> type[SearchRequest]:
    """Searches within limits, with one of some models."""
    text = _text(limits)
    fields: dict[str, Any] = {
        "query": (text | None, _field(SearchRequest, "query")),
        "queries": (_several(text, limits.queries) | None, _field(SearchRequest, "queries")),
        "k": (
            Annotated[int, Field(ge=1, le=limits.k), BeforeValidator(_whole)],
            _field(SearchRequest, "k", min(10, limits.k)),
        ),
        "model": (Literal[tuple(models)] | None, _field(SearchRequest, "model")),
    }
    return create_model("SearchRequest", __base__=SearchRequest, **fields)


def embedding_request(limits: Limits, widths: Mapping[str, int]) -> type[EmbeddingRequest]:
    """Requests for embeddings within limits, of models with so many dimensions."""
    text = _text(limits)
    whole: Any = Annotated[text | _several(text, limits.texts), BeforeValidator(_no_tokens)]
    most = Annotated[int, Field(ge=1, le=max(widths.values())), BeforeValidator(_whole)]
    fields: dict[str, Any] = {
        "input": (whole, _field(EmbeddingRequest, "input")),
        "model": (Literal[tuple(widths)] | None, _field(EmbeddingRequest, "model")),
        "dimensions": (most | None, _field(EmbeddingRequest, "dimensions")),
    }
    return create_model("EmbeddingRequest", __base__=EmbeddingRequest, **fields)


def _text(limits: Limits) -> Any:
    return Annotated[str, Field(min_length=1, max_length=limits.characters, pattern=_TEXT)]


def _several(text: Any, most: int) -> Any:
    return Annotated[list[text], Field(min_length=1, max_length=most)]


def _field(cls: type[Request], name: str, default: Any = ...) -> Any:
    """The field of a class with another default."""
    own = cls.model_fields[name]
    return Field(own.default if default is ... else default, description=own.description)


_EXPECTED = {
    "string_type": "expected a text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "missing": "is missing",
    "string_too_long": "{max_length:,} characters at most",
    "string_too_short": "is empty",
    "too_long": "{max_length:,} at most",
    "too_short": "{min_length:,} at least",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "expected {expected}",
}
_UNIONS = {
    "input": "expected a text or a list of texts",
    "where": "expected values, or lists of values, that are texts, numbers, true or false",
}
_PATTERNS = {
    _TEXT: "blank, or with NUL in it",
    _NAME: "expected 1 to 200 characters, none of them a control character",
    _CODE: "expected a language code such as de, zh-Hant or pt-BR",
}


def _refusal(error: ValidationError) -> Refusal:
    """What is wrong with a body, in one line."""
    problems = error.errors(include_url=False, include_input=False)
    # of a union, every type that was tried has a problem: that of the right type says more than that it is none of the others
    problem = next((problem for problem in problems if not problem["type"].endswith("_type")), problems[0])
    kind, context, place = problem["type"], problem.get("ctx", {}), problem["loc"]
    name = str(place[0]) if place else ""
    param = ".".join([name, *(str(key) for key in place[1:] if isinstance(key, int))])
    if kind == "string_pattern_mismatch":
        what = _PATTERNS.get(context["pattern"], "NUL is not accepted")
    elif kind.endswith("_type") and name in _UNIONS:
        what = _UNIONS[name]
    else:
        what = _EXPECTED[kind].format(**context) if kind in _EXPECTED else problem["msg"]
    unknown_model = kind == "literal_error" and name == "model"
    message = f"{param}: {what}" if param else what
    return Refusal("not_found" if unknown_model else "invalid_value", message, param=param or None)
