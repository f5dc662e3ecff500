"""MFAQ, whose rows are pages of questions and answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.data.pairs.qa_set import QaPair, QaSet, objects, optional_text
from isoglot.data.pairs.source import SOURCES


class Mfaq(QaSet):
    def pairs(self, number: int, fields: Mapping[str, Any], path: Path) -> list[QaPair]:
        name = "qa_pairs" if fields.get("qa_pairs") else "pairs"
        found = []
        for position, pair in enumerate(objects(fields, name, path, number)):
            query, passage = (optional_text(pair, side, path, number) for side in ("question", "answer"))
            found.append(QaPair(number, f"{number}-{position}", query, passage))
        return found


SOURCES.register(Mfaq("mfaq", "MFAQ: English pages of frequently asked questions", "clips/mfaq", "data/en/train"))
