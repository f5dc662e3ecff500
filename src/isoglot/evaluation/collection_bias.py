"""How fair an index is: measured without judgments, by questions that its own translated documents give.

Two things are measured for every question, over the best `K` documents, in rankings that languages are mixed in as in a search:

- **The mix.** The question's own document and all its translations are left out. What remains says nothing of the answer, so a
  ranking that does not look at languages has them as the corpus has: the share of the question's own language is compared with
  that of the documents. (Left in, the document itself would always be there, and its translations crowd the rest out.)
- **Success.** The whole group is left out but for one document: the translation in one language. Is it found, with all languages
  in one pool, and with the documents of its language alone? So every pair of languages is asked for in an index that has one
  answer. A title stands in its document: it is found there by its own words, in the same language above all. So documents are
  looked for by their bodies, encoded anew without the title (or first sentence); only then the same language can be asked for, on
  the terms of the others. Where there are no bodies, documents are looked for as they are, in other languages only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.bars import tqdm
from isoglot.data.audit.trained import Seen, text_hash, trained_of
from isoglot.errors import InputError, unknown
from isoglot.evaluation.collection_figures import K, mix_figures, number, success_figures
from isoglot.evaluation.collection_heads import (
    Head,
    Pool,
    best_documents,
    changed,
    heads,
    mixed,
    rank_of,
)
from isoglot.evaluation.collection_questions import GROUPS, Questions, questions_of
from isoglot.evaluation.collection_repair import to_train
from isoglot.models.language_maps import record_of
from isoglot.models.precision import computing_in
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.collection import Collection
from isoglot.retrieval.collection.chunking import encoded, front
from isoglot.retrieval.collection.documents import ModelEntry
from isoglot.retrieval.collection.fairness import fusion_of, levels_of, told
from isoglot.retrieval.collection.models import load_entry
from isoglot.retrieval.encode import device_of, encode_texts
from isoglot.retrieval.fair import Fair
from isoglot.retrieval.fusions import Fusion
from isoglot.retrieval.fusions.standardised import Standardised

_SAMPLE = 1000
"""Passages that are compared with what a model was trained on."""


def collection_bias(
    path: str | Path,
    models: Sequence[str] = (),
    fairness: Sequence[str] = ("raw",),
    strength: float | None = None,
    *,
    groups: int = GROUPS,
    seed: int = 0,
    device: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure models of an index, under ways to mix languages.

    Args:
        path: of the index.
        models: names in it; all where none is given.
        fairness: raw, standardised, round-robin, quota.
        strength: of `standardised`.
        groups: of translations that are asked about, at most.
        seed: of their draw and of the resamples.

    Returns:
        Plain values: "index", "questions", "systems" (a model under a fairness each, see `_system`), "notes".

    Raises:
        InputError: no index, model or fairness of that name; nothing to compare; a model that is not the index's any more.
    """
    with Collection.open(path) as collection:
        known, generation = collection.models, collection.generation()
        if not known:
            raise InputError(f"{path}: has no model yet: isoglot index did not come to its end; run it again")
        for name in models:
            if name not in known:
                raise unknown("model of this index", name, known)
        fairness = tuple(dict.fromkeys(fairness))
        for name in fairness:
            fusion_of(name, strength if name == "standardised" else None, {})
        if strength is not None and "standardised" not in fairness:
            raise InputError("strength: a number from 0 to 1, and only with the fairness standardised")
        asked = questions_of(collection, groups, seed)
        languages = told(asked.texts)
        systems: list[dict[str, Any]] = []
        notes: list[str] = []
        for name in dict.fromkeys(models or known):
            run = _Run.of(collection, known[name], generation, asked, languages, device, progress)
            notes += run.notes
            systems += [run.system(f, strength if f == "standardised" else None, seed) for f in fairness]
        if (backend := str(collection.settings.backend.name)) != "exact":
            notes.append(
                f"measured by exact search over the index's vectors; its backend {backend} may miss some of it"
            )
        return {
            "index": _index(collection),
            "questions": _about(collection, asked, languages, groups, seed),
            "systems": systems,
            "notes": list(dict.fromkeys(notes)),
        }


def _index(collection: Collection) -> dict[str, Any]:
    counts = collection.counts()
    return {
        "path": str(collection.path),
        "documents": counts.documents,
        "chunks": counts.chunks,
        "languages": counts.languages,
        "models": {entry.name: entry.source for entry in collection.models.values()},
    }


def _about(
    collection: Collection, asked: Questions, languages: Sequence[str | None], groups: int, seed: int
) -> dict[str, Any]:
    from isoglot.data.facts.wordings import LANGUAGES

    by = {lang: asked.languages.count(lang) for lang in sorted(set(asked.languages))}
    return {
        "kind": asked.kind,
        "number": len(asked.texts),
        "languages": by,
        "groups": asked.n_groups,
        "groups_there": asked.there,
        "groups_asked_for": groups,
        "seed": seed,
        "by_bodies": asked.bodies,
        "left_out": dict(asked.left_out),
        "example": next((text for text in asked.texts if text[0] != "-"), asked.texts[0]),
        "to_train": to_train(collection, groups, seed),
        "facts": sorted(set(collection.counts().languages) & set(LANGUAGES)),
        "language_told": {
            "right": sum(lang == own for lang, own in zip(languages, asked.languages)),
            "wrong": sum(lang is not None and lang != own for lang, own in zip(languages, asked.languages)),
            "not_sure": sum(lang is None for lang in languages),
        },
    }


@dataclass(frozen=True)
class _Run:
    """One model: what it found, before languages are mixed.

    Attributes:
        asked: the questions.
        told: the languages of the questions, as a search tells them.
        queries: their vectors, float32, shape (n, d).
        heads: of each question, without its group.
        targets: by group and language: places in the pool, and vectors, of what a document is found by.
        k: documents that are looked at: `K`, or as many as there are outside of the largest group.
        base: what the model was made of by `isoglot debias`; else its source.
    """

    collection: Collection
    entry: ModelEntry
    asked: Questions
    told: Sequence[str | None]
    pool: Pool
    queries: Float32Array
    heads: Sequence[Head]
    targets: Mapping[tuple[int, str], tuple[IntArray, npt.NDArray[np.float16]]]
    k: int
    notes: Sequence[str]
    base: str
    progress: bool

    @classmethod
    def of(
        cls,
        collection: Collection,
        entry: ModelEntry,
        generation: int,
        asked: Questions,
        languages: Sequence[str | None],
        device: str | None,
        progress: bool,
    ) -> _Run:
        """Load the model and encode."""
        model, pool = load_entry(entry, device), Pool.of(collection, entry.name)
        if collection.generation() != generation:  # keys of the questions' documents may be gone
            raise changed(collection)
        largest = max((len(members) for members in asked.members), default=0)
        if (k := min(K, len(np.unique(pool.documents)) - largest)) < 1:
            raise InputError(f"{collection.path}: all its documents are translations of each other: nothing to rank")
        queries = encode_texts(model, asked.texts, "query", progress=progress)
        return cls(
            collection,
            entry,
            asked,
            languages,
            pool,
            queries,
            heads(pool, queries, asked.members_of, k),
            _targets(collection, pool, asked, model, progress),
            k,
            _notes(collection, entry, pool, asked, model),
            str((record_of(model) or {}).get("base", entry.source)),
            progress,
        )

    def fair(self, fusion: Fusion) -> Fair:
        """A fusion, ready."""
        if not isinstance(fusion, Standardised):
            return Fair(fusion, None, {})
        languages = [lang for lang, size in self.pool.sizes.items() for _ in range(size)]
        levels = levels_of(self.collection.path, self.entry, languages, lambda rows: self.pool.vectors[rows])
        return Fair(fusion, levels.scale(fusion), {})

    def system(self, fairness: str, strength: float | None, seed: int) -> dict[str, Any]:
        """What is found under a fairness.

        Returns:
            "model", "source", "base", "fairness", "strength"; "mix" (`mix_figures`, and "corpus", shares of all documents);
            "success" (`success_figures`), None for unrelated questions.
        """
        fair = self.fair(fusion_of(fairness, strength, self.pool.sizes))
        best = np.stack(
            [
                best_documents(self.pool, mixed(self.pool, head, fair, lang), self.k)
                for head, lang in zip(self.heads, self.told)
            ]
        )
        about: dict[str, Any] = {"model": self.entry.name, "source": self.entry.source, "base": self.base}
        about |= {"fairness": fairness, "strength": strength}
        success = self._success(fair, seed) if self.targets else None
        return {**about, "mix": self._mix(best, seed), "success": success}

    def _mix(self, best: IntArray, seed: int) -> dict[str, Any]:
        """Languages of the best documents; best: places of their chunks, shape (n, k)."""
        pool, asked = self.pool, self.asked
        documents, language = pool.document_languages()
        every = np.bincount(language, minlength=len(pool.languages))
        sizes = np.tile(every.astype(np.float64), (len(best), 1))
        for question, row in enumerate(sizes):
            members = language[np.searchsorted(documents, asked.members_of(question))]
            row -= np.bincount(members, minlength=len(row))
        top = np.searchsorted(pool.offsets, best, side="right") - 1
        figures = mix_figures(pool.languages, self._query_languages(), asked.groups, top, sizes, seed)
        return {**figures, "corpus": dict(zip(pool.languages, map(number, every / every.sum())))}

    def _query_languages(self) -> IntArray:
        """Numbers of the questions' languages, shape (n,)."""
        return np.searchsorted(self.pool.languages, self.asked.languages).astype(np.int64)

    def _looked_for(self) -> Iterator[tuple[int, int, str]]:
        """(question, number of the language, language) of all that is looked for."""
        for question, group in enumerate(self.asked.groups.tolist()):
            for place, lang in enumerate(self.pool.languages):
                if (group, lang) in self.targets and (self.asked.bodies or lang != self.asked.languages[question]):
                    yield question, place, lang

    def _success(self, fair: Fair, seed: int) -> dict[str, Any]:
        """Whether the document in each language is found, all languages in one pool and its language alone."""
        pool, groups = self.pool, self.asked.groups
        found: list[tuple[int, ...]] = []
        work = list(self._looked_for())
        for question, lang, name in tqdm(work, desc="rank", unit="answer", disable=not self.progress, leave=False):
            places, vectors = self.targets[int(groups[question]), name]
            scores = (vectors.astype(np.float64) @ self.queries[question].astype(np.float64)).astype(np.float32)
            document, ranks = int(pool.documents[places[0]]), []
            for head in (self.heads[question], self.heads[question].of_language(lang)):
                ordered = mixed(pool, head.with_target(places, scores, lang), fair, self.told[question])
                ranks.append(rank_of(pool, ordered, document, self.k))
            found.append((question, lang, *ranks))
        asked, languages, pooled, alone = np.array(found, dtype=np.int64).T
        query, both = self._query_languages()[asked], {"pooled": pooled, "alone": alone}
        return success_figures(pool.languages, query, languages, groups[asked], both, seed)


def _targets(
    collection: Collection, pool: Pool, asked: Questions, model: Any, progress: bool
) -> dict[tuple[int, str], tuple[IntArray, npt.NDArray[np.float16]]]:
    """What documents are found by: their bodies, encoded, or their chunks as they are."""
    if not asked.bodies:
        found = ((of, pool.places(item.chunks)) for of, item in asked.items.items())
        return {of: (places, pool.vectors[places]) for of, places in found}
    texts = [body for item in asked.items.values() for body in item.bodies]
    languages = [item.lang for item in asked.items.values() for _ in item.bodies]
    with computing_in(collection.settings.precision, device_of(model)):
        size = collection.settings.batch_size
        vectors = encode_texts(model, texts, "passage", size, progress=progress, languages=languages).astype(np.float16)
    targets, start = {}, 0
    for of, item in asked.items.items():
        end = start + len(item.bodies)
        targets[of] = (pool.places(item.body_chunks), vectors[start:end])
        start = end
    return targets


def _notes(collection: Collection, entry: ModelEntry, pool: Pool, asked: Questions, model: Any) -> list[str]:
    """What a model was trained or fitted on of the index, by the hashes that isoglot keeps beside its models."""
    known = trained_of(model).sides
    keys = pool.keys[np.linspace(0, len(pool.keys) - 1, min(_SAMPLE, len(pool.keys))).astype(np.int64)].tolist()
    own = (encoded(front(title), text) for _, _, title, text, _ in collection.documents.texts_of(keys))
    looked = {"queries": ("of these questions", asked.texts), "passages": ("looked at of the index's passages", own)}
    notes = []
    for side, (words, texts) in looked.items():
        seen = known[side].seen(map(text_hash, texts)) if side in known else Seen(0, 0)
        if seen.shared:
            notes.append(
                f"{entry.name}: was trained or fitted on {seen.shared:,} of {seen.of:,} {words}: figures are no test of that"
            )
    return notes
