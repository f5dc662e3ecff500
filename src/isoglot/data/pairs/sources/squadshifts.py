"""SQuADShifts (Miller et al. 2020, arXiv 2004.14444): SQuAD's questions anew on four kinds of English texts; for validation.

Four files in SQuAD's layout, read in the loading script `squadshifts.py` of huggingface/datasets, which names where they lie:
modestyachts/squadshifts-website on GitHub. The dataset on the hub (`ludwigschmidt/squadshifts`) is a script without files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.pairs.sources.squad import PASSAGES, SquadFile, squad_rows
from isoglot.data.pairs.web_files import WebSet
from isoglot.errors import InputError, unknown

FILES = {
    "amazon": "amazon_reviews_v1.0.json",
    "new_wiki": "new_wiki_v1.0.json",
    "nyt": "nyt_v1.0.json",
    "reddit": "reddit_v1.0.json",
}
SHIFTS = WebSet(
    "squadshifts",
    "https://raw.githubusercontent.com/modestyachts/squadshifts-website/b7cc4d50af791c36c49417fb94dd739d6a9e7bef/datasets",
    "CC BY 4.0",
    {
        "amazon_reviews_v1.0.json": "65a067f74f152acbac502f61c67cade21b8638af",
        "new_wiki_v1.0.json": "8a0b5b0a4a7cb4410835118f9f76f35be2545c2c",
        "nyt_v1.0.json": "2302b7d3d1303573f613a3d16f2c382eaa6a728e",
        "reddit_v1.0.json": "6e138f983637ba6a8db9739857c17ee5f1b1497f",
    },
)


class SquadShifts(Source):
    """SQuADShifts: English questions and paragraphs, for validation; options parts (amazon,new_wiki,nyt,reddit), passage."""

    name = "squadshifts"
    form = "squadshifts:web or squadshifts:DIR"

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """One part after the other; ids begin with the part's name. InputError: a missing or malformed file."""
        address = SetAddress.parse(spec, "parts", "passage", remote="web")
        parts = [part for part in address.options.get("parts", "").split(",") if part] or list(FILES)
        for part in parts:
            if part not in FILES:
                raise InputError(f"{spec}: {unknown('part', part, FILES)}")

        def files() -> Iterator[SquadFile]:
            for part in parts:
                path = SHIFTS.fetch(FILES[part]) if address.is_hub else address.find(FILES[part])
                if path is None:
                    raise InputError(f"{spec}: no {FILES[part]} in {address.folder}")
                yield SquadFile(path, "en", self.name, f"{part}:")

        yield from squad_rows(spec, files(), address.choice("passage", PASSAGES), place)


SOURCES.register(SquadShifts())
