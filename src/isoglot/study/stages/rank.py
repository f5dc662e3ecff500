from __future__ import annotations

from typing import Any, ClassVar

from isoglot.files import read_json, write_json
from isoglot.retrieval.fair import Fair, FairSettings
from isoglot.study.background import content_of_sources
from isoglot.study.layout import JobFolder
from isoglot.study.stages import STAGES, Needs, Stage, Work


@STAGES.register
class Rank(FairSettings, Stage):
    """rank by a fusion of lists, as `isoglot evaluate --fusion` does; makes no model and comes last"""

    name: ClassVar[str] = "rank"
    makes_model: ClassVar[bool] = False
    keeps_vectors: ClassVar[bool] = True
    doing: ClassVar[str] = "fitting a fusion"

    def check(self) -> None:
        super().check()
        if self.fusion.is_default:
            raise ValueError(f"the fusion '{self.fusion}' is how every system is ranked; name another one")

    def ranking(self, folder: JobFolder) -> Fair | None:
        return Fair.from_dict(read_json(folder.fusion))

    @property
    def needs(self) -> Needs:
        return Needs(("parallel pairs",) if self.fusion.needs_background else (), self.fusion.labels)

    def deciding(self) -> dict[str, Any]:
        background = {"content": content_of_sources(self.background)} if self.background else {}
        return {**super().deciding(), **background}

    def run(self, work: Work) -> dict[str, Any] | None:
        model = None
        if self.fusion.needs_background:
            from isoglot.models.load import load_model

            model = load_model(work.start, dtype="float32")
        fair = self.fit(model, work.data_dir)
        assert fair is not None
        write_json(work.folder.fusion, fair.to_dict())
        return work.outcome()
