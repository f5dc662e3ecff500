"""Make a collection, or bring it up to date: only what is new or changed is encoded, and a kill loses nothing that was kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from isoglot.bars import tqdm
from isoglot.data.document_rows import Corpus, DocumentRow, read_corpus
from isoglot.data.langid import UNKNOWN, identify
from isoglot.disk import writing
from isoglot.errors import InputError, say
from isoglot.files import digest_json
from isoglot.models.content import base_digest
from isoglot.models.precision import computing_in
from isoglot.one_writer import locked, sweep_all
from isoglot.records import Float32Array, several
from isoglot.retrieval.collection.backends import build_backend
from isoglot.retrieval.collection.background import keep_background
from isoglot.retrieval.collection.chunking import Chunker, encoded, front
from isoglot.retrieval.collection.documents import DATABASE, Changes, Chunk, Documents, ModelEntry, as_digests
from isoglot.retrieval.collection.models import model_name, vectors_key
from isoglot.retrieval.collection.settings import CollectionSettings
from isoglot.retrieval.collection.vectors import Vectors
from isoglot.retrieval.encode import device_of, encode_texts, prompt_of, similarity_of
from isoglot.settings import build, to_dict

_BATCH = 1024
"""Chunks that are encoded and kept at a time; what is said to be done is on the disk."""
_LIKELY = 0.5
"""Probability from which a guessed language is taken."""


@dataclass(frozen=True)
class Loaded:
    """A model that encodes passages of a collection."""

    entry: ModelEntry
    model: Any
    vectors: Vectors
    asked: CollectionSettings

    @classmethod
    def load(
        cls, name: str, source: str, directory: Path, asked: CollectionSettings, device: str | None = None
    ) -> Loaded:
        """Load a model and open the vectors that are there of it."""
        from isoglot.models.load import load_model

        model, digest = load_model(source, device=device), base_digest(source)
        if (similarity := similarity_of(model)) != "cosine":
            raise InputError(
                f"{source}: compares vectors by their {similarity}; an index takes models that compare by cosine"
            )
        key = vectors_key(model, digest)
        width = int(encode_texts(model, ["width"], "passage", progress=False).shape[1])
        entry = ModelEntry(name, source, digest, key, width, similarity)
        return cls(entry, model, Vectors(directory / "vectors" / key, verify=True), asked)

    def encode(self, texts: Sequence[str], languages: Sequence[str]) -> Float32Array:
        """Unit vectors of passages, float32, shape (n, d)."""
        with computing_in(self.asked.precision, device_of(self.model)):
            return encode_texts(
                self.model, texts, "passage", self.asked.batch_size, progress=False, languages=list(languages)
            )

    def make(self, texts: Iterable[tuple[bytes, str, str]], watch: Callable[[int], Any]) -> None:
        """Encode what is not there yet of (digest, language, what is encoded), and keep it."""
        items = iter(texts)
        while part := list(islice(items, _BATCH)):
            digests = as_digests(digest for digest, _, _ in part)
            new = dict.fromkeys(digest for (digest, _, _), there in zip(part, self.vectors.has(digests)) if not there)
            wanted = {digest: (lang, text) for digest, lang, text in part if digest in new}
            if wanted:
                vectors = self.encode([text for _, text in wanted.values()], [lang for lang, _ in wanted.values()])
                self.vectors.add(as_digests(wanted), vectors)
            watch(len(part))


def index(
    model: str | None,
    corpus: str | None,
    output: str | Path,
    asked: CollectionSettings | None = None,
    *,
    name: str | None = None,
    delete: str | Sequence[str] = (),
    mirror: bool = False,
    device: str | None = None,
    data_dir: str | Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Make the collection `output`, or bring it up to date.

    Documents with an id that is there are replaced where something of them changed; only new texts are encoded, by every model
    that the collection has, so that all of its models find the same documents. A run that was stopped goes on.

    Args:
        model: hub id, directory, run or offline:NAME; it is added where the collection has it not. None: those that are there.
        corpus: see `isoglot.data.document_rows.read_corpus`; None: no new documents.
        asked: settings of a new collection.
        name: of the model in the collection; by default what it is called.
        delete: ids of documents that go.
        mirror: delete what the corpus does not have, too.
        device: cpu, cuda, ...; None: the best there is.
        data_dir: where files of named data sets are looked for first.
        progress: a bar on stderr.

    Returns:
        What was done and what there is, as plain values.

    Raises:
        InputError: nothing to do, a malformed row, a model that is not the one that the collection was made with.
    """
    output = Path(output)
    is_new = not (output / DATABASE).is_file()
    if is_new and (model is None or corpus is None):
        raise InputError(f"{output}: no index is there; a new one needs a MODEL and a CORPUS")
    if mirror and corpus is None:
        raise InputError("--mirror deletes what a corpus does not have: give a CORPUS")
    if output.is_dir() and is_new and any(path.name[0] != "." and path.name != "vectors" for path in output.iterdir()):
        raise InputError(f"{output}: not empty, and no index; give another --output")
    source = read_corpus(corpus, None if data_dir is None else Path(data_dir)) if corpus is not None else None
    if source is not None:
        if (first := next(source.rows, None)) is None:
            raise InputError(f"{corpus}: no document in it")
        source.rows = chain([first], source.rows)
    with locked(output), writing(output), closing(Documents(output, write=True, create=True)) as documents:
        sweep_all(output)
        return _Indexing(documents, output, asked, device, progress).run(model, name, source, several(delete), mirror)


class _Indexing:
    """One run."""

    def __init__(
        self,
        documents: Documents,
        directory: Path,
        asked: CollectionSettings | None,
        device: str | None,
        progress: bool,
    ) -> None:
        self._documents, self._directory, self._progress = documents, directory, progress
        if (kept := documents.fact("settings")) is None:
            self._asked = asked or CollectionSettings()
            documents.keep("settings", to_dict(self._asked))
        else:
            self._asked = _as_kept(kept, asked, directory)
        self._device = device
        self._changes = Changes()

    def run(
        self, model: str | None, name: str | None, source: Corpus | None, delete: Sequence[str], mirror: bool
    ) -> dict[str, Any]:
        models = self._models(model, name)
        if source is not None and not models:
            raise InputError(
                f"{self._directory}: has no model yet, for its first run did not end: give MODEL and CORPUS again"
            )
        for loaded in models:
            self._complete(loaded)
        if source is not None:
            seen = self._read(source, models)
            if mirror:
                delete = [*delete, *sorted(self._documents.ids() - seen)]
        self._changes.deleted = self._documents.delete(list(delete)) if delete else 0
        known = self._documents.models()
        for loaded in models:
            keep_background(self._directory, loaded.entry, loaded.model)  # before any process can search by the model
            if known.get(loaded.entry.name) != loaded.entry:
                self._documents.add_model(loaded.entry)
        _, digests = self._documents.keys()
        for loaded in models:
            loaded.vectors.tidy(digests)
            build_backend(self._directory, self._documents, loaded.entry, loaded.vectors, self._asked)
        return self._record(source)

    def _models(self, model: str | None, name: str | None) -> list[Loaded]:
        """The models of the collection, and the one that is added."""
        known = dict(self._documents.models())
        wanted = {entry.name: entry.source for entry in known.values()}
        if model is not None:
            own = model_name(model, name)
            if own in wanted and wanted[own] != model and name is None:
                raise InputError(
                    f"{self._directory}: '{own}' is the name of {wanted[own]} there; give {model} another: --name"
                )
            wanted[own] = model
        elif name is not None:
            raise InputError("--name is the name of a MODEL: give one")
        models = []
        for key, source in wanted.items():
            loaded = Loaded.load(key, source, self._directory, self._asked, self._device)
            if key in known and known[key].key != loaded.entry.key:
                if source != model:
                    raise InputError(
                        f"{source}: is not the model that '{key}' of {self._directory} was made with; "
                        f"take it in anew: isoglot index {source} --name {key} --output {self._directory}"
                    )
                say(f"{source} has changed: the texts of '{key}' are encoded again")
            models.append(loaded)
        return models

    def _complete(self, loaded: Loaded) -> None:
        """Vectors of all documents that are there, where some are missing: of a new model, or of a shard that was damaged."""
        _, digests = self._documents.keys()
        total = len(digests)
        if loaded.vectors.has(digests).all():
            return
        with tqdm(total=total, desc=f"encode by {loaded.entry.name}", unit="chunk", disable=not self._progress) as bar:
            chunks = self._documents.texts()
            loaded.make(
                ((digest, lang, encoded(front(title), text)) for _, lang, title, text, digest in chunks), bar.update
            )

    def _read(self, source: Corpus, models: list[Loaded]) -> set[str]:
        """Take in a corpus; the ids of its documents."""
        chunker = Chunker(getattr(models[0].model, "tokenizer", None), self._most_tokens(models))
        if not chunker.counts_tokens:
            say("the model's tokenizer cannot be asked: four characters are taken for a token when texts are cut")
        seen: dict[str, str] = {}
        rows = _unique(source.rows, seen)
        with tqdm(total=source.total, desc="index", unit="document", disable=not self._progress) as bar:
            batch: list[tuple[DocumentRow, bytes, list[Chunk]]] = []
            n_chunks = 0
            while part := list(islice(rows, _BATCH)):
                documents = [document for _, document in part]
                digests = [_digest(document) for document in documents]
                there = self._documents.digests([document.id for document in documents])
                changed = [(d, digest) for d, digest in zip(documents, digests) if there.get(d.id) != digest]
                self._changes.unchanged += len(documents) - len(changed)
                bar.update(len(documents) - len(changed))
                for document, digest in zip(self._told([d for d, _ in changed]), [digest for _, digest in changed]):
                    chunks = chunker.chunks(document)
                    self._changes.replaced += document.id in there
                    self._changes.added += document.id not in there
                    batch.append((document, digest, chunks))
                    n_chunks += len(chunks)
                    if n_chunks >= _BATCH:
                        self._put(batch, models, bar)
                        batch, n_chunks = [], 0
            self._put(batch, models, bar)
        if source.examples and not self._documents.fact("examples"):
            self._documents.keep("examples", source.examples)
        return set(seen)

    def _put(self, batch: list[tuple[DocumentRow, bytes, list[Chunk]]], models: list[Loaded], bar: Any) -> None:
        """Encode the chunks of some documents, then keep the documents: one that is there can be found."""
        if not batch:
            return
        texts = [
            (chunk.digest, document.lang, encoded(front(document.title), document.text[chunk.first : chunk.last]))
            for document, _, chunks in batch
            for chunk in chunks
        ]
        for loaded in models:
            loaded.make(texts, lambda _: None)
        self._documents.put(batch)
        bar.update(len(batch))

    def _most_tokens(self, models: list[Loaded]) -> int:
        """Tokens of a chunk: as asked, or what the shortest of the models reads behind its prompt."""
        most = self._asked.chunk_tokens
        for loaded in models:
            limit = getattr(loaded.model, "max_seq_length", None)
            if limit is not None:
                tokenizer = loaded.model.tokenizer
                taken = len(tokenizer(prompt_of(loaded.model, "passage"))["input_ids"]) if callable(tokenizer) else 8
                if limit - taken < most:
                    most = max(16, int(limit) - taken)
                    say(f"{loaded.entry.source} reads {limit} tokens with its prompt: chunks have at most {most}")
        return most

    def _told(self, documents: list[DocumentRow]) -> list[DocumentRow]:
        """The documents with a language each: that of the row, or a guess."""
        unknown = [number for number, document in enumerate(documents) if not document.lang]
        if not unknown:
            return documents
        told = list(documents)
        guesses = identify(f"{documents[i].title} {documents[i].text}".replace("\n", " ") for i in unknown)
        for number, (lang, probability) in zip(unknown, guesses):
            lang = lang if probability >= _LIKELY else UNKNOWN
            told[number] = replace(told[number], lang=lang)
            self._changes.guessed[lang] += 1
        return told

    def _record(self, source: Corpus | None) -> dict[str, Any]:
        counts, changes = self._documents.counts(), asdict(self._changes)
        changes["guessed"] = dict(self._changes.guessed.most_common())
        return {
            "path": str(self._directory),
            **changes,
            "left_out": dict(source.left_out) if source else {},
            "documents": counts.documents,
            "chunks": counts.chunks,
            "languages": counts.languages,
            "models": {entry.name: entry.source for entry in self._documents.models().values()},
        }


def _as_kept(kept: dict[str, Any], asked: CollectionSettings | None, directory: Path) -> CollectionSettings:
    """The settings of a collection that is there. InputError where others were asked for."""
    own = build(CollectionSettings, [(f"{directory}", kept)])
    if asked is None:
        return own
    free = {"precision", "batch_size"}
    for key in asked.model_fields_set - free:
        if getattr(asked, key) != getattr(own, key):
            raise InputError(
                f"{directory}: was made with {key} {getattr(own, key)}, not {getattr(asked, key)}; leave it out"
            )
    return own.model_copy(update={key: getattr(asked, key) for key in free})


def _unique(rows: Iterator[tuple[str, DocumentRow]], seen: dict[str, str]) -> Iterator[tuple[str, DocumentRow]]:
    """The rows; InputError where an id comes again. `seen` is filled with ids and where they were."""
    for where, document in rows:
        if document.id in seen:
            raise InputError(f"{where}: id '{document.id}' is there already ({seen[document.id]}); ids must differ")
        seen[document.id] = where
        yield where, document


def _digest(document: DocumentRow) -> bytes:
    """16 bytes, of everything that a row says."""
    return bytes.fromhex(digest_json(asdict(document)))[:16]
