"""Which layer of a model brings translations of words together: cosines against those of other words, and retrieval.

(The idea of looking for it: Ngugi 2025, "Targeted Lexical Injection", arXiv 2506.15415, which goes by the cosine of translations
alone. Vectors of one layer may all point one way (Ethayarajh 2019, arXiv 1909.00512); then any two words have a cosine near 1, so
here the same words stand beside words that are no translations.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from isoglot.data.lexicons.word_pairs import WordPairs
from isoglot.records import BoolArray, Float32Array, FloatArray
from isoglot.retrieval.encode import Prompt
from isoglot.settings import Settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Criterion = Literal["P@1", "margin", "cosine"]
PROMPT = "the model's prompt that stands before a word; in early layers its tokens outweigh those of a word"
CRITERIA: tuple[Criterion, ...] = ("P@1", "margin", "cosine")
LEVEL = 0.95
OUTPUT = "output"
_BLOCK = 1024  # words per block of cosines


class ProbeSettings(Settings):
    """What `isoglot probe` is asked for."""

    lexicon: tuple[str, ...] = Field(
        min_length=1, description="lexicons, each [LANGUAGE-LANGUAGE=][FORMAT:]FILE (isoglot list lexicons)"
    )
    pairs: int = Field(
        1000, ge=2, le=50_000, description="word pairs of every pair of languages, drawn by chance; all of fewer"
    )
    prompt: Prompt = Field("none", description=PROMPT)
    criterion: Criterion = Field(
        "P@1",
        description="by which a layer is chosen. P@1 (retrieval) does not depend on how a layer spreads its vectors; the margin "
        "does, and the cosine says little else",
    )
    copies: bool = Field(False, description="keep pairs of words that are spelled alike")
    resamples: int = Field(1000, ge=100, le=100_000, description="of the bootstrap of margins")
    seed: int = Field(0, ge=0, description="of the drawing of pairs and resamples")


@dataclass(frozen=True)
class PairScores:
    """What one layer makes of n word pairs.

    Attributes:
        cosine: of the word and its translation, float64, shape (n,).
        shuffled: mean cosine of the word and the translations of all other words, likewise.
        hits: whether the nearest of all translations is one of the word's own, bool, shape (n,).
    """

    cosine: FloatArray
    shuffled: FloatArray
    hits: BoolArray

    @property
    def margin(self) -> FloatArray:
        """How much nearer the translation is than other words are, shape (n,)."""
        return self.cosine - self.shuffled

    def values(self) -> dict[Criterion, FloatArray]:
        """By criterion, a number of every pair, shape (n,)."""
        return {"P@1": self.hits.astype(np.float64), "margin": self.margin, "cosine": self.cosine}


def score_pairs(words: Float32Array, translations: Float32Array, pairs: WordPairs) -> PairScores:
    """Compare words with all translations.

    A word that is as near to a wrong translation as to its own is no hit.

    Args:
        words, translations: of length 1, shape (n, d); row i of both is pair i.
        pairs: the n pairs.
    """
    n = len(pairs)
    column = {key: number for number, key in enumerate(pairs.keys())}
    cosine, total, hits = np.empty(n), np.empty(n), np.empty(n, dtype=np.bool_)
    for start in range(0, n, _BLOCK):
        rows = range(start, min(start + _BLOCK, n))
        scores = words[start : rows.stop] @ translations.T
        own = np.zeros(scores.shape, dtype=np.bool_)
        for place, row in enumerate(rows):
            own[place, [column[key] for key in pairs.accepted[row] if key in column]] = True
        block = slice(start, rows.stop)
        cosine[block] = scores[np.arange(len(rows)), np.arange(start, rows.stop)]
        total[block] = scores.sum(axis=1, dtype=np.float64)
        right, wrong = (np.where(mask, scores, -np.inf).max(axis=1) for mask in (own, ~own))
        hits[block] = right > wrong
    return PairScores(cosine, (total - cosine) / (n - 1), hits)


def score_layers(
    model: SentenceTransformer, pairs: WordPairs, prompt: Prompt, *, show: bool = True
) -> dict[str, PairScores]:
    """`PairScores` of every layer, "0" to "n", and of the model's "output"."""
    from isoglot.retrieval.layers import embed_layers

    vectors = embed_layers(model, [*pairs.words, *pairs.translations], prompt, show=show)
    names = [*map(str, range(len(vectors) - 1)), OUTPUT]
    return {name: score_pairs(layer[: len(pairs)], layer[len(pairs) :], pairs) for name, layer in zip(names, vectors)}


def mean_interval(values: FloatArray, resamples: int, seed: int) -> tuple[float, float]:
    """The 95% percentile interval of the mean of n values by bootstrap (Efron and Tibshirani 1993, chapter 13)."""
    n = len(values)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    low, high = np.quantile(drawn @ values / n, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def choose_layer(scores: Sequence[Mapping[str, PairScores]], criterion: Criterion, among: Sequence[str]) -> str:
    """The layer with the highest mean over pairs of languages; of several the lowest."""
    means = [np.mean([of_layer[name].values()[criterion].mean() for of_layer in scores]) for name in among]
    return among[int(np.argmax(means))]


def probe(model: SentenceTransformer, every: Sequence[WordPairs], asked: ProbeSettings) -> dict[str, Any]:
    """The figures of every layer for all pairs of languages, and which layer each criterion chooses; plain JSON values.

    Returns:
        {"pairs": {name: {"words": n, "layers": [{"layer", "cosine", "shuffled", "margin", "interval", "P@1"}]}}, "criterion",
        "chosen": {criterion: {"layer", "by_pair": {name: layer}}}, "notes": [texts]}. The output of the model is the last row;
        it is not chosen.
    """
    from isoglot.models.hidden import pooling_note

    notes = [note for note in (pooling_note(model),) if note]
    drawn = [pairs.drawn(asked.seed).take(range(min(asked.pairs, len(pairs)))) for pairs in every]
    scores = [score_layers(model, pairs, asked.prompt) for pairs in drawn]
    layers = [name for name in scores[0] if name != OUTPUT]
    chosen: dict[str, dict[str, Any]] = {
        criterion: {
            "layer": int(choose_layer(scores, criterion, layers)),
            "by_pair": {pairs.name: int(choose_layer([one], criterion, layers)) for pairs, one in zip(drawn, scores)},
        }
        for criterion in CRITERIA
    }
    figures = {
        pairs.name: {"words": len(pairs), "layers": [_row(name, one, asked) for name, one in of_layer.items()]}
        for pairs, of_layer in zip(drawn, scores)
    }
    notes += _isotropy_notes(figures, chosen["cosine"]["by_pair"])
    return {"pairs": figures, "criterion": asked.criterion, "chosen": chosen, "notes": notes}


def _row(name: str, scores: PairScores, asked: ProbeSettings) -> dict[str, Any]:
    return {
        "layer": name if name == OUTPUT else int(name),
        "cosine": float(scores.cosine.mean()),
        "shuffled": float(scores.shuffled.mean()),
        "margin": float(scores.margin.mean()),
        "interval": list(mean_interval(scores.margin, asked.resamples, asked.seed)),
        "P@1": float(scores.hits.mean()),
    }


def _isotropy_notes(figures: Mapping[str, Any], by_cosine: Mapping[str, int]) -> list[str]:
    """Where the highest cosine of translations is hardly higher than that of any two words."""
    notes = []
    for name, layer in by_cosine.items():
        row = figures[name]["layers"][layer]
        if row["margin"] < 0.1 * row["cosine"]:
            notes.append(
                f"{name}: layer {layer} has the highest cosine of translations, {row['cosine']:.5f}, but words that are no "
                f"translations have {row['shuffled']:.5f} there: its vectors all point one way (anisotropy), and this cosine "
                "says nothing; go by margin and P@1"
            )
    return notes
