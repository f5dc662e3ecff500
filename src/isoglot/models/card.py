"""The README.md inside a saved model: what it is and how to use it."""

from __future__ import annotations

from pathlib import Path

from isoglot.files import write_text
from isoglot.training.settings import TrainSettings

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


def write_card(path: Path, settings: TrainSettings, prompts: dict[str, str] | None = None) -> None:
    """Write the model card."""
    share = f" (mono_share {settings.mono_share:g})" if settings.strategy == "hybrid" else ""
    prompts = prompts or {}
    write_text(
        path,
        _TEXT.format(
            base=settings.base,
            tuning="LoRA" if settings.tuning == "lora" else "full fine-tuning",
            strategy=settings.strategy + share,
            batch_size=settings.batch_size,
            pairs=", ".join(settings.pairs),
            query=prompts.get("query", ""),
            passage=prompts.get("document", ""),
        ),
    )
