"""What `isoglot evaluate`, `isoglot.evaluate` and a study's `evaluate:` can be asked for; each default and limit once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from isoglot.data.benchmarks.qrels import one_spelling, restrict
from isoglot.errors import InputError
from isoglot.evaluation.cells import parse_settings
from isoglot.evaluation.measures import Measure, default_measures, parse_measures
from isoglot.models.precision import Precision
from isoglot.records import NATURAL, SETTINGS, Benchmark
from isoglot.settings import Settings

# settings that a study's digest names only where they are not the default
_UNNAMED: dict[str, Any] = {"passage": "title+text", "allow_missing": False, "precision": "fp32"}


class EvaluateSettings(Settings):
    """What is measured, and which part of the benchmark it is measured on."""

    measures: tuple[str, ...] = Field(
        default_factory=default_measures, description="what is computed, by ir_measures' names"
    )
    settings: tuple[str, ...] = Field(SETTINGS, description=f"of {', '.join((*SETTINGS, *NATURAL))}")
    languages: tuple[str, ...] = Field((), description="restrict queries and corpora; all where none is given")
    context: Literal["sentence", "paragraph"] = Field(
        "sentence",
        description="benchmarks of answer sentences: encode a candidate alone or with its paragraph (LAReQA's variant)",
    )
    corpus_sample: int | None = Field(
        None, ge=0, description="only judged passages and so many others per language (not comparable)"
    )
    sample_seed: int = Field(0, ge=0, description="of that sample")
    batch_size: int | None = Field(None, ge=1, description="texts per forward pass; 64 where it is not given")
    precision: Precision = Field(
        "fp32",
        description="of encoding; bf16 is two to three times as fast where the CPU has instructions for it, and moves vectors by "
        "about .4% of their length; ranks are exact for these vectors",
    )
    passage: Literal["title+text", "text"] = Field("title+text", description="what is encoded of passages with titles")
    allow_missing: bool = Field(False, description="leave out judged passages that a corpus of whole Wikipedias lacks")

    @field_validator("measures", mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
            return tuple(str(measure) if isinstance(measure, Measure) else measure for measure in value)
        return str(value) if isinstance(value, Measure) else value

    @field_validator("measures", "settings")
    @classmethod
    def _known(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        try:
            (parse_measures if info.field_name == "measures" else parse_settings)(value)
        except InputError as error:
            raise ValueError(str(error)) from None
        return value

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key not in _UNNAMED or value != _UNNAMED[key]}

    @classmethod
    def of(cls, **given: Any) -> EvaluateSettings:
        """Settings of keyword arguments, where None stands for the default."""
        return cls(**{key: value for key, value in given.items() if value is not None})

    def load(self, benchmark: str | Path | Benchmark, data_dir: str | Path | None = None) -> Benchmark:
        """The benchmark as it is to be measured, see `load_benchmark`; one that is loaded keeps all but other languages."""
        from isoglot.data.benchmarks.load import load_benchmark

        if isinstance(benchmark, Benchmark):
            return restrict(one_spelling(benchmark), self.languages or None)
        asked = self.model_dump(exclude={"measures", "settings", "batch_size", "precision"})
        return load_benchmark(benchmark, data_dir=data_dir, **{**asked, "languages": self.languages or None})
