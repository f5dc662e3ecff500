"""How translation models are told their languages: from BCP 47 to the tokens of a model's own vocabulary."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isoglot.data.languages import known_language, spelled
from isoglot.errors import InputError, say

_MOST_SHOWN = 12


@dataclass(frozen=True)
class _Scheme:
    """A way to name languages.

    Attributes:
        token: with {} for the code.
        code: regular expression of a code.
        before: the token stands before the source text; otherwise decoding begins with it, and the tokenizer is told the
            source language, too.
    """

    name: str
    token: str
    code: str
    before: bool = False


_SCHEMES = (
    _Scheme("NLLB", "{}", "[a-z]{3}_[A-Z][a-z]{3}"),
    _Scheme("mBART-50", "{}", "[a-z]{2}_[A-Z]{2}"),
    _Scheme("M2M100", "__{}__", "[a-z]{2,3}"),
    _Scheme("MADLAD", "<2{}>", "[a-z]{2,3}(?:_[A-Za-z]{2,8})*", before=True),
    _Scheme("Marian", ">>{}<<", "[a-z]{2,3}(?:_[A-Za-z]{2,8})*", before=True),
)


@dataclass(frozen=True)
class ModelLanguages:
    """The languages of a translation model.

    Attributes:
        model: as users name it.
        scheme: None where the model has one fixed pair.
        codes: the model's codes by language, the first one is taken.
        own: codes that were given for some languages instead.
        pair: source and target of a model with fixed languages, as its files name them; "" where they do not.
    """

    model: str
    scheme: _Scheme | None
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    pair: tuple[str, str] = ("", "")

    @classmethod
    def of(cls, model: str, tokenizer: Any, own: Mapping[str, str]) -> ModelLanguages:
        """Read them from a tokenizer of transformers: its vocabulary holds the tokens, or it has a list of them (M2M100's)."""
        vocabulary = {*tokenizer.get_vocab(), *getattr(tokenizer, "lang_token_to_id", ())}
        named: list[tuple[_Scheme, list[str]]] = []
        for scheme in _SCHEMES:
            form = re.compile(re.escape(scheme.token).replace(r"\{\}", f"({scheme.code})"))
            named.append((scheme, sorted(match[1] for match in map(form.fullmatch, vocabulary) if match)))
        scheme, codes = max(named, key=lambda item: len(item[1]))
        pair = tuple(str(getattr(tokenizer, name, None) or "") for name in ("source_lang", "target_lang"))
        if not codes:
            return cls(model, None, {}, own, (pair[0], pair[1]))
        by_language: dict[str, list[str]] = {}
        for code in codes:
            by_language.setdefault(_language(scheme, code), []).append(code)
        return cls(model, scheme, by_language, own, (pair[0], ""))

    def check(self, source: str, target: str) -> None:
        """Say what is ambiguous. InputError: a language that the model does not have, naming the nearest that it has."""
        for asked, fixed in ((source, self.pair[0]), (target, self.pair[1])):
            if fixed and asked not in self.own and spelled(fixed) != asked and known_language(fixed):
                raise InputError(
                    f"{self.model}: translates from {self.pair[0]} to {self.pair[1] or 'others'}, not from {source} to {target}"
                )
        if self.scheme is None:
            if not all(map(known_language, self.pair)):
                say(f"{self.model}: its files do not say what it translates; taken to be from {source} to {target}")
            return
        for asked in (target,) if self.scheme.before else (source, target):
            code, others = self.code(asked), self.codes.get(asked, ())
            if len(others) > 1 and asked not in self.own:
                say(
                    f"{self.model}: {asked} is {code} here; --codes {asked}={others[1]} makes it {' or '.join(others[1:])}"
                )

    def code(self, lang: str) -> str:
        """The model's code of a language. InputError where it has none."""
        known = [code for codes in self.codes.values() for code in codes]
        code = self.own.get(lang) or next(iter(self.codes.get(lang, ())), "")
        if code in known:
            return code
        shown = self.own.get(lang, lang)
        near = [
            code
            for name, codes in self.codes.items()
            if name.partition("-")[0] == lang.partition("-")[0]
            for code in codes
        ]
        near += [code for code in difflib.get_close_matches(shown, known, n=3, cutoff=0.5) if code not in near]
        near += [self.codes[name][0] for name in difflib.get_close_matches(lang, list(self.codes), n=3, cutoff=0.5)]
        hint = f"near ones are {', '.join(dict.fromkeys(near))}; " if near else ""
        some = ", ".join(known[:_MOST_SHOWN]) + (", ..." if len(known) > _MOST_SHOWN else "")
        raise InputError(
            f"{self.model}: has no language '{shown}'; {hint}it has {len(known)} ({some}); --codes {lang}=CODE names one of them"
        )

    def tell(self, tokenizer: Any, texts: Sequence[str], source: str, target: str) -> tuple[list[str], str | None]:
        """(texts as they are tokenised, the token that decoding begins with or None); the tokenizer is told the source."""
        if self.scheme is None:
            return list(texts), None
        token = self.scheme.token.format(self.code(target))
        if self.scheme.before:
            return [f"{token} {text}" for text in texts], None
        tokenizer.src_lang = self.code(source)
        return list(texts), token


def _language(scheme: _Scheme, code: str) -> str:
    """The BCP 47 code of a model's code; the model's own where it means no language."""
    # each language of mBART has one region, which is none at times (XX) and wrong at others (ar_AR is no Argentine)
    return spelled(code[:2] if scheme.name == "mBART-50" else code)
