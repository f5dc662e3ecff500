"""EntityQuestions (Sciavolino et al. 2021, arXiv 2109.08535): English questions about entities, one file per relation.

    dataset/train/P106.train.json    [{"question": "What kind of work does ... do?", "answers": ["...", ...]}, ...]

The layout was read in princeton-nlp/EntityQuestions (README, `dataset/` at commit 096c261). Its authors give the files as
https://nlp.cs.princeton.edu/projects/entity-questions/dataset.zip (MIT licence), of which no digest is known: it is to be
downloaded and unpacked by hand. There are no passages; the first answer stands for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.json_value import JsonValue
from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.errors import InputError, say
from isoglot.files import read_json
from isoglot.records import PairRow

_SPLITS = ("train", "dev", "test")


class EntityQuestions(Source):
    """EntityQuestions: English questions about entities, the first answer as passage; options split (train), limit."""

    name = "entity-questions"
    form = "entity-questions:DIR (its dataset.zip, unpacked)"

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """The questions, one relation after the other. InputError: no such file, a malformed one."""
        address, several = SetAddress.parse(spec, "split", "limit", remote=""), 0
        split = address.choice("split", _SPLITS)
        folders = [address.folder / f"dataset/{split}", address.folder / split, address.folder]
        listings = (sorted(folder.glob(f"P*.{split}.json")) for folder in folders)
        files = next((paths for paths in listings if paths), [])
        if not files:
            raise InputError(f"{spec}: no P*.{split}.json in {folders[0]}, {folders[1]} or {folders[2]}")

        def rows() -> Iterator[Item]:
            nonlocal several
            for path in files[place.file :]:
                relation = path.name.partition(".")[0]
                for number, (question, answers) in enumerate(_questions(path), start=1):
                    several += len(answers) > 1
                    if number > place.within:
                        place.rows, place.within = place.rows + 1, number
                        yield PairRow(self.name, f"{relation}-{number}", "en", question, answers[0]), str(path), number
                place.next_file()

        yield from address.first(rows(), place.rows)
        if several:
            say(f"{spec}: {several:,} questions have several answers; the first of each is taken")


def _questions(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(question, answers) of a file."""
    values = JsonValue(path, "", {"file": read_json(path)}).items("file")
    for value in values:
        question, answers = value.get("question", str).strip(), value.get("answers", list)
        texts = [answer.strip() for answer in answers if isinstance(answer, str)]
        if not question or len(texts) < len(answers) or not all(texts) or not texts:
            raise value.wrong("expected a question, and answers that are texts with at least one character")
        yield question, texts


SOURCES.register(EntityQuestions())
