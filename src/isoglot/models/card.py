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

# A multilingual retriever trained with isoglot

Trained from `{base}` by {tuning} with {strategy} batches of {batch_size} parallel pairs ({pairs}).

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
scores = model.similarity(model.encode_query(["..."]), model.encode_document(["..."]))
```

`encode_query` and `encode_document` put the prompts {query!r} and {passage!r} before each text.

The licence is that of the base model and of the training data.
"""


def write_card(
    path: Path,
    *,
    base: str,
    tuning: str,
    strategy: str,
    batch_size: int,
    pairs: Sequence[str],
    prompts: Mapping[str, str],
) -> None:
    """Write the model card.

    Args:
        path: of the file.
        base: name of the base model.
        tuning, strategy: in words.
        batch_size: pairs per batch.
        pairs: sources of the training pairs.
        prompts: of "query" and "document".
    """
    write_text(
        path,
        _TEXT.format(
            base=base,
            tuning=tuning,
            strategy=strategy,
            batch_size=batch_size,
            pairs=", ".join(pairs),
            query=prompts.get("query", ""),
            passage=prompts.get("document", ""),
        ),
    )
