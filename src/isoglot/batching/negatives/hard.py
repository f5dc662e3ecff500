from __future__ import annotations

from typing import ClassVar

from isoglot.batching.negatives import NEGATIVES, Negatives, Pool
from isoglot.batching.negatives.document import Document
from isoglot.batching.negatives.rows import Rows
from isoglot.data.pairs.table import PairTable
from isoglot.errors import say


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

    def check_table(self, table: PairTable) -> None:
        """Anything will do; that there is nothing is said."""
        if self.number and self._kind(table) is None:
            say(
                "negatives: these pairs have neither negatives nor documents, so that passages of the batch are the only ones "
                "(isoglot data mine finds harder ones)"
            )

    def pool(self, table: PairTable) -> Pool | None:
        kind = self._kind(table)
        return None if kind is None else kind.pool(table)
