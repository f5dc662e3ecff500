"""The index `milvus`: one class for a file of Milvus Lite, a Milvus server and a cluster."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from isoglot.errors import InputError
from isoglot.files import digest_strings
from isoglot.records import Float32Array
from isoglot.retrieval.index_input import check_addition, check_k, check_vectors, conditions
from isoglot.retrieval.indexes import INDEXES
from isoglot.retrieval.indexes.approximate import Approximate
from isoglot.retrieval.indexes.milvus_collection import MOST_RESULTS, MilvusCollection
from isoglot.retrieval.indexes.milvus_connection import Connection, is_file
from isoglot.retrieval.indexes.milvus_schema import Structure
from isoglot.retrieval.indexes.milvus_search import MilvusSearch
from isoglot.retrieval.search import Filters, Hits, Metadata

_CLUSTERS = 1024
"""Of each segment of a server, whose size is the server's affair."""


@INDEXES.register
class Milvus(Approximate):
    """Milvus: a file (`uri=index.db`, exact, one process at a time), a server or a cluster (`uri=http://HOST:19530`)."""

    name: ClassVar[str] = "milvus"

    uri: str | None = Field(
        None, description="address of a server or cluster, or FILE.db; None: a file in the directory of the index"
    )
    token: str = Field(
        "", exclude=True, repr=False, description="user:password or key (default: $ISOGLOT_MILVUS_TOKEN)"
    )
    database: str = Field("", description="database of a server")
    collection: str = Field("isoglot", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$", description="collection there")
    kind: Literal["hnsw", "ivf", "flat"] | None = Field(
        None, description="hnsw (a graph), ivf (clusters) or flat (exact); None: hnsw on a server, flat in a file"
    )
    consistency: Literal["session", "strong"] = Field(
        "session", description="strong: what other processes changed is seen at once; 200 ms more per search"
    )
    timeout: float = Field(120.0, gt=0, description="seconds that a server may take to answer")

    def check(self) -> None:
        if self._is_file() and self.kind not in (None, "flat"):
            raise ValueError(
                f"kind={self.kind}: Milvus Lite then finds half of what it should behind filters, and cannot be told to search "
                "deeper; give kind=flat, or the address of a server"
            )

    def open(self, *, fresh: bool = False, to_write: bool = True) -> MilvusIndex:
        return MilvusIndex(self, fresh=fresh, to_write=to_write)

    def at(self, directory: Path, name: str) -> Milvus:
        if self.uri is None:
            return self.model_copy(update={"uri": str(directory / f"{name}.db")})
        # two directories may have vectors of one model
        own = digest_strings([platform.node(), os.path.realpath(directory), name])[:16]
        return self.model_copy(update={"collection": f"{self.collection[:200]}_{own}"})

    def structure(self) -> Structure:
        """What the collection is to have."""
        kind = self.kind or ("flat" if self._is_file() else "hnsw")
        clusters = self.nlist or _CLUSTERS
        sizes = {"hnsw": {"M": self.m, "efConstruction": self.ef_construction}, "ivf": {"nlist": clusters}, "flat": {}}
        return Structure(kind, sizes[kind], self.ef_search, clusters, self.probes(clusters))

    def _is_file(self) -> bool:
        return self.uri is None or is_file(self.uri)


class MilvusIndex:
    """See `isoglot.retrieval.search.SearchIndex`. The collection stays when the index is closed, and is there when it is opened.

    A file is searched exactly, ties as `exact` has them. On a server every language is a partition, so that a search in
    one language is as good as one in all. hnsw and ivf may miss some of the k best, more of them while the server is
    still building what documents were added to (`finish` waits for it). Scores are Milvus's float32 products. The first
    search after a change waits until the server has seen it, some 200 ms.

    Attributes:
        is_read_only: changes are refused, as all processes see the same documents.
    """

    def __init__(self, settings: Milvus, *, fresh: bool = False, to_write: bool = True) -> None:
        if settings.uri is None:
            raise InputError("the index 'milvus' needs the name of a file or the address of a server: uri=index.db")
        self.is_read_only = not to_write
        token = settings.token or os.environ.get("ISOGLOT_MILVUS_TOKEN", "")
        connection = Connection(settings.uri, token, settings.database, settings.timeout)
        self._open: MilvusCollection | None = None
        try:
            is_strong = settings.consistency == "strong"
            collection = MilvusCollection(connection, settings.collection, settings.structure(), is_strong)
            if fresh and to_write:
                collection.drop()
            self._open = collection
            self._search = MilvusSearch(self._open)
        except BaseException:
            connection.close()
            raise

    def add(self, ids: Sequence[str], vectors: Float32Array, metadata: Sequence[Metadata] | None = None) -> None:
        collection = self._writable()
        collection.insert(check_addition(ids, vectors, metadata, collection.width, collection.held))

    def delete(self, ids: Sequence[str]) -> int:
        collection = self._writable()
        there = collection.held(list(dict.fromkeys(ids)))
        collection.delete(list(there))
        return len(there)

    def search(
        self, queries: Float32Array, k: int, *, languages: Sequence[str] | None = None, where: Filters | None = None
    ) -> Hits:
        collection = self._collection()
        check_k(k)
        asked = check_vectors(queries, collection.width)
        filters = conditions(languages, where)
        scope = None if collection.width is None else self._search.scope(filters)
        if scope is None or not len(asked):
            return Hits([[] for _ in asked], [np.empty(0, dtype=np.float32) for _ in asked])
        if not collection.is_lite and k > MOST_RESULTS:
            if collection.count() > MOST_RESULTS:
                raise InputError(f"k is {k}; a Milvus server gives at most {MOST_RESULTS} results to a query")
            k = MOST_RESULTS
        return self._search.best(asked, k, scope)

    def count(self) -> int:
        return self._collection().count()

    def finish(self) -> None:
        """Wait until the server has built its structures and uses them; searches before are slower and may miss more."""
        self._collection().finish()

    def close(self) -> None:
        if self._open is not None:
            self._open.connection.close()
            self._open = None

    def _writable(self) -> MilvusCollection:
        collection = self._collection()
        if self.is_read_only:
            raise InputError(f"{collection.connection.place}: was opened to be read")
        return collection

    def _collection(self) -> MilvusCollection:
        if self._open is None:
            raise InputError("the index is closed")
        return self._open
