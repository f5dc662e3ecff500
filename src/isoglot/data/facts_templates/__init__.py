"""Sentence templates of the built-in fact generator, one module per language.

``TEMPLATES[lang][relation]`` is ``(queries, passages)``, two tuples of ``str.format`` templates. ``passages`` is
empty for a relation that asks another question about the passages of a different relation.
``SEPARATORS[lang]`` names the signs "," and "." in that language.
"""

from typing import Final

from isoglot.data.facts_templates import ar, de, el, en, es, hi, ru, th, tr, vi, zh

TEMPLATES: Final[dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]]] = {
    "ar": ar.TEMPLATES,
    "de": de.TEMPLATES,
    "el": el.TEMPLATES,
    "en": en.TEMPLATES,
    "es": es.TEMPLATES,
    "hi": hi.TEMPLATES,
    "ru": ru.TEMPLATES,
    "th": th.TEMPLATES,
    "tr": tr.TEMPLATES,
    "vi": vi.TEMPLATES,
    "zh": zh.TEMPLATES,
}

SEPARATORS: Final[dict[str, dict[str, str]]] = {
    "ar": ar.SEPARATORS,
    "de": de.SEPARATORS,
    "el": el.SEPARATORS,
    "en": en.SEPARATORS,
    "es": es.SEPARATORS,
    "hi": hi.SEPARATORS,
    "ru": ru.SEPARATORS,
    "th": th.SEPARATORS,
    "tr": tr.SEPARATORS,
    "vi": vi.SEPARATORS,
    "zh": zh.SEPARATORS,
}

__all__ = ["SEPARATORS", "TEMPLATES"]
