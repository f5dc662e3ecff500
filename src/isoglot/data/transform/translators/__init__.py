"""Translators: programs and models that turn texts of one language into another. One file each, see `Translator`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.registry import Registry
from isoglot.settings import Member


@dataclass(frozen=True)
class Failure:
    """In place of a translation: why there is none."""

    reason: str


Outcome = str | Failure
Session = Callable[[Sequence[str], str, str], list[Outcome]]
"""Takes texts without line breaks, their language and the target language; gives one outcome per text."""
Direction = tuple[str, str]
"""Source and target language, as `isoglot.data.languages.language` spells them."""


class Translator(Member, ABC):
    """What translates; its fields are its settings, and a `--backend` is its name, a colon and `spec`.

    Attributes:
        form: how it is written on the command line.
        not_deciding: settings that change no translation.
    """

    form: ClassVar[str]
    not_deciding: ClassVar[tuple[str, ...]] = ("batch_size",)

    spec: str = Field(min_length=1, description="what stands behind the colon")
    codes: tuple[str, ...] = Field(
        (), description="what the backend calls a language, where that is not found out, as LANGUAGE=CODE (es=spa)"
    )
    batch_size: int = Field(32, ge=1, le=100_000, description="texts at once (default 32, of a command 500)")

    @property
    def own_codes(self) -> dict[str, str]:
        """`codes` by language. InputError for one that is not LANGUAGE=CODE."""
        pairs = [word.partition("=") for word in self.codes]
        if wrong := next((word for word, (lang, _, code) in zip(self.codes, pairs) if not (lang and code)), None):
            raise InputError(f"codes '{wrong}': expected LANGUAGE=CODE such as es=spa")
        return {language(lang): code for lang, _, code in pairs}

    def lanes(self) -> list[str | None]:
        """One entry for each process that works at the same time: its device, or None."""
        return [None]

    @abstractmethod
    def check_ready(self, directions: Sequence[Direction]) -> None:
        """Find out before any work whether it can be done. InputError says what stands against it."""

    @abstractmethod
    def content(self) -> Mapping[str, Any]:
        """What decides translations besides the settings, as JSON values: digests of programs and models."""

    @abstractmethod
    def open(self, device: str | None) -> Session:
        """Load what is needed on one of `lanes`."""

    def identity(self) -> dict[str, Any]:
        """What decides translations, as JSON values: two translators with the same one give the same."""
        settings = {key: value for key, value in self.to_flat().items() if key not in self.not_deciding}
        return {**settings, "content": dict(self.content())}


TRANSLATORS: Registry[type[Translator]] = Registry("translator", __name__)
"""The translators, one file each."""


def split_backend(text: str) -> dict[str, str]:
    """`NAME:SPEC` as settings. InputError: no such name, nothing behind it."""
    name, _, spec = text.partition(":")
    forms = ", ".join(translator.form for translator in TRANSLATORS)
    if name not in TRANSLATORS:
        raise InputError(f"{unknown('translator', name, TRANSLATORS.names())} (expected {forms})")
    if not spec.strip():
        raise InputError(f"backend '{text}': nothing behind the name; expected {TRANSLATORS[name].form}")
    return {"name": name, "spec": spec.strip()}
