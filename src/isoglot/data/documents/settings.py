"""What is asked of documents."""

from __future__ import annotations

from pydantic import Field

from isoglot.data.pair_benchmark import PairBenchmarkSettings


class DocumentSettings(PairBenchmarkSettings):
    """How pairs are made of translated documents. The settings of a benchmark count where pages are held out for one."""

    source_language: str | None = Field(
        None, description="the language that the others were translated from (default: that with most sections)"
    )
    source: tuple[str, ...] = Field(
        (),
        description="patterns of the source language's files where its code is not in their path, one for each pattern",
    )
    languages: tuple[str, ...] = Field((), description="these languages only (default: all)")
    format: str | None = Field(
        None, description="of all files, see isoglot list formats (default: by the endings of their names)"
    )
    max_words: int = Field(
        200,
        ge=10,
        description="a longer passage ends with the last sentence that fits; three letters of a script without spaces count as "
        "two words",
    )
    min_words: int = Field(5, ge=1, description="shorter passages are left out")
    least_similarity: float = Field(
        0.8, gt=-1, lt=1, description="with --model: sections that only their order aligns are at least so similar"
    )
    skip_unreadable: bool = Field(False, description="leave out files that cannot be read, and say how many")
    key_column: str = Field("key", description="of tables: what translations of a section have in common")
    heading_column: str = Field("heading", description="of tables")
    text_column: str = Field("text", description="of tables")
    page_column: str = Field("page", description="of tables, where there is one: what a section is a part of")
    language_column: str = Field("lang", description="of tables whose pattern has no {lang}")

    def check(self) -> None:
        if self.min_words >= self.max_words:
            raise ValueError(f"min_words {self.min_words} is not below max_words {self.max_words}")
