"""What is asked of a collection when it is made."""

from __future__ import annotations

from pydantic import Field

from isoglot.models.precision import Precision
from isoglot.retrieval.indexes import INDEXES
from isoglot.settings import Settings, default_of, member_of


class CollectionSettings(Settings):
    """Settings of `isoglot index`. Those of chunks and backend are kept; an index that is there keeps its own."""

    chunk_tokens: int = Field(
        256, ge=16, le=8192, description="longer texts are cut where sections, paragraphs or sentences end"
    )
    backend: member_of(INDEXES) = default_of(INDEXES)  # type: ignore[valid-type]
    precision: Precision = Field(
        "fp32", description="of products while passages are encoded; vectors are kept in float16 either way"
    )
    batch_size: int = Field(64, ge=1, description="texts per forward pass")
