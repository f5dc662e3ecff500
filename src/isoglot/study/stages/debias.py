from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

from isoglot.evaluation.debias import DebiasSettings
from isoglot.settings import Settings
from isoglot.study.stages import STAGES, Stage, Work


@STAGES.register
class Debias(DebiasSettings, Stage):
    """append a linear correction that takes the language out of the embeddings, as `isoglot debias` does; nothing is trained"""

    name: ClassVar[str] = "debias"
    uses_pairs: ClassVar[bool] = True
    doing: ClassVar[str] = "debiasing"

    fit: Literal["pairs"] = Field("pairs", description="texts that it is fitted on: queries and passages of the pairs")

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        return Settings.options.__func__(cls)  # type: ignore[attr-defined,no-any-return]  # methods have their own list

    def run(self, work: Work) -> dict[str, Any] | None:
        from isoglot.data.fit_texts import FitTexts, Sources
        from isoglot.evaluation.debias import encoder, fit_maps, save_debiased
        from isoglot.files import atomic_directory
        from isoglot.models.load import load_model
        from isoglot.models.mapped import has_unit_vectors

        model, pairs = load_model(work.start, dtype="float32"), work.pairs()
        sources = Sources(pairs, FitTexts({}), ())
        fitted = fit_maps(encoder(model, progress=False), sources, self, unit=has_unit_vectors(model))
        record = {"base": work.start, "fit": list(pairs.index.sources), "transductive": [], **fitted.record}
        with atomic_directory(work.folder.model) as path:
            save_debiased(model, fitted, record, path, pairs)
        return work.outcome()
