"""Mr. TyDi's English training set: queries with the ids or the texts of their passages."""

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.qa_set import QaPair, QaSet, Rows, objects, optional_text
from isoglot.data.pairs.source import SOURCES
from isoglot.data.readers import id_field, json_rows, valid
from isoglot.errors import at

CORPUS_REPO, CORPUS = "castorini/mr-tydi-corpus", "mrtydi-v1.1-english/corpus.jsonl.gz"


class MrTydi(QaSet):
    def pairs(self, rows: Rows, path: Path, address: SetAddress) -> Iterator[QaPair]:
        held: list[QaPair] = []
        for number, fields in rows:
            hint = "expected query_id, query and positive_passages [{docid, text}]"
            query = id_field(fields, "query_id", path, number, hint), optional_text(fields, "query", path, number)
            for passage in objects(fields, "positive_passages", path, number):
                key = id_field(passage, "docid", path, number, hint)
                text = optional_text(passage, "text", path, number)
                held.append(QaPair(number, f"{query[0]}-{key}", query[1], text, key))
        wanted = {str(pair.passage_id) for pair in held if not pair.passage}
        texts = _texts(address, wanted) if wanted else {}
        for pair in held:
            yield pair if pair.passage else pair._replace(passage=texts.get(str(pair.passage_id), ""))


def _texts(address: SetAddress, wanted: set[str]) -> dict[str, str]:
    """Passages of the corpus by id."""
    with at("the queries name passages by id only"):
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
