"""Collections: the user's documents, cut into chunks, with the vectors of one model or several, to be searched.

A collection is the directory that `isoglot index` writes: `documents.sqlite`, `vectors/<key of the model>/` with fp16 shards
that are the source of truth, and what is made of these: `backends/`, `words/`.

    from isoglot import Collection, Searcher

    with Collection.open("my-index") as collection, Searcher(collection) as searcher:
        print(searcher.search(["Wie melde ich mich an?"])[0].hits[0].text)
"""

from isoglot.retrieval.collection.collection import Collection as Collection
from isoglot.retrieval.collection.searcher import Answer as Answer
from isoglot.retrieval.collection.searcher import Hit as Hit
from isoglot.retrieval.collection.searcher import Searcher as Searcher
