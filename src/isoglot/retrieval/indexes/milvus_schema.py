"""The collection of an index in Milvus: its fields and its structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isoglot.errors import InputError
from isoglot.retrieval.indexes.milvus_connection import Connection
from isoglot.retrieval.indexes.milvus_rows import ID_BYTES, LANGUAGE_BYTES, TAGS

_KINDS = {"hnsw": "HNSW", "ivf": "IVF_FLAT", "flat": "FLAT"}
_FIELDS = {"id", "lang", "tags", "bucket", "metadata", "vector"}


@dataclass(frozen=True)
class Structure:
    """How vectors are found.

    Attributes:
        kind: hnsw, ivf or flat.
        sizes: what it is built with, as Milvus calls it.
        candidates: of a search in a graph.
        clusters, probes: how many there are, and how many of them a search reads.
    """

    kind: str
    sizes: dict[str, int]
    candidates: int
    clusters: int
    probes: int


def create_collection(connection: Connection, name: str, structure: Structure, width: int) -> None:
    """Make it, empty, for vectors of this width."""
    from pymilvus import DataType

    client = connection.client
    with connection.asking():
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=ID_BYTES)
        schema.add_field("lang", DataType.VARCHAR, max_length=LANGUAGE_BYTES)
        if connection.is_lite:
            schema.add_field("tags", DataType.VARCHAR, max_length=65_535)
        else:
            schema.add_field("tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_length=16, max_capacity=TAGS)
        schema.add_field("bucket", DataType.INT8)
        schema.add_field("metadata", DataType.JSON)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
        index = client.prepare_index_params()
        index.add_index("vector", index_type=_KINDS[structure.kind], metric_type="IP", params=structure.sizes)
        client.create_collection(name, schema=schema)
        client.create_index(
            name, index, sync=False
        )  # waiting for nothing takes half a second, and Lite cannot be asked
        client.load_collection(name)


def find_collection(connection: Connection, name: str, structure: Structure) -> int | None:
    """The width of its vectors; None where there is none yet.

    Raises:
        InputError: another program made it, or it is of another kind.
    """
    client = connection.client
    with connection.asking():
        if not client.has_collection(name):
            return None
        about: dict[str, Any] = client.describe_collection(name)
        fields = {field["name"]: field for field in about["fields"]}
        index = (client.describe_index(name, "vector") or {}) if "vector" in fields else {}
    held = {theirs: own for own, theirs in _KINDS.items()}.get(index.get("index_type", ""))
    if set(fields) != _FIELDS or index.get("metric_type") != "IP" or held is None:
        raise InputError(
            f"{connection.place}: isoglot did not make the collection '{name}'; name another (collection=...)"
        )
    if held != structure.kind:
        raise InputError(f"{connection.place}: the collection '{name}' is of kind={held}, not {structure.kind}")
    return int(fields["vector"]["params"]["dim"])
