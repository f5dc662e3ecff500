"""What is done with a collection in Milvus: insert, delete, look up, count, wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from isoglot.errors import InputError, say
from isoglot.retrieval.index_input import Addition
from isoglot.retrieval.indexes.milvus_connection import Connection
from isoglot.retrieval.indexes.milvus_rows import id_expression, partition_of, plain_language, rows_of
from isoglot.retrieval.indexes.milvus_schema import Structure, create_collection, find_collection

MOST_RESULTS = 16_384
"""The most that a server gives to a query."""
SHARED = partition_of(None)
_IDS = 1000
"""Ids in one expression."""
_ROWS, _BYTES = 5000, 8 << 20
"""Rows of one insert, and bytes of their vectors; a message to a server may have 64 MiB."""
_PARTITIONS = 1000
"""Languages with a partition of their own; a server takes some thousand."""
_BUILT_FROM = 1024
"""Rows of a segment from which a server builds anything for it (indexCoord.segment.minSegmentNumRowsToEnableIndex)."""


class MilvusCollection:
    """A collection, which is made by the first insertion.

    Attributes:
        width: d of the vectors; None as long as there is no collection.
        changes: how often this process has changed it.
        unwritten: rows that were inserted since the last `flush`.
    """

    def __init__(self, connection: Connection, name: str, structure: Structure, is_strong: bool) -> None:
        self.connection, self.structure, self.is_lite = connection, structure, connection.is_lite
        self._name, self._is_strong = name, is_strong
        self.changes = self.unwritten = 0
        self._is_settled = False
        self.partitions: set[str] = set()
        self.width = find_collection(connection, name, structure)
        if self.width is not None:
            self.call("load_collection")
            self.list_partitions()

    def call(self, method: str, *values: Any, **given: Any) -> Any:
        """A method of pymilvus's client on the collection."""
        with self.connection.asking():
            timeout = self.connection.timeout
            return getattr(self.connection.client, method)(self._name, *values, timeout=timeout, **given)

    def read(self, method: str, **given: Any) -> Any:
        """`call` of a query or a search, which takes in what this process has changed."""
        # pymilvus counts insertions to a session, deletions not: after either, the first reader waits for all there is
        level = "Session" if self._is_settled and not self._is_strong else "Strong"
        found = self.call(method, consistency_level=level, **given)
        self._is_settled = True
        return found

    def count(self, **scope: Any) -> int:
        """How many documents there are, in some partitions or behind a filter."""
        if self.width is None:
            return 0
        return int(self.read("query", output_fields=["count(*)"], **{"filter": "", **scope})[0]["count(*)"])

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are there."""
        there: set[str] = set()
        for start in range(0, len(ids) if self.count() else 0, _IDS):
            some = id_expression(ids[start : start + _IDS])
            there |= {row["id"] for row in self.read("query", filter=some, output_fields=["id"])}
        return there

    def insert(self, fresh: Addition) -> None:
        """Insert documents none of which is there; what was inserted before an error is removed again."""
        rows = rows_of(fresh, is_lite=self.is_lite)
        if not rows:
            return
        if self.width is None:
            create_collection(self.connection, self._name, self.structure, fresh.vectors.shape[1])
            self.width = fresh.vectors.shape[1]
            self.list_partitions()
        sent: list[str] = []
        try:
            for partition, some in self._batches(fresh, rows):
                sent += [row["id"] for row in some]  # before: a server that does not answer may have taken them
                self.call("insert", some, partition_name=partition)
        except BaseException as error:
            self._take_back(sent, error)
            raise
        self._has_changed()
        self.unwritten += len(rows)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete documents; ids that are not there do nothing."""
        for start in range(0, len(ids), _IDS):
            self._has_changed()
            self.call("delete", filter=id_expression(ids[start : start + _IDS]))

    def flush(self) -> None:
        """Have what was inserted written into segments of its own."""
        self.call("flush")
        self.unwritten = 0

    def drop(self) -> None:
        """Delete the collection; the next insertion makes it anew."""
        if self.width is not None:
            self.call("drop_collection")
        self.width, self.partitions, self.unwritten = None, set(), 0
        self._has_changed()

    def list_partitions(self) -> None:
        """Look again which partitions there are."""
        self.partitions = set() if self.is_lite else set(self.call("list_partitions"))

    def finish(self) -> None:
        """Wait until what was inserted is in structures that searches use."""
        if self.width is None:
            return
        self.flush()
        patience = self.connection.timeout
        until = time.monotonic() + patience
        while True:
            with self.connection.asking():
                state = self.connection.client.describe_index(self._name, "vector")
            if state.get("state") == "Failed":
                reason = state.get("index_state_fail_reason")
                raise InputError(f"{self.connection.place}: the index was not built ({reason})")
            if state.get("state") != "Finished" or state["pending_index_rows"]:
                until = time.monotonic() + patience
            elif self.is_lite or self._is_in_use(state["total_rows"]):
                return
            elif time.monotonic() > until:
                say(f"{self.connection.place}: built, but {patience:g} s later not used for all documents; going on")
                return
            time.sleep(0.2)

    def _is_in_use(self, rows: int) -> bool:
        """Whether searches use what was built; until then a server takes clusters of its own, which miss more."""
        segments = self.call("list_loaded_segments")
        large = [segment for segment in segments if segment.num_rows >= _BUILT_FROM]
        return sum(segment.num_rows for segment in segments) >= rows and all(segment.index_id for segment in large)

    def _has_changed(self) -> None:
        self._is_settled = False
        self.changes += 1

    def _batches(self, fresh: Addition, rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """(partition, rows that one message takes); partitions are made where they are missing."""
        by_partition: dict[str, list[dict[str, Any]]] = {}
        for row, about in zip(rows, fresh.metadata):
            partition = "" if self.is_lite else self._partition(partition_of(plain_language(about)))
            by_partition.setdefault(partition, []).append(row)
        step = max(1, min(_ROWS, _BYTES // (4 * fresh.vectors.shape[1])))
        for partition, own in by_partition.items():
            for start in range(0, len(own), step):
                yield partition, own[start : start + step]

    def _partition(self, name: str) -> str:
        """The partition, made where it is missing, or the shared one where there are too many."""
        if name not in self.partitions:
            self.list_partitions()
        if name not in self.partitions:
            if len(self.partitions) >= _PARTITIONS:
                return SHARED
            self.call("create_partition", name)
            self.partitions.add(name)
        return name

    def _take_back(self, sent: list[str], error: BaseException) -> None:
        """Remove what was inserted before an error."""
        try:
            self.delete(sent)
        except InputError as second:
            raise InputError(
                f"{error}; up to {len(sent)} documents of this call may be in the collection and cannot be removed now ({second})"
            ) from error
