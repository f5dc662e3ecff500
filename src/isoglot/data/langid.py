"""In which language is a text? By py3langid (extra `langid`): 97 languages, offline, its model is part of the package."""

from __future__ import annotations

from functools import cache
from typing import Any

from isoglot.data.languages import language, spelled
from isoglot.errors import InputError

# written so alike that identifiers take one for the other
_ALIKE = ({"bs", "hr", "sr", "sh"}, {"nb", "nn", "no"}, {"id", "ms"})


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise InputError("identifying languages needs the package py3langid: pip install 'isoglot[langid]'") from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def identify(text: str) -> tuple[str, float]:
    """(code as `language` spells it, probability from 0 to 1) of the likeliest language. InputError: no py3langid here."""
    code, probability = _identifier().classify(text)
    return spelled(code), float(probability)


@cache
def identified() -> frozenset[str]:
    """The languages that can be identified, without script and region. InputError: no py3langid here."""
    return frozenset(_plain(spelled(code)) for code in _identifier().labels)


def can_identify(code: str) -> bool:
    """Whether a language, in whatever script, is one of `identified`."""
    return _plain(language(code)) in identified()


def is_alike(code: str, other: str) -> bool:
    """Whether two codes are one language, in whatever script or region, or two that no identifier tells apart."""
    both = {_plain(code), _plain(other)}
    return len(both) == 1 or any(both <= group for group in _ALIKE)


def _plain(code: str) -> str:
    return code.partition("-")[0]
