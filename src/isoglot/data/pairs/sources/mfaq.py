"""MFAQ, whose rows are pages of questions and answers."""

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.qa_set import QaPair, QaSet, Rows
from isoglot.data.pairs.source import SOURCES


class Mfaq(QaSet):
    def pairs(self, rows: Rows, path: Path, address: SetAddress) -> Iterator[QaPair]:
        for number, fields in rows:
            for position, pair in enumerate(fields.get("qa_pairs") or fields.get("pairs") or ()):
                texts = str(pair.get("question") or ""), str(pair.get("answer") or "")
                yield QaPair(number, f"{number}-{position}", *texts)


SOURCES.register(Mfaq("mfaq", "MFAQ: English pages of frequently asked questions", "clips/mfaq", "data/en/train"))
