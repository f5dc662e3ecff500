"""Models that were converted for CTranslate2, which computes the same in less time and memory (extra `ctranslate2`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from isoglot.data.transform.language_tokens import ModelLanguages
from isoglot.data.transform.model_files import length_limit, load_tokenizer, loading, model_content, most_new_tokens
from isoglot.data.transform.translators import TRANSLATORS, Direction, Failure, Outcome, Session, Translator
from isoglot.errors import InputError
from isoglot.optional import needed
from isoglot.places import at_home
from isoglot.processes import best_device, check_device


@TRANSLATORS.register
class CTranslate2Model(Translator):
    """a folder that ct2-transformers-converter wrote, with the tokenizer's files in it or in the model named by --tokenizer"""

    name: ClassVar[str] = "ctranslate2"
    form: ClassVar[str] = "ctranslate2:DIR"
    not_deciding: ClassVar[tuple[str, ...]] = ("spec", "tokenizer", "batch_size", "devices", "threads")

    tokenizer: str | None = Field(
        None, description="model whose tokenizer belongs to a converted one (default: its folder)"
    )
    beams: int = Field(4, ge=1, le=64, description="width of the beam search; 1: the likeliest token at every step")
    compute_type: str = Field(
        "default", description="of a converted model, as CTranslate2 names it: int8, float16, ..."
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="longer texts are not translated, and no translation is longer (default 512, or the model's limit)",
    )
    devices: tuple[str, ...] = Field((), description="cpu, cuda:0 cuda:1, ...: a process each (default: the best one)")
    threads: int = Field(0, ge=0, le=1024, description="of a converted model on a CPU; 0: as many as it finds best")

    def lanes(self) -> list[str | None]:
        return [*self.devices] or [None]

    def check_ready(self, directions: Sequence[Direction]) -> None:
        if not (at_home(self.spec) / "model.bin").is_file():
            raise InputError(
                f"{self.spec}: no model.bin there; expected a folder that ct2-transformers-converter wrote"
            )
        for device in self.devices:
            if not (device == "cpu" or device.startswith("cuda")):
                raise InputError(f"device '{device}': CTranslate2 takes cpu, cuda, cuda:1")
            check_device(device)
        languages = self.languages(load_tokenizer(self.tokenizer or self.spec))
        for direction in directions:
            languages.check(*direction)

    def languages(self, tokenizer: Any) -> ModelLanguages:
        """The languages of the model, from its tokenizer."""
        return ModelLanguages.of(self.spec, tokenizer, self.own_codes)

    def content(self) -> Mapping[str, Any]:
        tokenizer = {"tokenizer": model_content(self.tokenizer)} if self.tokenizer else {}
        return {**model_content(self.spec), **tokenizer}

    def open(self, device: str | None) -> Session:
        device = device or best_device()
        return _Converted(self, device if device.startswith("cuda") else "cpu")


class _Converted:
    """A converted model on one device."""

    def __init__(self, asked: CTranslate2Model, device: str) -> None:
        self._asked = asked
        self._tokenizer = load_tokenizer(asked.tokenizer or asked.spec)
        self._languages = asked.languages(self._tokenizer)
        self._limit = length_limit(self._tokenizer, asked.max_tokens)
        kind, _, number = device.partition(":")
        with loading(asked.spec):
            ctranslate2 = needed("ctranslate2", "backend ctranslate2 needs the package of that name", "ctranslate2")
            self._model = ctranslate2.Translator(
                str(at_home(asked.spec)),
                device=kind,
                device_index=int(number or 0),
                compute_type=asked.compute_type,
                intra_threads=asked.threads,
            )

    def __call__(self, texts: Sequence[str], source: str, target: str) -> list[Outcome]:
        tokenizer = self._tokenizer
        told, first = self._languages.tell(tokenizer, texts, source, target)
        tokens = [tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) for text in told]
        outcomes: list[Outcome] = [Failure(f"{len(text)} tokens, at most {self._limit} are taken") for text in tokens]
        fitting = [number for number, text in enumerate(tokens) if len(text) <= self._limit]
        if not fitting:
            return outcomes
        most = most_new_tokens(max(len(tokens[number]) for number in fitting), self._limit)
        made = self._model.translate_batch(
            [tokens[number] for number in fitting],
            target_prefix=[[first]] * len(fitting) if first else None,
            beam_size=self._asked.beams,
            max_decoding_length=most,
            max_input_length=0,  # longer ones were left out; it would cut them
            return_end_token=True,
        )
        for number, result in zip(fitting, made):
            ids = tokenizer.convert_tokens_to_ids(result.hypotheses[0])
            is_whole = tokenizer.eos_token_id in ids
            text = tokenizer.decode(ids, skip_special_tokens=True).strip()
            outcomes[number] = text if is_whole else Failure(f"no end within {most} tokens")
        return outcomes
