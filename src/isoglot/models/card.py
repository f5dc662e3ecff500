"""The README.md inside a saved model: what it is, what it was made of, how to use it and where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isoglot.files import write_text
from isoglot.models.publish import without_paths
from isoglot.tables import code_span

_TEXT = """\
---
{header}
---

# A multilingual retriever {made} with isoglot

{how}

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
scores = model.similarity(model.encode_query(["..."]), model.encode_document(["..."]))
```

`encode_query` and `encode_document` put the prompts {query} and {passage} before each text.

{more}The licence is that of the base model and of the training data.
"""
_TAGS = ("sentence-transformers", "isoglot", "multilingual", "retrieval")
_TRAINED = "Trained from {base} by {tuning} with {strategy} batches of {batch_size} parallel pairs, {steps:,} steps."
_AVERAGED = " Its weights are {share:g} times the trained ones and {rest:g} times those of the base."
_MORE = """
## Data

{pairs:,} parallel pairs in {languages} from {sources}.

## Evaluation

Nothing was measured yet. `isoglot evaluate` measures a run, and `isoglot push --results` publishes it with its figures and their
intervals in this place.

## Limits

{limits}
"""


@dataclass(frozen=True)
class Trained:
    """What the card of a trained model says.

    Attributes:
        base: name of the base model.
        hub_base: its hub id; "" where it has none.
        tuning, strategy: in words.
        batch_size: pairs per batch.
        steps: of the optimizer.
        sources: of the training pairs.
        pairs: how many of them.
        languages: of them.
        max_length: tokens at which texts are cut; None: they are not.
        known: what is known of the training of the base that touches benchmarks, in sentences.
        average: share of the trained weights; the rest is the base's.
    """

    base: str
    hub_base: str
    tuning: str
    strategy: str
    batch_size: int
    steps: int
    sources: Sequence[str]
    pairs: int
    languages: Sequence[str]
    max_length: int | None
    known: Sequence[str]
    average: float = 1.0


def write_card(path: Path, about: Trained, prompts: Mapping[str, str]) -> None:
    """Write the model card of a trained model; paths in it are shortened to their last part.

    Args:
        path: of the file.
        about: the model.
        prompts: of "query" and "document".
    """
    how = _TRAINED.format(**{**vars(about), "base": code_span(about.base)})
    if about.average < 1:
        how += _AVERAGED.format(share=about.average, rest=1 - about.average)
    languages = ", ".join(about.languages)
    limits = [
        f"Trained in {languages}. How it ranks in other languages is not known: measure it.",
        *([] if about.max_length is None else [f"Texts are cut at {about.max_length:,} tokens."]),
        *about.known,
    ]
    more = _MORE.format(
        pairs=about.pairs,
        languages=languages,
        sources=", ".join(map(code_span, about.sources)),
        limits="\n".join(f"- {line}" for line in limits),
    )
    _write(
        path,
        how,
        prompts,
        "trained",
        more,
        base_model=[about.hub_base][: bool(about.hub_base)],
        language=about.languages,
    )


def write_card_of(path: Path, how: str, prompts: Mapping[str, str], made: str = "made", more: str = "") -> None:
    """Write a model card.

    Args:
        how: a sentence that says how the model was made; `made` is a word for that.
        more: chapters after its use, such as figures.
    """
    _write(path, how, prompts, made, more)


def _write(path: Path, how: str, prompts: Mapping[str, str], made: str, more: str, **lists: Sequence[str]) -> None:
    """The text; `lists` are fields of the header, left out where they are empty."""
    fields = {**lists, "tags": _TAGS}
    header = ["library_name: sentence-transformers", "pipeline_tag: sentence-similarity"]
    for key, values in fields.items():
        header += [f"{key}:", *(f"- {value}" for value in values)] if values else []
    own = {"query": prompts.get("query", ""), "passage": prompts.get("document", "")}
    sides = {side: code_span(repr(prompt)) for side, prompt in own.items()}
    about = {"how": without_paths(how, []), "more": f"{without_paths(more, []).strip()}\n\n" if more else ""}
    write_text(path, _TEXT.format(header="\n".join(header), made=made, **about, **sides))
