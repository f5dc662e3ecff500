"""The README.md inside a saved model: what it is and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from isoglot.files import write_text

_TEXT = """\
---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- isoglot
- multilingual
- retrieval
---

# A multilingual retriever {made} with isoglot

{how}

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
scores = model.similarity(model.encode_query(["..."]), model.encode_document(["..."]))
```

`encode_query` and `encode_document` put the prompts {query!r} and {passage!r} before each text.

{more}The licence is that of the base model and of the training data.
"""
_TRAINED = "Trained from `{base}` by {tuning} with {strategy} batches of {batch_size} parallel pairs ({pairs})."
_AVERAGED = " Its weights are {share:g} times the trained ones and {rest:g} times those of the base."


def write_card(
    path: Path,
    *,
    base: str,
    tuning: str,
    strategy: str,
    batch_size: int,
    pairs: Sequence[str],
    prompts: Mapping[str, str],
    average: float = 1.0,
) -> None:
    """Write the model card of a trained model.

    Args:
        path: of the file.
        base: name of the base model.
        tuning, strategy: in words.
        batch_size: pairs per batch.
        pairs: sources of the training pairs.
        prompts: of "query" and "document".
        average: share of the trained weights; the rest is the base's.
    """
    how = _TRAINED.format(base=base, tuning=tuning, strategy=strategy, batch_size=batch_size, pairs=", ".join(pairs))
    if average < 1:
        how += _AVERAGED.format(share=average, rest=1 - average)
    write_card_of(path, how, prompts, made="trained")


def write_card_of(path: Path, how: str, prompts: Mapping[str, str], made: str = "made", more: str = "") -> None:
    """Write a model card.

    Args:
        how: a sentence that says how the model was made; `made` is a word for that.
        more: chapters after its use, such as figures.
    """
    sides = {"query": prompts.get("query", ""), "passage": prompts.get("document", "")}
    write_text(path, _TEXT.format(made=made, how=how, more=f"{more.strip()}\n\n" if more else "", **sides))
