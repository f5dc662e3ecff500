"""What is asked of a collection when it is made."""

from __future__ import annotations

from pydantic import Field
from pydantic.fields import FieldInfo

from isoglot.models.precision import Precision
from isoglot.retrieval.indexes import INDEXES
from isoglot.settings import Settings, default_of, member_of, member_options


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

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        own = {f"backend.{key}": field for key, field in member_options(INDEXES).items()}
        # where it lies is the collection's affair; passwords are not for command lines, which others see
        return {**super().options(), **{key: own[key] for key in own if key not in ("backend.path", "backend.token")}}
