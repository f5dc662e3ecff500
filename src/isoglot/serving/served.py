"""What is served: an index, its models in memory, and a searcher for each, brought up to date while the server runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from isoglot.errors import InputError, unknown
from isoglot.models.content import base_digest
from isoglot.processes import best_device
from isoglot.records import Float32Array, Kind
from isoglot.retrieval.collection import Collection, Searcher
from isoglot.retrieval.collection.fairness import FAIRNESS
from isoglot.serving.batcher import Batcher, Encoded
from isoglot.serving.kept import Kept
from isoglot.serving.logs import log
from isoglot.serving.metrics import Metrics
from isoglot.serving.residents import Residents
from isoglot.serving.settings import ServeSettings, device_tokens
from isoglot.serving.work import ticket


class Served:
    """All of a server but HTTP.

    Args:
        settings: of the server.
        metrics: is told what passes take.

    Attributes:
        residents: the models by name; the first is the default.
        searchers: by model.
        batcher: encodes for all of them.
        info: the answer of /info, replaced as a whole when the index changes.

    Raises:
        InputError: no index, a model that it has no vectors of, or that has changed since.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self._settings, self._stopped = settings, threading.Event()
        limits, device = settings.limits, (settings.device or best_device()).partition(":")[0]
        tokens, self._kept = device_tokens(limits, device), Kept(limits.kept_texts)
        self.searchers: dict[str, Searcher] = {}
        with ExitStack() as opened:
            self._collection = opened.enter_context(Collection.open(settings.index))
            chosen = _chosen(self._collection, settings)
            self.residents = Residents({name: source for name, (_, source) in chosen.items()}, settings.device)
            opened.callback(self._close_searchers)
            self.batcher = Batcher(
                lambda key, texts, counted: self.residents.encode(key, texts, counted, tokens),
                batch_tokens=tokens,
                queue_texts=limits.queue_texts,
                queue_tokens=limits.queue_tokens,
                watch=metrics,
            )
            opened.callback(self.batcher.close)
            for name, (entry, _) in chosen.items():
                self.searchers[name] = Searcher(self._collection, entry, encode=self._encoder(name))
                self.searchers[name].search(["warm"], 1)
            self.info = self._told()
            refreshing = threading.Thread(target=self._refresh, name="refresh", daemon=True)
            refreshing.start()
            opened.callback(refreshing.join)
            self._opened = opened.pop_all()

    @property
    def default(self) -> str:
        """The name of the default model."""
        return next(iter(self.residents))

    def submit(self, model: str, texts: Sequence[str], kind: Kind) -> Future[Encoded]:
        """Queue texts of a client; their tokens are counted. See `Batcher.submit`."""
        return self.batcher.submit((model, kind), texts, self._sizes(model, texts, kind), counted=True)

    def close(self) -> None:
        """Finish what waits for a model, and close the index."""
        self._stopped.set()
        self._opened.close()

    def _close_searchers(self) -> None:
        for searcher in self.searchers.values():
            searcher.close()

    def _sizes(self, model: str, texts: Sequence[str], kind: Kind) -> list[int]:
        longest = self.residents[model].longest(kind)
        return [size_of(text, longest) for text in texts]

    def _encoder(self, model: str) -> Any:
        """What a searcher encodes by: its queries, and as passages the sentences of what it found, which can wait."""

        def encode(texts: Sequence[str], kind: Kind) -> Float32Array:
            own, key = ticket(), (model, kind)

            def missing(new: list[str]) -> Encoded:
                if kind == "query":
                    return own.result(self.submit(model, new, kind))
                sizes = self._sizes(model, new, kind)
                return own.result(self.batcher.submit_patient(key, new, sizes, own.is_wanted))

            made = self._kept.get(key, texts, missing)
            if kind == "query":
                own.tokens, own.cut = own.tokens + sum(made.tokens), [*made.cut]
            return made.vectors

        return encode

    def _told(self) -> dict[str, Any]:
        collection, settings = self._collection, self._settings
        generation, counts = collection.generation(), collection.counts()
        limits = ("k", "queries", "texts", "characters", "body_bytes")
        return {
            "title": settings.name,
            "documents": counts.documents,
            "chunks": counts.chunks,
            "languages": counts.languages,
            "models": [
                {"name": name, "source": resident.source, "width": resident.width}
                for name, resident in self.residents.items()
            ],
            "default_model": self.default,
            "fairness": list(FAIRNESS),
            "fields": collection.fields(),
            "examples": collection.examples(),
            "generation": generation,
            "limits": {name: getattr(settings.limits, name) for name in limits},
        }

    def _refresh(self) -> None:
        """Take in changes of the index; where that fails, the old state answers on."""
        said = ""
        while not self._stopped.wait(self._settings.refresh):
            try:
                changed = [searcher.refresh() for searcher in self.searchers.values()]
                if not any(changed) and self._collection.generation() == self.info["generation"]:
                    continue
                self.info, said = self._told(), ""
                log("refreshed", {key: self.info[key] for key in ("generation", "documents")})
            except Exception as error:  # an index that is being made, or was taken away
                if not self._stopped.is_set() and said != str(error):
                    said = str(error)
                    unforeseen = None if isinstance(error, InputError) else error
                    log("refresh failed", {"problem": said}, logging.WARNING, unforeseen)


def _chosen(collection: Collection, settings: ServeSettings) -> dict[str, tuple[str, str]]:
    """By the name that clients use: the model's name in the index, and what it is loaded from."""
    models = collection.models
    if not models:
        raise InputError(f"{settings.index}: has no model yet: isoglot index did not come to its end; run it again")
    asked = settings.models or dict.fromkeys(models, "")
    chosen: dict[str, tuple[str, str]] = {}
    for name, source in asked.items():
        if source:
            digest = base_digest(source)
            entry = next((entry for entry in models.values() if entry.digest == digest), None)
            if entry is None:
                command = f"isoglot index {source} --output {settings.index}"
                raise InputError(f"{settings.index}: has no vectors of {source}; make them: {command}")
        elif name in models:
            entry = models[name]
            if base_digest(entry.source) != entry.digest:
                raise InputError(
                    f"{entry.source}: is not the model any more that {settings.index} was made with; run isoglot index again"
                )
        else:
            raise unknown("model of this index", name, models)
        chosen[name] = (entry.name, source or entry.source)
    return chosen


def size_of(text: str, longest: float) -> int:
    """About how many tokens a model reads of a text: a quarter of its bytes, which holds in most scripts, and a prompt."""
    return int(min(len(text.encode("utf-8", "replace")) // 4 + 4, longest))
