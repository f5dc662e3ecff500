from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from isoglot.batching.strategies import STRATEGIES, Strategy
from isoglot.batching.strategies.cross import Cross
from isoglot.batching.strategies.mono import Mono


@STRATEGIES.register
class Hybrid(Strategy):
    """each batch is monolingual with probability mono_share (alpha), cross-lingual otherwise"""

    name: ClassVar[str] = "hybrid"
    is_usual: ClassVar[bool] = True
    is_default: ClassVar[bool] = True
    mono_share: float = Field(0.5, ge=0, le=1, description="alpha: share of monolingual batches")

    def parts(self) -> Sequence[tuple[Strategy, float]]:
        return [(Mono(), self.mono_share), (Cross(), 1.0 - self.mono_share)]
