"""The pairs in some languages."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from isoglot.data.languages import language
from isoglot.data.pairs.loading import check_present
from isoglot.data.pairs.table import PairTable
from isoglot.data.transform.registry import TRANSFORMS, Transform


@TRANSFORMS.register
class Languages(Transform):
    """The rows in some languages, in the order they have; `load_pairs` with the same languages reads the same table.

    Attributes:
        languages: codes; none: all.
    """

    name: ClassVar[str] = "languages"
    languages: tuple[str, ...] = ()

    def apply(self, table: PairTable) -> PairTable:
        wanted = {language(code) for code in self.languages}
        check_present("pairs", wanted, table.languages)
        if not wanted or wanted == set(table.languages):
            return table
        columns = [column for column, lang in enumerate(table.languages) if lang in wanted]
        rows = table.index.rows[:, columns]
        return table.select(np.sort(rows[rows >= 0]))
