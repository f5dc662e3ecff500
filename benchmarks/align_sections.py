"""How well sections are aligned without anchors, where the anchors of real pages say what is right.

python benchmarks/align_sections.py 'files/usr/share/libreoffice/help/{lang}/text/**/*.html' --languages en de ja --pages 60

Of every page that has 4 to 12 sections and is wholly translated, the anchors are taken away, and from the page in each other
language one section is taken out ("missing"), or two change places ("moved"). What `align` finds by order, and with a model at
several least similarities, is compared with what the anchors say.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from isoglot.data.documents.align import Similar, align
from isoglot.data.documents.find import find_files
from isoglot.data.documents.reading import read_pages
from isoglot.data.documents.sections import Section
from isoglot.data.documents.settings import DocumentSettings
from isoglot.retrieval.similarity import similarity_by

LEAST = (0.7, 0.75, 0.8, 0.82, 0.84, 0.86, 0.88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern")
    parser.add_argument("--languages", nargs="+", required=True, help="the source language first")
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--model", default="offline:multilingual-e5-small")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    source, *others = options.languages
    asked = DocumentSettings(languages=tuple(options.languages), source_language=source)
    pages = read_pages(find_files([options.pattern], asked), asked)
    random, similar = Random(0), similarity_by(options.model)
    cases = [page for _, page in sorted(pages.sections.items()) if 4 <= len(page.get(source, ())) <= 12]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for page in random.sample(cases, min(options.pages, len(cases))):
        for lang in others:
            if _is_copy(page[source], page[lang]):
                continue
            for damage in ("none", "missing", "moved"):
                _case(page[source], page[lang], damage, random, similar, counts)
    rows = [_row(*key, count) for key, count in sorted(counts.items())]
    print(json.dumps(rows, indent=1))
    if options.output:
        options.output.write_text(
            json.dumps({"pages": options.pages, "languages": options.languages, "rows": rows}, indent=1) + "\n"
        )


def _is_copy(left: list[Section], right: list[Section]) -> bool:
    """Whether a page is not wholly translated."""
    texts = {text for section in left for text in section.paragraphs}
    return any(text in texts for section in right for text in section.paragraphs)


def _case(
    left: list[Section],
    right: list[Section],
    damage: str,
    random: Random,
    similar: Similar,
    counts: dict[tuple[str, str], Counter[str]],
) -> None:
    kept = list(range(len(right)))
    if damage == "missing":
        kept.remove(random.choice(kept))
    elif damage == "moved":
        i, j = random.sample(range(len(kept)), 2)
        kept[i], kept[j] = kept[j], kept[i]
    right = [right[number] for number in kept]
    truth = align(left, right, None, 0)
    if {left[number].anchor for number in truth} != {section.anchor for section in right}:
        return  # not every section has an anchor
    ours, theirs = ([replace(section, anchor="") for section in side] for side in (left, right))
    scores: dict[tuple[Any, ...], Any] = {}

    def once(a: Any, b: Any) -> Any:
        key = (*a, *b)
        if key not in scores:
            scores[key] = similar(a, b)
        return scores[key]

    for name, found in [
        ("order", align(ours, theirs, None, 0)),
        *((f"model, {x}", align(ours, theirs, once, x)) for x in LEAST),
    ]:
        count = counts.setdefault((damage, name), Counter())
        count["right"] += len(truth)
        count["found"] += len(found)
        count["found right"] += sum(truth.get(number) == other for number, other in found.items())


def _row(damage: str, name: str, count: Counter[str]) -> dict[str, Any]:
    return {
        "damage": damage,
        "by": name,
        "precision": round(count["found right"] / max(1, count["found"]), 4),
        "recall": round(count["found right"] / max(1, count["right"]), 4),
        "sections": count["right"],
    }


if __name__ == "__main__":
    main()
