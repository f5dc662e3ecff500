"""Mr. TyDi's English training set: queries with the ids or the texts of their passages."""

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.qa_set import QaPair, QaSet, Rows
from isoglot.data.pairs.source import SOURCES
from isoglot.data.readers import json_rows, valid
from isoglot.errors import at

CORPUS_REPO, CORPUS = "castorini/mr-tydi-corpus", "mrtydi-v1.1-english/corpus.jsonl.gz"


class MrTydi(QaSet):
    def pairs(self, rows: Rows, path: Path, address: SetAddress) -> Iterator[QaPair]:
        held = [
            (number, fields, passage) for number, fields in rows for passage in fields.get("positive_passages") or ()
        ]
        wanted = {str(passage["docid"]) for _, _, passage in held if not passage.get("text")}
        texts = _texts(address, wanted) if wanted else {}
        for number, fields, passage in held:
            key = str(passage["docid"])
            text = str(passage.get("text") or texts.get(key) or "")
            yield QaPair(number, f"{fields['query_id']}-{key}", str(fields.get("query") or ""), text, key)


def _texts(address: SetAddress, wanted: set[str]) -> dict[str, str]:
    """Passages of the corpus by id."""
    with at("the queries name passages by id only"):
        corpus = address.file(CORPUS_REPO, CORPUS)
    rows = (fields for _, fields in valid(json_rows(corpus)))
    return {str(row["docid"]): str(row.get("text") or "") for row in rows if str(row.get("docid")) in wanted}


SOURCES.register(
    MrTydi("mr-tydi", "Mr. TyDi: English questions and passages", "castorini/mr-tydi", "mrtydi-v1.1-english/train")
)
