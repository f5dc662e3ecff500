"""Transforms: pairs in, pairs out."""

from __future__ import annotations

import numpy as np
import pytest

from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.transform.members.languages import Languages
from isoglot.data.transform.members.share import Share
from isoglot.data.transform.registry import TRANSFORMS
from isoglot.errors import InputError
from isoglot.records import PairRow
from isoglot.registry import one_line_help


def pair_table(n: int = 40, languages: tuple[str, ...] = ("de", "en", "fr")) -> PairTable:
    """Pairs in all languages; every third shares its passage with the next."""
    return PairTable.from_rows(
        [
            PairRow(
                source="s",
                id=str(number),
                lang=lang,
                query=f"q{number} {lang}",
                passage=f"p{number - (number % 3 == 1)} {lang}",
            )
            for number in range(n)
            for lang in languages
        ]
    )


def ids(table: PairTable) -> list[str]:
    return list(dict.fromkeys(table.table.column("id").to_pylist()))


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    table = pair_table()
    held: list[set[str]] = []
    for amount in (0.1, 0.25, 0.5, 1.0):
        share = Share(amount=amount).apply(table)
        kept = set(ids(share))
        assert len(share) == 3 * len(kept), "a pair is taken in all its languages"
        inside = np.array([str(number) in kept for number in range(40)])
        for group in set(table.index.group.tolist()):
            members = inside[table.index.group == group]
            assert members.all() or not members.any()
        held.append(kept)
    assert held[0] < held[1] < held[2] < held[3]
    assert abs(len(held[2]) - 20) <= 4
    assert set(ids(Share(amount=0.25, amount_seed=1).apply(table))) != held[1]


def test_the_rows_of_a_share_are_those_of_the_first_release() -> None:
    """Runs that were trained on a share go on with the same pairs."""
    assert ids(Share(amount=0.25).apply(pair_table())) == [
        "0",
        "1",
        "3",
        "4",
        "6",
        "7",
        "15",
        "16",
        "21",
        "22",
        "23",
        "29",
    ]
    assert ids(Share(amount=0.1, amount_seed=7).apply(pair_table())) == ["0", "1", "2", "9", "10"]
    assert len(ids(Share(amount=0.001).apply(pair_table()))) in (1, 2), "one group at least"


def test_restricted_to_languages() -> None:
    table = pair_table()
    assert Languages(languages=["fr", "deu"]).apply(table).digest == pair_table(languages=("de", "fr")).digest
    assert Languages().apply(table) is table
    assert Languages(languages=["de", "en", "fr"]).apply(table) is table
    facts = load_pairs("facts:de,en,hi")
    assert Languages(languages=["en"]).apply(facts).digest == load_pairs("facts:de,en,hi", languages=["en"]).digest
    with pytest.raises(InputError, match=r"pairs: no pairs in zh \(languages there: de, en, fr\)"):
        Languages(languages=["de", "zh"]).apply(table)


def test_the_registry_checks_settings() -> None:
    assert set(TRANSFORMS.names()) == {"code-switch", "languages", "share", "translate"}
    assert one_line_help(TRANSFORMS["share"]).startswith("A share of the pairs")
    assert TRANSFORMS["share"](amount="0.5") == Share(amount=0.5)
    for wrong, message in (
        ({"amount": 0}, "amount must be above 0, got 0"),
        ({"amount": 1.5}, "amount must be at most 1, got 1.5"),
        ({"amuont": 0.5}, "unknown setting 'amuont' \\(did you mean 'amount'"),
    ):
        with pytest.raises(InputError, match=message):
            TRANSFORMS["share"](**wrong)
