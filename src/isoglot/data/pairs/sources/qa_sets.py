"""English question-answer sets with one column for the question and one for the passage."""

from isoglot.data.pairs.qa_set import QaSet
from isoglot.data.pairs.source import SOURCES

SOURCES.register(
    QaSet("wikiqa", "WikiQA: questions and answer sentences", "microsoft/wiki_qa", "data/train", keep=("label", 1))
)
SOURCES.register(
    QaSet(
        "duorc",
        "DuoRC: questions about plots of films",
        "ibm-research/duorc",
        "SelfRC/train",
        passage="plot",
        passage_id="plot_id",
        keep=("no_answer", False),
    )
)
SOURCES.register(
    QaSet("newsqa", "NewsQA: questions about news articles", "lucadiliello/newsqa", "data/train", passage="context")
)
SOURCES.register(
    QaSet(
        "nq",
        "Natural Questions: questions and passages of Wikipedia",
        "sentence-transformers/natural-questions",
        "pair/train",
        query="query",
    )
)
SOURCES.register(
    QaSet(
        "yahoo",
        "Yahoo Answers: questions and answers of users",
        "sentence-transformers/yahoo-answers",
        "question-answer-pair/train",
    )
)
