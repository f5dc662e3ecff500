"""Belebele (Bandarkar et al. 2024, arXiv 2308.16884) as retrieval: the passage that a question was asked about.

A corpus is the 488 passages of a language (one per `link`), a query is a question; relevant are the passage of its
link in its own and in every other language. A question is the same query in all languages: its id is its link and
its number there. Questions over one passage are one group. Answers and their options are not used.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from isoglot.data.benchmarks.catalog import BENCHMARKS, NamedBenchmark, Request
from isoglot.data.benchmarks.qrels import judge_by_key, make_benchmark, wanted_languages
from isoglot.data.languages import language
from isoglot.data.readers import id_field, json_rows, parquet_rows, text_field, valid, yaml_data
from isoglot.errors import InputError, LineError
from isoglot.files import data_folders, first_file
from isoglot.hub import about_revisions, hub_file, hub_revision
from isoglot.records import Benchmark, Texts

NAME = "belebele"
REPO = "facebook/belebele"
ABOUT = {"license": "CC BY-SA 4.0", "source": f"https://huggingface.co/datasets/{REPO}"}
_FIELDS = ("link", "question_number", "flores_passage", "question")
_EXAMPLE = '{"link": "...", "question_number": 1, "flores_passage": "...", "question": "..."}'


@cache
def belebele_languages() -> dict[str, str]:
    """Our language codes and the FLORES code of each, in alphabetical order of ours."""
    data = yaml_data(Path(__file__).with_name("belebele.yaml"))
    return dict(sorted((language(code), code) for code in data["variants"].split()))


def belebele_here(data_dir: str | Path | None = None) -> dict[str, Path]:
    """The languages that lie on this machine outside the hub's cache, and the file of each."""
    folders = [folder for root in data_folders(NAME, data_dir) for folder in (root, root / "data")]
    files = {
        lang: first_file(folder / f"{code}{ending}" for folder in folders for ending in (".jsonl", ".parquet"))
        for lang, code in belebele_languages().items()
    }
    return {lang: path for lang, path in files.items() if path}


def load_belebele(request: Request) -> Benchmark:
    """Read the benchmark.

    Files: `<FLORES code>.jsonl` or `.parquet` in `belebele/` or `belebele/data/` of `data_dir` or `$ISOGLOT_DATA`, else
    from the hub. Only the languages asked for are read and downloaded; without any, all 122 variants, or those that lie on
    this machine if some do.

    Raises:
        InputError: an unknown language, a file that is neither there nor on the hub, a malformed one.
    """
    codes, here = belebele_languages(), belebele_here(request.data_dir)
    chosen = list(here or codes)
    if request.languages is not None:
        chosen = wanted_languages(NAME, request.languages, list(codes))
    queries, corpus = {}, {}
    revisions: dict[str, str] = {}
    for lang in chosen:
        file = f"{codes[lang]}.jsonl"
        way_out = f"put {file} into belebele/ of a folder and name the folder by --data-dir or ISOGLOT_DATA"
        path = here.get(lang) or hub_file(REPO, f"data/{file}", way_out)
        revisions |= hub_revision(REPO, path)
        questions, passages = _read(path)
        queries[lang] = Texts(list(questions), list(questions.values()))
        corpus[lang] = Texts([f"{lang}:{link}" for link in passages], list(passages.values()))
    links = [key.rpartition("#")[0] for texts in queries.values() for key in texts.ids]
    documents = enumerate(key for texts in corpus.values() for key in texts.ids)
    judgments = judge_by_key(links, ((key.partition(":")[2], number) for number, key in documents))
    return make_benchmark(NAME, queries, corpus, judgments, links, ABOUT | about_revisions(revisions))


def _read(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Of one language's file, the text of every question by id, and the passage of every link."""
    questions: dict[str, str] = {}
    passages: dict[str, str] = {}
    rows = json_rows(path, _EXAMPLE) if path.suffix == ".jsonl" else parquet_rows(path)
    for number, row in valid(rows):
        hint = f"expected {', '.join(_FIELDS)}"
        link, passage, question = (
            text_field(row, name, path, number, hint) for name in ("link", "flores_passage", "question")
        )
        key = f"{link}#{id_field(row, 'question_number', path, number, hint)}"
        if key in questions:
            raise LineError(path, number, f"question {row['question_number']} of {link} occurs twice")
        passages.setdefault(link, passage)
        questions[key] = question
    if not questions:
        raise InputError(f"{path}: no question in it")
    return questions, passages


def _available(data_dir: str | Path | None) -> str:
    here = belebele_here(data_dir)
    return f"here: {' '.join(here)}; rest: hub" if here else "hub"


BENCHMARKS.register(
    NamedBenchmark(
        name=NAME,
        languages=tuple(belebele_languages()),
        queries=900 * len(belebele_languages()),
        passages=488 * len(belebele_languages()),
        license=ABOUT["license"],
        source=ABOUT["source"],
        help="parallel questions, the short texts they were asked about",
        load=load_belebele,
        available=_available,
        order=3,
    )
)
