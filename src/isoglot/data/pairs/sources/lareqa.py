"""LAReQA's files as training pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.languages import files_by_language
from isoglot.data.pairs.source import SOURCES, Item, Source
from isoglot.records import PairRow


class Lareqa(Source):
    """LAReQA's JSON files (SQuAD's layout with sentences): a question and its answer sentence; the document is the paragraph."""

    name = "lareqa"
    paragraphs = False

    @property
    def form(self) -> str:
        from isoglot.data.lareqa import LAREQA

        return f"{self.name}:DIR or {self.name}:NAME ({', '.join(LAREQA)})"

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        from isoglot.data.lareqa import find_lareqa, read_lareqa_file

        directory = find_lareqa(spec.partition(":")[2], data_dir)
        number = 0
        for lang, path in files_by_language(sorted(directory.glob("*.json")), ".json").items():
            for paragraph in read_lareqa_file(path):
                key = f"{lang}:{paragraph.article}:{paragraph.paragraph}"
                for question in paragraph.questions:
                    number += 1
                    gold = question.gold[0]
                    passage, passage_id, document = paragraph.sentences[gold], f"{key}:{gold}", key
                    others = tuple(text for n, text in enumerate(paragraph.sentences) if n not in question.gold)
                    if self.paragraphs:  # other paragraphs of the article come with other questions
                        passage, passage_id, document = paragraph.context, key, f"{lang}:{paragraph.article}"
                        others = ()
                    texts, beside = (question.question, passage, passage_id), (document, others)
                    row = PairRow(directory.name, question.id, lang, *texts, (), *beside)
                    yield row, str(path), number


class LareqaParagraphs(Lareqa):
    """LAReQA's JSON files: a question and the whole paragraph that it was asked about; the document is the article."""

    name = "lareqa-paragraphs"
    paragraphs = True


SOURCES.register(Lareqa())
SOURCES.register(LareqaParagraphs())
