"""Formats of documents: the registry of readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.page import Page
from isoglot.errors import unknown
from isoglot.optional import needed
from isoglot.registry import Registry
from isoglot.settings import Settings


class Format(ABC):
    """A format of documents. Its help is the first line of its docstring.

    Attributes:
        name: what `--format` calls it.
        endings: of the files that are read so where nothing else is asked for.
        names_language: its files may say themselves what language a page is in.
    """

    name: str
    endings: tuple[str, ...]
    names_language: bool = False

    @abstractmethod
    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        """The pages of a file; most formats have one in each.

        Args:
            asked: the settings of `isoglot data from-docs`.

        Raises:
            InputError: it cannot be read.
        """


FORMATS: Registry[Format] = Registry("format of documents", "isoglot.data.documents.formats")


def format_of(path: Path, name: str | None = None) -> Format | None:
    """The format of a file by its ending, or by name; None where no format has the ending."""
    if name is not None:
        if name not in FORMATS:
            raise unknown(FORMATS.kind, name, FORMATS.names())
        return FORMATS[name]
    lower = path.name.lower()
    return next((format for format in FORMATS if lower.endswith(format.endings)), None)


def library(module: str) -> Any:
    """A module of the extra `docs`. InputError where it is not installed."""
    package = module.partition(".")[0]
    package = {"docx": "python-docx"}.get(package, package)
    return needed(module, f"reading documents needs the package {package}", "docs")
