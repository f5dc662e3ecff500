"""Some of the pairs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from isoglot.data.pairs.table import PairTable
from isoglot.data.transform.registry import TRANSFORMS, Transform


@TRANSFORMS.register
class Share(Transform):
    """A share of the pairs; smaller shares are subsets of larger ones.

    Attributes:
        amount: share of the groups of pairs. A group (pairs that share a passage or a query) is taken whole; at least one
            is taken.
        amount_seed: of the order in which groups are taken.
    """

    name: ClassVar[str] = "share"
    amount: float = Field(1.0, gt=0.0, le=1.0)
    amount_seed: int = Field(0, ge=0)

    def apply(self, table: PairTable) -> PairTable:
        if self.amount == 1.0:
            return table
        groups = table.index.shuffled_groups(self.amount_seed, 43)
        return table.select_pairs(np.isin(table.index.group, groups[: max(1, round(self.amount * len(groups)))]))
