from __future__ import annotations

from typing import Any, ClassVar

from isoglot.settings import to_dict
from isoglot.study.stages import STAGES, Needs, Stage, Work
from isoglot.training.injection.settings import InjectSettings


@STAGES.register
class Inject(InjectSettings, Stage):
    """train word translations into an early layer by adapters below it, as `isoglot inject` does (arXiv 2506.15415)"""

    name: ClassVar[str] = "inject"
    uses_seed: ClassVar[bool] = True
    doing: ClassVar[str] = "injecting words"

    def seeded(self, seed: int) -> Inject:
        return self.model_copy(update={"seed": seed})

    @property
    def needs(self) -> Needs:
        return Needs(("lexicon",), encoding=True)

    def deciding(self) -> dict[str, Any]:
        return {"stage": {**InjectSettings.deciding(self), "name": self.name}}

    def written(self) -> dict[str, Any]:
        return {
            self.name: {key: value for key, value in to_dict(self).items() if key not in ("name", "seed", "threads")}
        }

    def run(self, work: Work) -> dict[str, Any] | None:
        from isoglot.training.injection.inject import inject

        asked = InjectSettings(**{key: value for key, value in to_dict(self).items() if key != "name"})
        outcome = inject(work.start, asked.replace(threads=work.threads), work.folder.run, show=False)
        return work.outcome(seconds=outcome["seconds"], trainable_parameters=outcome["trainable_parameters"])
