"""Which sections of a page are translations of each other."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from isoglot.data.documents.sections import Section
from isoglot.records import FloatArray

Similar = Callable[[Sequence[str], Sequence[str]], FloatArray]
"""How similar texts are to others in another language, shape (n, m): cosines of a multilingual model."""

# numbers that programs give the sections of every page say nothing of what they are about
_NUMBERED = re.compile(r"(?:id|idm|idp|sec|section|toc|h|heading|ftn|bookmark)?[-_.]?\d{1,4}", re.IGNORECASE)
_ORDER = 0.02  # what the same place in the order counts, in similarity: enough to tell sections with one text apart
_CHARACTERS = 600  # of a section that are compared


def align(left: Sequence[Section], right: Sequence[Section], similar: Similar | None, least: float) -> dict[int, int]:
    """Sections of `left` and the sections of `right` that translate them, by number.

    Sections with the same anchor, where it is there once on both sides, are aligned wherever they stand. The others are aligned
    between the same two of those, by order: where they have the same levels, or inside parents that do. Two sections of which
    one has more blocks of code are not. With `similar`, sections that only their order would align have to be each other's
    most similar ones, and those of other places may be.

    Args:
        least: the similarity that such sections have at least.
    """
    found = _by_anchor(left, right)
    back = {other: own for own, other in found.items()}
    gaps: tuple[dict[int, list[int]], ...] = (defaultdict(list), defaultdict(list))
    for side, sections, known in ((0, left, found), (1, right, back)):
        place = -1
        for number in range(len(sections)):
            if number in known:
                place = number if side == 0 else known[number]
            else:
                gaps[side][place].append(number)
    for place in sorted(gaps[0].keys() & gaps[1].keys()):
        own, others = gaps[0][place], gaps[1][place]
        ordered = _by_order([left[number].level for number in own], [right[number].level for number in others])
        ordered = [(i, j) for i, j in ordered if left[own[i]].n_code == right[others[j]].n_code]
        if similar is not None:
            texts = ([_text(left[number]) for number in own], [_text(right[number]) for number in others])
            ordered = _by_similarity(similar(*texts), ordered, least)
        found.update((own[i], others[j]) for i, j in ordered)
    return found


def _by_anchor(left: Sequence[Section], right: Sequence[Section]) -> dict[int, int]:
    places = []
    for sections in (left, right):
        counts = Counter(section.anchor for section in sections)
        named = ((section.anchor, number) for number, section in enumerate(sections))
        places.append(
            {name: number for name, number in named if name and counts[name] == 1 and not _NUMBERED.fullmatch(name)}
        )
    return {number: places[1][name] for name, number in places[0].items() if name in places[1]}


def _by_order(left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers of sections that stand in the same place of two trees, given by the levels of their headings."""
    if not left or not right:
        return []
    top = (min(left), min(right))
    trees = [
        [number for number, level in enumerate(levels) if level == least] for levels, least in zip((left, right), top)
    ]
    # what comes before the first heading of the highest level is a part of its own
    starts = [heads[0] for heads in trees]
    pairs = _by_order(left[: starts[0]], right[: starts[1]])
    if len(trees[0]) != len(trees[1]):
        return pairs
    for (i, i_end), (j, j_end) in zip(
        *(zip(heads, [*heads[1:], len(levels)]) for heads, levels in zip(trees, (left, right)))
    ):
        pairs.append((i, j))
        pairs += [(i + 1 + a, j + 1 + b) for a, b in _by_order(left[i + 1 : i_end], right[j + 1 : j_end])]
    return pairs


def _by_similarity(scores: FloatArray, ordered: Sequence[tuple[int, int]], least: float) -> list[tuple[int, int]]:
    """Pairs that are each other's most similar, and similar enough."""
    preferred = scores.copy()
    for i, j in ordered:
        preferred[i, j] += _ORDER
    best, back = preferred.argmax(axis=1), preferred.argmax(axis=0)
    return [(i, j) for i, j in enumerate(best.tolist()) if back[j] == i and scores[i, j] >= least]


def _text(section: Section) -> str:
    return f"{section.heading}\n{' '.join(section.paragraphs)[:_CHARACTERS]}"
