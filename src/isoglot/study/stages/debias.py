from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

from isoglot.evaluation.debias import DebiasSettings
from isoglot.settings import Settings
from isoglot.study.background import content_of_sources
from isoglot.study.stages import STAGES, Needs, Stage, Work


@STAGES.register
class Debias(DebiasSettings, Stage):
    """append a linear correction that takes the language out of the embeddings, as `isoglot debias` does; nothing is trained"""

    name: ClassVar[str] = "debias"
    keeps_vectors: ClassVar[bool] = True
    doing: ClassVar[str] = "debiasing"

    fit: Literal["pairs"] | tuple[str, ...] = Field(
        "pairs",
        description="texts that it is fitted on: queries and passages of the training pairs, or sources as isoglot debias --fit "
        "takes them, such as [facts:]",
    )

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        return Settings.options.__func__(cls)  # type: ignore[attr-defined,no-any-return]  # methods have their own list

    @property
    def uses_pairs(self) -> bool:
        return self.fit == "pairs"

    @property
    def needs(self) -> Needs:
        labels = "of queries and passages" if self.method.per_language else "no"
        is_of_passages = (self.sides or self.method.sides) == "passages"
        return Needs(self.method.data, "of passages" if self.method.per_language and is_of_passages else labels)

    def deciding(self) -> dict[str, Any]:
        if self.fit == "pairs":
            return super().deciding()
        return {**super().deciding(), "fit": content_of_sources(self.fit)}

    def run(self, work: Work) -> dict[str, Any] | None:
        from isoglot.data.fit_texts import FitTexts, Sources, read_sources
        from isoglot.evaluation.debias import encoder, fit_maps, save_debiased
        from isoglot.files import atomic_directory
        from isoglot.models.load import load_model
        from isoglot.models.mapped import has_unit_vectors

        model = load_model(work.start, dtype="float32")
        if self.fit == "pairs":
            pairs = work.pairs()
            sources, names = Sources(pairs, FitTexts({}), ()), list(pairs.index.sources)
        else:
            sources, names = read_sources(self.fit, data_dir=work.data_dir), list(self.fit)
        fitted = fit_maps(encoder(model, progress=False), sources, self, unit=has_unit_vectors(model))
        record = {"base": work.start, "fit": names, "transductive": list(sources.benchmarks), **fitted.record}
        with atomic_directory(work.folder.model) as path:
            save_debiased(model, fitted, record, path, sources.pairs)
        return work.outcome()
