"""What the card of a debiased model says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isoglot.tables import code_span, escape


def card_text(record: Mapping[str, Any]) -> str:
    """How a model was debiased, in sentences."""
    settings = ", ".join(f"{key} {value}" for key, value in record["method"].items() if key != "name")
    method = record["method"]["name"] + (f" ({settings})" if settings else "")
    fitted = (
        f"{record['texts']:,} texts in {', '.join(record['languages'])} from {', '.join(map(escape, record['fit']))}"
    )
    words = [
        f"{code_span(record['base'])} with a linear correction after it, which takes out of the embeddings what tells their "
        f"language: {method}, strength {record['strength']:g}, queries and passages {record['sides']}. Nothing was trained. It "
        f"was fitted on {fitted}."
    ]
    if "strengths" in record:
        pairs = record["pairs"]
        words.append(
            f"The strength is the best on {pairs['held_out']:,} other pairs among those that lose at most "
            f"{record['max_mono_loss']:g} nDCG@10 within one language."
        )
    if names := record["transductive"]:
        words.append(
            f"Transductive: these texts are those of {', '.join(map(escape, names))}; figures on it are no test of the "
            "correction."
        )
    if told := record.get("told"):
        shares = ", ".join(f"{side} {share:.1%}" for side, share in told.items())
        words.append(
            "Each language has a correction of its own. `encode_query` and `encode_document` tell the language of a text from "
            f"its embedding (right for held-out texts: {shares}). Where it is known, say it: "
            '`model.encode(texts, task="query-de", prompt_name="query")`, `task="document-de", prompt_name="document"`.'
        )
    return " ".join(words)
