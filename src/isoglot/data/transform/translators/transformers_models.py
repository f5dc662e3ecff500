"""Translation models of transformers: NLLB, M2M100, mBART-50, MarianMT, MADLAD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Literal

from pydantic import Field

from isoglot.data.transform.language_tokens import ModelLanguages
from isoglot.data.transform.model_files import (
    length_limit,
    load_tokenizer,
    loading,
    local_only,
    model_content,
    most_new_tokens,
)
from isoglot.data.transform.translators import TRANSLATORS, Direction, Failure, Outcome, Session, Translator
from isoglot.errors import InputError
from isoglot.pickles import no_pickles
from isoglot.places import at_home
from isoglot.processes import best_device, check_device


@TRANSLATORS.register
class TransformersModel(Translator):
    """an encoder-decoder of transformers (NLLB, M2M100, mBART-50, MarianMT, MADLAD): hub id or folder, safetensors only"""

    name: ClassVar[str] = "transformers"
    form: ClassVar[str] = "transformers:MODEL"
    not_deciding: ClassVar[tuple[str, ...]] = ("spec", "batch_size", "devices")

    beams: int = Field(4, ge=1, le=64, description="width of the beam search; 1: the likeliest token at every step")
    dtype: Literal["float32", "float16", "bfloat16"] = Field("float32", description="of a model's weights")
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="longer texts are not translated, and no translation is longer (default 512, or the model's limit)",
    )
    devices: tuple[str, ...] = Field((), description="cpu, cuda:0 cuda:1, ...: a process each (default: the best one)")

    def lanes(self) -> list[str | None]:
        return [*self.devices] or [None]

    def check_ready(self, directions: Sequence[Direction]) -> None:
        for device in self.devices:
            check_device(device)
        languages = ModelLanguages.of(self.spec, load_tokenizer(self.spec), self.own_codes)
        for direction in directions:
            languages.check(*direction)

    def content(self) -> Mapping[str, Any]:
        return model_content(self.spec)

    def open(self, device: str | None) -> Session:
        return _Model(self, device or best_device())


class _Model:
    """A model on one device."""

    def __init__(self, asked: TransformersModel, device: str) -> None:
        import torch
        from transformers import AutoModelForSeq2SeqLM

        self._asked, self._device = asked, device
        self._tokenizer = load_tokenizer(asked.spec)
        self._languages = ModelLanguages.of(asked.spec, self._tokenizer, asked.own_codes)
        with loading(asked.spec), no_pickles():
            model, report = AutoModelForSeq2SeqLM.from_pretrained(
                str(at_home(asked.spec)),
                dtype=getattr(torch, asked.dtype),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=local_only(asked.spec),
                output_loading_info=True,
            )
            if wrong := sorted({*report["missing_keys"], *map(str, report["mismatched_keys"])}):
                raise InputError(f"{asked.spec}: its files lack {len(wrong)} weights ({', '.join(wrong[:3])}, ...)")
            self._model = model.to(device).eval()
        model.generation_config.max_length = None  # of texts of any length; each batch has a limit of its own
        positions = getattr(model.config, "max_position_embeddings", None)
        self._limit = length_limit(self._tokenizer, asked.max_tokens, positions)

    def __call__(self, texts: Sequence[str], source: str, target: str) -> list[Outcome]:
        told, first = self._languages.tell(self._tokenizer, texts, source, target)
        ids: list[list[int]] = [self._tokenizer(text)["input_ids"] for text in told]
        outcomes: list[Outcome] = [Failure(f"{len(tokens)} tokens, at most {self._limit} are taken") for tokens in ids]
        fitting = [number for number, tokens in enumerate(ids) if len(tokens) <= self._limit]
        if fitting:
            made = self._generate([ids[number] for number in fitting], first)
            for number, outcome in zip(fitting, made):
                outcomes[number] = outcome
        return outcomes

    def _generate(self, ids: list[list[int]], first: str | None) -> list[Outcome]:
        import torch

        tokenizer, longest = self._tokenizer, max(map(len, ids))
        batch = tokenizer.pad({"input_ids": ids}, padding=True, return_tensors="pt").to(self._device)
        settings: Any = copy(self._model.generation_config)
        settings.num_beams, settings.do_sample = self._asked.beams, False
        settings.max_new_tokens = most_new_tokens(longest, self._limit)
        settings.forced_eos_token_id = None  # an end that is forced would make a cut text look whole
        if first is not None:
            settings.forced_bos_token_id = tokenizer.convert_tokens_to_ids(first)
        try:
            with torch.inference_mode():
                rows = self._model.generate(
                    input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], generation_config=settings
                ).tolist()
        except torch.OutOfMemoryError:
            raise InputError(
                f"{len(ids)} texts of at most {longest} tokens do not fit into the memory of {self._device}: take a smaller "
                "batch_size, fewer beams, or dtype float16; what was translated so far is kept"
            ) from None
        end = tokenizer.eos_token_id
        # decoding may begin with the token that ends a text
        return [
            tokenizer.decode(row, skip_special_tokens=True).strip()
            if end in row[1:]
            else Failure(f"no end within {settings.max_new_tokens} tokens")
            for row in rows
        ]
