"""Prompts of families: a model that was trained with some and gets none is named, others are not."""

from __future__ import annotations

import pytest

from isoglot.evaluation.leak import prompt_notes
from isoglot.models.prompts import FAMILIES, Prompts, saved_prompts


@pytest.mark.parametrize(
    ("name", "query", "passage", "lacking"),
    [
        ("intfloat/multilingual-e5-small", "", "", ["'query: ' before queries", "'passage: ' before passages"]),
        ("models/e5-base-v2", "query: ", "", ["'passage: ' before passages"]),
        ("intfloat/multilingual-e5-large", "query: ", "passage: ", []),
        ("intfloat/multilingual-e5-large", "Query:", "Passage:", []),
        (
            "BAAI/bge-small-en-v1.5",
            "",
            "",
            ["'Represent this sentence for searching relevant passages: ' before queries"],
        ),
        ("offline:multilingual-e5-small", "", "passage: ", ["'query: ' before queries"]),
        ("BAAI/bge-m3", "", "", []),
        ("intfloat/multilingual-e5-large-instruct", "", "", ["Instruct"]),
        ("intfloat/multilingual-e5-large-instruct", "Instruct: find it\nQuery: ", "", []),
        ("nomic-ai/nomic-embed-text-v1.5", "", "", ["'search_query: '", "'search_document: '"]),
        ("me/e5-small-of-mine", "", "", []),
        ("sentence-transformers/LaBSE", "", "", []),
    ],
)
def test_what_a_family_lacks(name: str, query: str, passage: str, lacking: list[str]) -> None:
    told = Prompts(query, passage, "saved with the model").of_family(["", name]).lacking
    assert bool(told) == bool(lacking)
    assert all(words in told for words in lacking)
    assert prompt_notes({"model_facts": {"prompts": {"lacking": told}}}) == ([f"prompts: {told}"] if told else [])


def test_what_sentence_transformers_saves_of_a_model_without_prompts_is_no_prompt() -> None:
    told = saved_prompts({"query": "", "document": ""}).of_family(["intfloat/multilingual-e5-small"]).lacking
    assert "--query-prompt 'query: ' --passage-prompt 'passage: '" in told


def test_no_family_takes_the_models_of_another() -> None:
    names = ("e5-small", "bge-base-en", "bge-base-zh", "mxbai-embed-large-v1", "snowflake-arctic-embed-l-v2.0")
    of = [Prompts("", "", "").of_family([name]).lacking.split(",")[0] for name in names]
    assert of == [
        f"{name} is called like the family {family}"
        for name, family in zip(names, ("e5", "bge", "bge", "mxbai-embed", "arctic-embed 2"))
    ]
    assert len({family.models for family in FAMILIES}) == len(FAMILIES)
