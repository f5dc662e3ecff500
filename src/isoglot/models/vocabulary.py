"""The vocabulary of a fast tokenizer, and the same tokenizer with fewer pieces, which cuts texts of these pieces as before.

What is kept is kept as it was: the normaliser, the pieces' scores and their order.

- Unigram (sentencepiece: XLM-R, e5, T5): a text's pieces are the best path through all pieces that occur in it, and a path that
  was the best is the best of fewer (Kudo 2018, arXiv 1804.10959). An unknown character costs 10 more than the lowest score of
  all, so a piece with that score stays.
- WordPiece (BERT, LaBSE): the longest piece that fits comes first, and what was the longest is the longest of fewer. Only a word
  that was unknown, because what was left of it had no piece, may become known.

Single characters all stay: a text with a piece that is gone is cut into smaller ones, and no character becomes unknown.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from isoglot.errors import InputError
from isoglot.models.tokenizer import description
from isoglot.records import FloatArray

_SPACE = "▁"
_CHUNK = 10_000  # texts


class Vocabulary:
    """The pieces of a tokenizer and their ids.

    Args:
        tokenizer: of transformers.

    Raises:
        InputError: it is not a fast one, or has no pieces that could be taken out.
    """

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import Tokenizer

        if not hasattr(tokenizer, "backend_tokenizer"):
            raise InputError("its tokenizer is not a fast one (of the library tokenizers)")
        self._text = description(tokenizer)
        self._spec: dict[str, Any] = json.loads(self._text)
        self.tokenizer = Tokenizer.from_str(self._text)
        model = self._spec["model"]
        self._unigram = model["type"] == "Unigram"
        if not self._unigram and model["type"] != "WordPiece":
            raise InputError(
                f"its tokenizer is of the kind {model['type']}; pieces can be taken out of Unigram (XLM-R, e5) and WordPiece "
                "(BERT, LaBSE)"
            )
        named = ((piece, number) for number, (piece, _) in enumerate(model["vocab"]))
        self.pieces: dict[int, str] = {
            number: piece for piece, number in (named if self._unigram else model["vocab"].items())
        }
        self._prefix = "" if self._unigram else model["continuing_subword_prefix"]
        self._special = set(tokenizer.all_special_ids)
        self.size = 1 + max([*self.pieces, *(token["id"] for token in self._spec["added_tokens"])])

    def always(self) -> set[int]:
        """Ids that every smaller vocabulary keeps, see above; and those of special and of added tokens."""
        model = self._spec["model"]
        kept = self._special | {token["id"] for token in self._spec["added_tokens"]}
        kept |= set(_ids_in(self._spec["post_processor"]))
        if self._unigram:
            kept |= {model["unk_id"]} - {None}
            scores = [score for _, score in model["vocab"]]
            kept.add(scores.index(min(scores)))
        else:
            kept.add(model["vocab"][model["unk_token"]])
        if model.get("byte_fallback"):
            kept |= {number for number, piece in self.pieces.items() if len(piece) == 6 and piece.startswith("<0x")}
        begins = {piece for piece in self.pieces.values() if len(piece) == 1}
        goes_on = {self._bare(piece) for piece in self.pieces.values() if len(piece) == 1 + len(self._prefix)}
        goes_on = begins if self._unigram else {sign for sign in goes_on if len(sign) == 1}
        for number, piece in self.pieces.items():
            bare = self._bare(piece)
            first = goes_on if bare != piece else begins
            # one character, or not to be spelled by single ones
            if len(bare) == 1 or bare[:1] not in first or not goes_on.issuperset(bare[1:]):
                kept.add(number)
        return kept

    def count(self, texts: Iterable[tuple[str, float]]) -> FloatArray:
        """How often texts use every id, by their weights: float64, shape (size,). Nothing is cut off from long texts."""
        counts: FloatArray = np.zeros(self.size)
        texts = iter(texts)
        while chunk := list(islice(texts, _CHUNK)):
            ids = [encoding.ids for encoding in self.encode([text for text, _ in chunk])]
            weights = np.repeat([weight for _, weight in chunk], [len(of_text) for of_text in ids])
            counts += np.bincount(np.concatenate(ids).astype(np.int64), weights, self.size)
        return counts

    def encode(self, texts: list[str]) -> list[Any]:
        """The texts' encodings, without special tokens."""
        encodings: list[Any] = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return encodings

    def widen(self, counts: FloatArray, letters: Collection[str] = ()) -> FloatArray:
        """Counts of pieces that words in lower case do not show, besides those that they do show.

        That are: pieces that differ from others by case alone, as often as those; pieces without a letter (numbers,
        punctuation; digits of ASCII), and pieces of the given letters alone, as seldom as the rarest.
        """
        wide: FloatArray = counts.copy()
        folded = {number: piece.casefold() for number, piece in self.pieces.items()}
        most: dict[str, float] = {}
        for number, piece in folded.items():
            most[piece] = max(most.get(piece, 0.0), float(counts[number]))
        least = counts[counts > 0].min(initial=1.0)
        given = {*letters, _SPACE}
        for number, piece in self.pieces.items():
            bare = self._bare(piece)
            fits = given.issuperset(bare) or not any(_is_letter(sign) for sign in bare)
            wide[number] = max(wide[number], most[folded[number]], least if fits else 0.0)
        return wide

    def choose(self, counts: FloatArray, most: int | None = None) -> set[int]:
        """The ids to keep: `always` and those that are used, at most so many: the least used go first.

        Raises:
            InputError: more than `most` are always kept.
        """
        kept = self.always()
        if most is not None and most < len(kept):
            raise InputError(
                f"{most} pieces are too few: {len(kept):,} are always kept (single characters, special tokens)"
            )
        used = [number for number in np.argsort(-counts, kind="stable").tolist() if counts[number] > 0]
        wanted = [number for number in used if number not in kept]
        return kept | set(wanted if most is None else wanted[: most - len(kept)])

    def shrink(self, kept: Collection[int]) -> tuple[str, list[int]]:
        """(the tokenizer as JSON with the kept ids alone, these ids in the order of their new ones: 0, 1, ...)."""
        spec: dict[str, Any] = json.loads(self._text)
        model = spec["model"]
        inside = sorted(number for number in kept if number in self.pieces)
        rows = [*inside, *sorted(number for number in kept if number not in self.pieces)]
        new = {number: place for place, number in enumerate(rows)}
        if self._unigram:
            model["vocab"] = [model["vocab"][number] for number in inside]
            model["unk_id"] = new.get(model["unk_id"])
        else:
            model["vocab"] = {self.pieces[number]: new[number] for number in inside}
        for token in spec["added_tokens"]:
            token["id"] = new[token["id"]]
        _renumber(spec["post_processor"], new)
        return json.dumps(spec, ensure_ascii=False), rows

    def _bare(self, piece: str) -> str:
        return piece.removeprefix(self._prefix) if len(piece) > len(self._prefix) else piece


def _is_letter(sign: str) -> bool:
    """A letter, a mark, or a digit of another script than ours."""
    return unicodedata.category(sign)[0] in "LM" or (sign.isnumeric() and not sign.isascii())


def _ids_in(processor: Any) -> Iterable[int]:
    """The ids that a post-processor puts around a text."""
    processor = processor or {}
    for inner in processor.get("processors", ()):
        yield from _ids_in(inner)
    for token in (processor.get("special_tokens") or {}).values():
        yield from token["ids"]
    yield from (processor[side][1] for side in ("sep", "cls") if side in processor)


def _renumber(processor: Any, new: Mapping[int, int]) -> None:
    processor = processor or {}
    for inner in processor.get("processors", ()):
        _renumber(inner, new)
    for token in (processor.get("special_tokens") or {}).values():
        token["ids"] = [new[number] for number in token["ids"]]
    for side in ("sep", "cls"):
        if side in processor:
            processor[side][1] = new[processor[side][1]]
