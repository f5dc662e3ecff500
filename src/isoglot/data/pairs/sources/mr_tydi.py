"""Mr. TyDi's English training set: queries with the ids or the texts of their passages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.qa_set import QaPair, QaSet, objects, optional_text
from isoglot.data.pairs.source import SOURCES, Place
from isoglot.data.readers import READERS, id_field, json_rows, split_name, valid
from isoglot.errors import at

CORPUS_REPO, CORPUS = "castorini/mr-tydi-corpus", "mrtydi-v1.1-english/corpus.jsonl.gz"


class MrTydi(QaSet):
    def pairs(self, number: int, fields: Mapping[str, Any], path: Path) -> list[QaPair]:
        hint = "expected query_id, query and positive_passages [{docid, text}]"
        query = id_field(fields, "query_id", path, number, hint), optional_text(fields, "query", path, number)
        found = []
        for passage in objects(fields, "positive_passages", path, number):
            key = id_field(passage, "docid", path, number, hint)
            found.append(
                QaPair(number, f"{query[0]}-{key}", query[1], optional_text(passage, "text", path, number), key)
            )
        return found

    def texts(self, address: SetAddress) -> Mapping[str, str]:
        wanted = {
            str(pair.passage_id)
            for path in self.files(address, Place())
            for number, fields in valid(READERS[split_name(path)[1]](path, ()))
            for pair in self.pairs(number, fields, path)
            if not pair.passage
        }
        return _texts(address, wanted) if wanted else {}


def _texts(address: SetAddress, wanted: set[str]) -> dict[str, str]:
    """Passages of the corpus by id."""
    with at("the queries name passages by id only"):
        address.show(CORPUS_REPO, [CORPUS])
        corpus = address.file(CORPUS_REPO, CORPUS)
    texts = {}
    for number, row in valid(json_rows(corpus)):
        key = id_field(row, "docid", corpus, number, "expected docid and text")
        if key in wanted:
            texts[str(key)] = optional_text(row, "text", corpus, number)
    return texts


SOURCES.register(
    MrTydi("mr-tydi", "Mr. TyDi: English questions and passages", "castorini/mr-tydi", "mrtydi-v1.1-english/train")
)
