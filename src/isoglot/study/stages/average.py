from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isoglot.study.stages import STAGES, Stage, Work


@STAGES.register
class Average(Stage):
    """average the weights with those of the untrained base (Wortsman et al. 2022, arXiv 2109.01903)"""

    name: ClassVar[str] = "average"
    doing: ClassVar[str] = "averaging"

    share: float = Field(ge=0, le=1, description="of the trained weights; the rest is the base's")

    def run(self, work: Work) -> dict[str, Any] | None:
        from isoglot.training.average import average_weights

        shares = self.share, 1.0 - self.share
        average_weights((work.start, work.base), shares, work.folder.model, alike=False)
        return work.outcome()
