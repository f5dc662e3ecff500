"""The prompts of a model: what was given, else what was saved with it, else a guess from what it is; and which of them it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from isoglot.errors import InputError

E5_PROMPTS = ("query: ", "passage: ")
"""multilingual-e5 was trained with these (Wang et al. 2024, arXiv 2402.05672)."""
PAPER_PROMPTS = ("Query: ", "Passage: ")
"""For encoders that were not trained for retrieval yet (arXiv 2408.10536, section 4)."""

# the first that is not empty is put before a passage, as encode_document looks for them
_PASSAGE = ("document", "passage", "corpus")
_E5 = re.compile(r"intfloat/(multilingual-)?e5-(small|base|large)(-v2|-unsupervised)?", re.IGNORECASE)


class Family(NamedTuple):
    """Models that were trained with prompts: their names (a pattern), and what is put before queries and passages."""

    name: str
    models: str
    query: str
    passage: str = ""


_RELEVANT = "Represent this sentence for searching relevant passages: "
FAMILIES = (
    Family("e5", r"(multilingual-)?e5-(small|base|large)(-v2|-unsupervised)?", *E5_PROMPTS),
    Family("e5-instruct", r"(multilingual-e5-large|e5-mistral-7b)-instruct", "Instruct: TASK\nQuery: "),
    Family("bge", r"bge-(small|base|large)-en(-v1\.5)?", _RELEVANT),
    Family("bge", r"bge-(small|base|large)-zh(-v1\.5)?", "为这个句子生成表示以用于检索相关文章："),
    Family("mxbai-embed", r"mxbai-embed-(large|xsmall)-v1", _RELEVANT),
    Family("arctic-embed", r"snowflake-arctic-embed-(xs|s|m|m-long|l|m-v1\.5)", _RELEVANT),
    Family("arctic-embed 2", r"snowflake-arctic-embed-(m|l)-v2\.0", "query: "),
    Family("nomic-embed", r"nomic-embed-text-v[12](\.5|-moe)?", "search_query: ", "search_document: "),
    Family("embeddinggemma", r"embeddinggemma-300m", "task: search result | query: ", "title: none | text: "),
    Family("qwen3-embedding", r"qwen3-embedding-[0-9.]+b", "Instruct: TASK\nQuery:"),
)
"""As their model cards say."""


@dataclass(frozen=True)
class Prompts:
    """What is put before queries and passages.

    Attributes:
        query, passage: "" for nothing.
        source: where they are from, in words.
        guessed: whether nobody said so.
        lacking: what a model of this family was trained with and does not get, in words; "" where nothing is known to lack.
    """

    query: str
    passage: str
    source: str
    guessed: bool = False
    lacking: str = ""

    def of_family(self, names: Iterable[str]) -> Prompts:
        """With what is lacking, for a model that goes by these names: ids, and what its folder is called."""
        for name in names:
            for family in FAMILIES:
                if re.fullmatch(family.models, re.split("[/:]", name.rstrip("/"))[-1], re.IGNORECASE):
                    return replace(self, lacking=self._lacking(name, family))
        return self

    def _lacking(self, name: str, family: Family) -> str:
        sides = (("query", self.query, family.query), ("passage", self.passage, family.passage))
        without = [(side, wanted) for side, own, wanted in sides if wanted and not _like(own, wanted)]
        if not without:
            return ""
        told = " and ".join(
            f"{wanted!r} before {'queries' if side == 'query' else 'passages'}" for side, wanted in without
        )
        how = " ".join(f"--{side}-prompt {wanted!r}" for side, wanted in without)
        return (
            f"{name} is called like the family {family.name}, which was trained with {told}, and is used without: {how}"
        )

    def given(self, query: str | None, passage: str | None) -> Prompts:
        """With what the user gave in place of the model's own."""
        sides = [text for text in (query, passage) if text is not None]
        if not sides:
            return self
        source = "given" if len(sides) == 2 else f"one given, the other {self.source}"
        query, passage = self.query if query is None else query, self.passage if passage is None else passage
        return replace(self, query=query, passage=passage, source=source, guessed=self.guessed and len(sides) == 1)


def _like(own: str, wanted: str) -> bool:
    """Whether a prompt is one of its family: the first word is the same."""
    return own.strip().lower().startswith(re.split(r"[\s:]", wanted.strip().lower())[0])


def read_prompts(saved: Any, place: str) -> dict[str, str]:
    """The prompts in a file of a model by name, empty ones too; {} where it has none. InputError for anything else."""
    saved = saved or {}
    if not isinstance(saved, dict) or not all(text is None or isinstance(text, str) for text in saved.values()):
        raise InputError(f"{place}: prompts {saved!r}; expected texts by name")
    return {str(key): text for key, text in saved.items() if text is not None}


def saved_prompts(saved: Mapping[str, str]) -> Prompts:
    """Of a model that was saved with prompts, empty ones too: they stand, whatever the model is called.

    sentence-transformers writes an empty "document" beside a "passage" that was set, and then uses neither; the one that was set
    is meant.
    """
    passage = next((saved[name] for name in _PASSAGE if saved.get(name)), "")
    source = "saved with the model"
    if not {"query", *_PASSAGE} & {name for name, text in saved.items() if text} and (
        others := sorted(filter(saved.get, saved))
    ):
        source += f", which has others ({', '.join(others)}) for other tasks"
    return Prompts(saved.get("query") or "", passage, source)


def guessed_prompts(identity: str | None, *, finished: bool) -> Prompts:
    """Of a model that was saved without any.

    Args:
        identity: the hub id of the model, where it has one; what its folder is called says nothing.
        finished: an embedding model, not an encoder that is still to be trained.
    """
    if identity and _E5.fullmatch(identity):
        return Prompts(*E5_PROMPTS, f"guessed: it is {identity}", guessed=True)
    if finished or (identity or "").lower() == "sentence-transformers/labse":
        return Prompts("", "", "none were saved with the model")
    return Prompts(*PAPER_PROMPTS, "guessed: an encoder that was not trained for retrieval", guessed=True)
