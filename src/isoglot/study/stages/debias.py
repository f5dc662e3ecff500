from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from isoglot.models.debias import DEBIAS_METHODS
from isoglot.settings import default_of, lift, member_of
from isoglot.study.stages import STAGES, Stage, Work


@STAGES.register
class Debias(Stage):
    """append a linear map that takes the language out of the embeddings; nothing is trained"""

    name: ClassVar[str] = "debias"
    uses_pairs: ClassVar[bool] = True
    doing: ClassVar[str] = "debiasing"
    inner: ClassVar[tuple[str, ...]] = ("method",)

    method: member_of(DEBIAS_METHODS) = default_of(DEBIAS_METHODS)  # type: ignore[valid-type]
    fit: Literal["pairs"] = Field(
        "pairs", description="texts that the map is fitted on: queries and passages of the pairs"
    )
    texts: int = Field(10_000, gt=0, description="most queries and most passages per language")

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, values: Any) -> Any:
        return lift(values, "method", DEBIAS_METHODS) if isinstance(values, Mapping) else values

    def run(self, work: Work) -> dict[str, Any] | None:
        import numpy as np

        from isoglot.data.audit.trained import TrainedTexts, trained_of
        from isoglot.files import atomic_directory
        from isoglot.models.debias import append_map
        from isoglot.models.load import load_model
        from isoglot.retrieval.encode import encode_texts

        table, model = work.pairs(), load_model(work.start)
        vectors, used = {}, []
        for column, language in enumerate(table.languages):
            rows = table.index.rows[:, column]
            rows = rows[rows >= 0]
            rows = rows[np.linspace(0, len(rows) - 1, min(self.texts, len(rows))).round().astype(np.int64)]
            used.append(rows)
            sides = [
                encode_texts(model, table.column(side, rows), side, progress=False) for side in ("query", "passage")
            ]
            vectors[language] = np.concatenate(sides)
        append_map(model, self.method.fit(vectors))
        with atomic_directory(work.folder.model) as path:
            model.save_pretrained(str(path), create_model_card=False)
            rows = np.concatenate(used)
            (trained_of(model) | TrainedTexts.of(table, rows, rows)).save(path)
        return work.outcome()
