"""Repair a model without training: fit a correction of its embeddings, choose its strength, save the model with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from isoglot.data.audit.trained import Sample as Hashed
from isoglot.data.audit.trained import TrainedTexts, id_hash, text_hash, trained_of
from isoglot.data.fit_texts import FitTexts, Sources, first_texts, joined, read_sources, texts_of
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, warn
from isoglot.evaluation.debias_card import card_text
from isoglot.evaluation.debias_collection import collection_texts, is_collection, with_stored
from isoglot.evaluation.debias_strength import Encode, choose_strength, hold_out
from isoglot.evaluation.results import model_digest
from isoglot.files import atomic_directory
from isoglot.models.card import write_card_of
from isoglot.models.content import check_apart, content_of
from isoglot.models.debias import DEBIAS_METHODS, EVERY, Correction, Sample, Sides
from isoglot.models.language_maps import SIDES, LanguageMaps, Side, Teller, fit_tellers, record_of
from isoglot.records import Float32Array, several
from isoglot.retrieval.encode import encode_texts, prompt_of
from isoglot.retrieval.store import EmbeddingStore
from isoglot.settings import Settings, default_of, lift, member_of, member_options, to_dict

_FEW = 50  # texts of a language and side below which its mean is mostly chance


class DebiasSettings(Settings):
    """How a correction is fitted."""

    inner: ClassVar[tuple[str, ...]] = ("method",)

    method: member_of(DEBIAS_METHODS) = default_of(DEBIAS_METHODS)  # type: ignore[valid-type]
    strength: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = Field(
        1.0, description="share of the correction that is made, 0 to 1; auto: the best one on pairs that are held out"
    )
    sides: Sides | None = Field(
        None,
        description="apart: queries and passages each have a correction; together: one for both; passages: queries stay as they "
        "are (default: that of the method, together for lir, else apart)",
    )
    texts: int = Field(1000, gt=1, description="most queries and most passages per language that it is fitted on")
    held_out: float = Field(0.2, gt=0, lt=1, description="for auto: share of the pairs that it is not fitted on")
    max_mono_loss: float = Field(
        0.005, ge=0, le=1, description="for auto: nDCG@10 that retrieval within one language may lose"
    )
    seed: int = Field(0, ge=0, description="of the draw of texts and of pairs that are held out")

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, values: Any) -> Any:
        return lift(values, "method", DEBIAS_METHODS) if isinstance(values, Mapping) else values

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        return {**cls.model_fields, **member_options(DEBIAS_METHODS)}


@dataclass(frozen=True)
class Fitted:
    """What `fit_maps` found.

    Attributes:
        maps: with their strength.
        texts: that they are fitted on.
        record: plain JSON values: method, strength, sides, languages, texts (number), digest, pairs {"fitted", "held_out"},
            "told" (share of texts whose language is told right, by side), "strengths" (rows of the table of auto).
    """

    maps: LanguageMaps
    texts: FitTexts
    record: dict[str, Any]


def debias(
    model: str,
    fit: str | Sequence[str],
    output: str | Path,
    asked: DebiasSettings | None = None,
    *,
    languages: str | Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    store: EmbeddingStore | None = None,
    device: str | None = None,
    progress: bool = True,
    **changes: Any,
) -> dict[str, Any]:
    """Write a model whose embeddings tell less of their language: the same weights and a linear correction after them.

    Args:
        model: hub id, directory, run, or offline:NAME.
        fit: sources of texts (`isoglot.data.fit_texts.read_sources`), which should be none of what is measured later; an index,
            whose passages are not encoded again where it has the model.
        output: the model's directory.
        asked: the defaults when None; `changes` are single fields of it: method="shift", strength="auto", ...
        languages: of the texts, these only.
        store: keeps the vectors of the texts.

    Returns:
        how it was fitted, as `debias.json` in the directory says it.

    Raises:
        InputError: bad sources or settings, a model that is debiased already, an output that is not empty.
    """
    from isoglot.models.load import load_model

    given = {**(to_dict(asked) if asked else {}), **changes}
    asked, names, folder = DebiasSettings(**given), several(fit), Path(output)
    check_apart(model, folder)
    indexes = {name: collection_texts(name, asked.texts, asked.seed) for name in names if is_collection(name)}
    wanted, home = None if languages is None else several(languages), None if data_dir is None else Path(data_dir)
    sources = read_sources([name for name in names if name not in indexes], wanted, home, indexes)
    loaded = load_model(model, device=device, dtype="float32")
    if (before := record_of(loaded)) is not None:
        raise InputError(f"{model}: is debiased already ({before['method'].get('name')}): debias {before.get('base')}")
    encode = with_stored(encoder(loaded, store, progress), list(indexes), loaded, model)
    fitted = fit_maps(encode, sources, asked, unit=_unit(loaded))
    record = {
        "base": model,
        "fit": names,
        "transductive": list(sources.benchmarks),
        **fitted.record,
        "content": content_of(model),
    }
    if sources.benchmarks:
        warn(
            f"fitted on {', '.join(sources.benchmarks)}: figures on it are transductive, and no test of the correction"
        )
    with atomic_directory(folder) as path:
        save_debiased(loaded, fitted, record, path, sources.pairs)
    return record


def encoder(model: Any, store: EmbeddingStore | None = None, progress: bool = True) -> Encode:
    """Encodes by a model, by way of a store where there is one."""
    digest = str(model_digest(model)) if store else ""

    def encode(texts: Sequence[str], side: Side, languages: Sequence[str]) -> Float32Array:
        if store is None:
            return encode_texts(model, texts, side, progress=progress, languages=languages)
        prompt = prompt_of(model, side)
        stored = store.encode(model, digest, prompt, texts, side, progress=progress, languages=languages)
        return np.asarray(stored, dtype=np.float32)

    return encode


def fit_maps(encode: Encode, sources: Sources, asked: DebiasSettings, *, unit: bool = True) -> Fitted:
    """Fit corrections on what sources hold, and choose their strength.

    Args:
        unit: whether corrected vectors are compared by their direction alone.

    Raises:
        InputError: `auto` without pairs; what the method raises.
    """
    table, held = sources.pairs, None
    if asked.strength == "auto":
        if table is None:
            raise InputError(
                "strength auto needs pairs of queries and passages to measure on; give a number, or pairs to fit"
            )
        table, held = hold_out(table, asked.held_out, asked.seed)
    parts = [texts_of(table, asked.texts, asked.seed)] if table else []
    texts = joined([*parts, first_texts(sources.texts, asked.texts, asked.seed)])
    samples: dict[Side, dict[str, Sample]] = {}
    for side in SIDES:
        if own := texts.sides.get(side):
            vectors = encode(texts.of_side(side), side, [lang for lang in own for _ in own[lang].texts])
            ends = np.cumsum([len(numbered.texts) for numbered in own.values()])
            split = zip(own, np.split(vectors, ends[:-1]))
            samples[side] = {lang: Sample(part, own[lang].pairs) for lang, part in split}
    maps, told = fit_samples(samples, asked)
    record: dict[str, Any] = {
        "method": to_dict(asked.method),
        "sides": _sides(samples, asked),
        "languages": list(texts.languages),
        "texts": len(texts),
        "digest": texts.digest,
        "unit": unit,
        **({"told": told} if told else {}),
    }
    if held is not None and table is not None:
        maps, rows = choose_strength(encode, held, maps, asked.max_mono_loss, unit=unit)
        record |= {"pairs": {"fitted": table.index.n_pairs, "held_out": held.index.n_pairs}, "strengths": rows}
        record["max_mono_loss"] = asked.max_mono_loss
    return Fitted(maps, texts, {**record, "strength": maps.strength})


def fit_samples(
    samples: Mapping[Side, Mapping[str, Sample]], asked: DebiasSettings
) -> tuple[LanguageMaps, dict[str, float]]:
    """The corrections of embeddings by side and language, at strength 1 for `auto`, and how well languages are told.

    Raises:
        InputError: what the method raises.
    """
    few = {
        f"{lang} ({len(one.pairs)})" for own in samples.values() for lang, one in own.items() if len(one.pairs) < _FEW
    }
    if few:
        warn(f"few texts in {', '.join(sorted(few))}: a correction that is fitted on less than {_FEW} is mostly chance")
    how = _sides(samples, asked)
    sides: dict[Side, dict[str, Correction]] = {}
    if how == "together":
        both = asked.method.fit(_both(samples))
        sides = dict.fromkeys(SIDES, both)
    else:
        sides = {side: asked.method.fit(samples[side]) for side in SIDES if how == "apart" or side == "passage"}
    tellers: dict[Side, Teller] = {}
    told: dict[Side, float] = {}
    if not any(EVERY in own for own in sides.values()):
        own_of = {side: samples.get(side) or next(iter(samples.values())) for side in sides}
        # of one correction for both sides, each side is told by its own texts where it has some in every language
        own_of = {side: own if set(own) == set(sides[side]) else _both(samples) for side, own in own_of.items()}
        tellers, told = fit_tellers(own_of)
    strength = 1.0 if asked.strength == "auto" else float(asked.strength)
    return LanguageMaps(sides, strength, tellers), {str(side): share for side, share in told.items()}


def save_debiased(
    model: Any, fitted: Fitted, record: Mapping[str, Any], folder: Path, table: PairTable | None = None
) -> None:
    """Append the maps to a model, and write it with its record, its card and the hashes of the texts.

    Args:
        folder: where nobody else reads yet.
        table: of the pairs among the texts.
    """
    from isoglot.models.mapped import append_maps

    before = len(list(model.children()))
    append_maps(model, fitted.maps).save_pretrained(str(folder), create_model_card=False)
    fitted.maps.save(folder, {**record, "modules": before})
    (trained_of(model) | _trained(fitted.texts, table)).save(folder)
    write_card_of(folder / "README.md", card_text(record), model.prompts, made="debiased")


def _unit(model: Any) -> bool:
    from isoglot.models.mapped import has_unit_vectors

    return has_unit_vectors(model)


def _sides(samples: Mapping[Side, Mapping[str, Sample]], asked: DebiasSettings) -> Sides:
    """How the sides are fitted. Says so where texts of one side alone decide it."""
    how: Sides = asked.sides or asked.method.sides
    if len(samples) == 1 and how == "apart":
        (side,) = samples
        if asked.sides == "apart":
            raise InputError(
                f"no texts of the other side than {side}: sides apart need queries and passages; say together"
            )
        return "together"
    if how == "passages" and "passage" not in samples:
        raise InputError("no passages among the texts: sides passages needs some")
    return how


def _both(samples: Mapping[Side, Mapping[str, Sample]]) -> dict[str, Sample]:
    """Queries and passages as texts of one kind; a query is a translation of queries alone."""
    most = max(int(sample.pairs.max(initial=-1)) for own in samples.values() for sample in own.values()) + 1
    parts: dict[str, list[Sample]] = {}
    for number, own in enumerate(samples.values()):
        for lang, sample in own.items():
            parts.setdefault(lang, []).append(Sample(sample.vectors, sample.pairs + number * most))
    return {
        lang: Sample(np.concatenate([one.vectors for one in own]), np.concatenate([one.pairs for one in own]))
        for lang, own in sorted(parts.items())
    }


def _trained(texts: FitTexts, table: PairTable | None) -> TrainedTexts:
    """What a correction knows, as it is known of training."""
    ids: list[str] = []
    if table is not None:
        ids = table.column("id", np.arange(len(table)))
    sides = {"queries": texts.of_side("query"), "passages": texts.of_side("passage")}
    hashed = {name: Hashed.of(map(text_hash, own)) for name, own in sides.items()}
    return TrainedTexts({**hashed, "ids": Hashed.of(map(id_hash, ids))})
