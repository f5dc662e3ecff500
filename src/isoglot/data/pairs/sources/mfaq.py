"""MFAQ, whose rows are pages of questions and answers."""

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.qa_set import QaPair, QaSet, Rows, objects, optional_text
from isoglot.data.pairs.source import SOURCES


class Mfaq(QaSet):
    def pairs(self, rows: Rows, path: Path, address: SetAddress) -> Iterator[QaPair]:
        for number, fields in rows:
            name = "qa_pairs" if fields.get("qa_pairs") else "pairs"
            for position, pair in enumerate(objects(fields, name, path, number)):
                texts = (optional_text(pair, side, path, number) for side in ("question", "answer"))
                yield QaPair(number, f"{number}-{position}", *texts)


SOURCES.register(Mfaq("mfaq", "MFAQ: English pages of frequently asked questions", "clips/mfaq", "data/en/train"))
