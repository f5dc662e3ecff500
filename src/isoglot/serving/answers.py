"""What a server answers, as it is described in /openapi.json. Routes write the same as plain JSON values."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """An answer has these fields and no others."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})


class Hit(Answer):
    """A document that was found, by its best part."""

    rank: int = Field(ge=1)
    id: str
    lang: str
    score: float = Field(description="cosine of the query and the part; the order may follow more than that")
    title: str
    url: str
    text: str = Field(description="of the part")
    sentence: tuple[int, int] | None = Field(
        description="where in `text` the sentence begins and ends that is nearest to the query, in Unicode code points"
    )
    translation: str = Field(description='the same for documents that are translations of each other; "": not known')
    metadata: dict[str, Any]


class Result(Answer):
    """What was found for a query."""

    query: str
    query_language: str | None
    truncated: bool = Field(description="whether the model read less than the whole query")
    hits: list[Hit]
    languages: dict[str, int] = Field(description="hits by language")
    why: str | None = Field(description="one sentence where there are no hits")


class SearchAnswer(Answer):
    """What was found."""

    model: str
    fairness: str
    strength: float | None
    results: list[Result]
    took_ms: float


class Embedding(Answer):
    """The vector of a text."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(Answer):
    """Tokens that the model read, its prompt and special tokens among them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingAnswer(Answer):
    """Vectors of texts, in their order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage
    truncated: list[int] = Field(description="numbers of the texts of which the model read less than all")


class ModelAnswer(Answer):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsAnswer(Answer):
    """All models."""

    object: Literal["list"]
    data: list[ModelAnswer]


class ModelInfo(Answer):
    """A model, and what it was loaded from."""

    name: str
    source: str
    width: int


class LimitsInfo(Answer):
    """What one request may ask for, at most."""

    k: int
    queries: int
    texts: int
    characters: int
    body_bytes: int


class Info(Answer):
    """What is served."""

    title: str
    documents: int
    chunks: int
    languages: dict[str, int] = Field(description="documents by language")
    models: list[ModelInfo]
    default_model: str
    fairness: list[str]
    fields: dict[str, list[Any]] = Field(description="metadata with its most frequent values")
    examples: list[str]
    generation: int = Field(description="rises with every change of the index")
    limits: LimitsInfo


class Health(Answer):
    """Whether requests are answered."""

    status: Literal["ready"]
