from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isoglot.settings import to_dict
from isoglot.study.stages import STAGES, Stage, Work


@STAGES.register
class Average(Stage):
    """average the weights with those of the untrained base (Wortsman et al. 2022, arXiv 2109.01903), or of other systems"""

    name: ClassVar[str] = "average"
    doing: ClassVar[str] = "averaging"

    share: float = Field(
        ge=0, le=1, description="of the trained weights; the rest is the base's, or shared out among others"
    )
    others: tuple[str, ...] = Field(
        (), description="names of systems, taken with the same data and seed, instead of the base (arXiv 2203.05482)"
    )

    @property
    def beside(self) -> tuple[str, ...]:
        return self.others

    def deciding(self) -> dict[str, Any]:
        return {"stage": {key: value for key, value in to_dict(self).items() if key != "others"}}

    def written(self) -> dict[str, Any]:
        return {self.name: {"share": self.share, **({"others": list(self.others)} if self.others else {})}}

    def run(self, work: Work) -> dict[str, Any] | None:
        from isoglot.training.average import average_weights

        others = work.beside or (work.base,)
        shares = self.share, *[(1.0 - self.share) / len(others)] * len(others)
        average_weights((work.start, *others), shares, work.folder.model, alike=bool(work.beside))
        return work.outcome()
