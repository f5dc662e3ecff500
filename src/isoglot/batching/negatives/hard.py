from __future__ import annotations

from typing import ClassVar

from isoglot.batching.negatives import NEGATIVES, Negatives, Pool
from isoglot.batching.negatives.document import Document
from isoglot.batching.negatives.rows import Rows
from isoglot.data.pairs.table import PairTable


@NEGATIVES.register
class Hard(Negatives):
    """the rows' own negatives where any row has some, else other passages of the documents, else none (which is said)"""

    name: ClassVar[str] = "hard"
    uses_documents: ClassVar[bool] = True

    def _kind(self, table: PairTable) -> Negatives | None:
        asked = {"number": self.number, "other_languages": self.other_languages}
        if table.has_negatives:
            return Rows(**asked)
        return Document(**asked) if table.document_digest is not None else None

    def note(self, table: PairTable) -> str:
        if not self.number or self._kind(table) is not None:
            return ""
        return (
            "these pairs have neither negatives nor documents: passages of the batch are the only ones (isoglot data mine "
            "finds harder ones)"
        )

    def pool(self, table: PairTable) -> Pool | None:
        kind = self._kind(table)
        return None if kind is None else kind.pool(table)
