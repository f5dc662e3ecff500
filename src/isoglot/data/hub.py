"""Files of dataset repositories on the Hugging Face hub, and Belebele, which lies there."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark, wanted_languages
from isoglot.data.jsonl import json_object, lines
from isoglot.data.languages import language
from isoglot.errors import InputError, LineError
from isoglot.records import Benchmark, Texts

BELEBELE_REPO = "facebook/belebele"
BELEBELE_LICENSE = "CC BY-SA 4.0"
# the 122 variants by their FLORES-200 codes, language and script (Bandarkar et al. 2024, arXiv 2308.16884, Table 2)
_VARIANTS = (
    "acm_Arab afr_Latn als_Latn amh_Ethi apc_Arab arb_Arab arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng azj_Latn bam_Latn "
    "ben_Beng ben_Latn bod_Tibt bul_Cyrl cat_Latn ceb_Latn ces_Latn ckb_Arab dan_Latn deu_Latn ell_Grek eng_Latn est_Latn "
    "eus_Latn fin_Latn fra_Latn fuv_Latn gaz_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hin_Latn hrv_Latn "
    "hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kac_Latn kan_Knda kat_Geor kaz_Cyrl "
    "kea_Latn khk_Cyrl khm_Khmr kin_Latn kir_Cyrl kor_Hang lao_Laoo lin_Latn lit_Latn lug_Latn luo_Latn lvs_Latn mal_Mlym "
    "mar_Deva mkd_Cyrl mlt_Latn mri_Latn mya_Mymr nld_Latn nob_Latn npi_Deva npi_Latn nso_Latn nya_Latn ory_Orya pan_Guru "
    "pbt_Arab pes_Arab plt_Latn pol_Latn por_Latn ron_Latn rus_Cyrl shn_Mymr sin_Latn sin_Sinh slk_Latn slv_Latn sna_Latn "
    "snd_Arab som_Latn sot_Latn spa_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn tam_Taml tel_Telu tgk_Cyrl tgl_Latn "
    "tha_Thai tir_Ethi tsn_Latn tso_Latn tur_Latn ukr_Cyrl urd_Arab urd_Latn uzn_Latn vie_Latn war_Latn wol_Latn xho_Latn "
    "yor_Latn zho_Hans zho_Hant zsm_Latn zul_Latn"
)
FLORES = _VARIANTS.split()
# languages that FLORES has in two scripts keep the script in the code of the second one
_SECOND_SCRIPTS = frozenset({"arb_Latn", "ben_Latn", "hin_Latn", "npi_Latn", "sin_Latn", "urd_Latn", "zho_Hant"})
# codes for which CLDR has no alias: Southern Pashto, Nigerian Fulfulde and two Arabic dialects
_OWN_CODES = {"pbt": "ps", "fuv": "ff", "acm": "acm", "apc": "apc"}


@cache
def belebele_languages() -> dict[str, str]:
    """Our language codes and the FLORES code of each, in alphabetical order of ours."""
    found = {}
    for code in FLORES:
        head, script = code.split("_")
        base = _OWN_CODES.get(head) or language(head)
        found[f"{base}-{script}" if code in _SECOND_SCRIPTS else base] = code
    return dict(sorted(found.items()))


def data_homes(name: str, data_dir: str | Path | None) -> list[Path]:
    """Where the files of benchmark `name` are looked for on this machine: `data_dir`, then `$ISOGLOT_DATA`."""
    roots = [Path(root) for root in (data_dir, os.environ.get("ISOGLOT_DATA")) if root]
    return [home for root in roots for home in (root / name, root) if home.is_dir()]


def hub_file(repo: str, path: str, way_out: str) -> Path:
    """A file of a dataset repository, from the hub's cache on this machine or downloaded into it.

    Args:
        repo: such as `miracl/miracl`.
        path: inside the repository.
        way_out: ends the message when the file cannot be had: where it could be put by hand.

    Raises:
        InputError: no network, no such file, no permission.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, path, repo_type="dataset", local_files_only=True))
    except Exception:  # not in the cache: that is what the next lines are for
        pass
    place = f"{path} of the dataset {repo} on the Hugging Face hub"
    if not hub_reachable():
        raise InputError(f"{place} is not on this machine and the hub cannot be reached; {way_out}")
    try:
        return Path(hf_hub_download(repo, path, repo_type="dataset"))
    except Exception as error:  # the hub's errors, those of its HTTP client and OSError share no narrower base
        raise InputError(f"{place} could not be downloaded ({type(error).__name__}); {way_out}") from None


def hub_revision(repo: str, path: Path) -> dict[str, str]:
    """{repo: commit} of a file that lies in the hub's cache (`.../snapshots/<commit>/...`), else nothing."""
    parts = path.parts
    if "snapshots" in parts[:-2]:
        return {repo: parts[parts.index("snapshots") + 1]}
    return {}


def hub_reachable() -> bool:
    """Whether the hub answers within seconds: its own client retries for half a minute before it gives up."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    request = urllib.request.Request(os.environ.get("HF_ENDPOINT") or "https://huggingface.co", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


class _Question(NamedTuple):
    link: str
    id: str
    text: str


def belebele_here(data_dir: str | Path | None = None) -> dict[str, Path]:
    """The languages of Belebele that lie on this machine outside the hub's cache, and the file of each."""
    homes = [folder for home in data_homes("belebele", data_dir) for folder in (home, home / "data")]
    return {lang: path for lang, code in belebele_languages().items() if (path := _local(homes, code))}


def load_belebele(languages: Sequence[str] | None = None, data_dir: str | Path | None = None) -> Benchmark:
    """Belebele (Bandarkar et al. 2024, arXiv 2308.16884) as retrieval: the passage that a question was asked about.

    A corpus is the 488 passages of a language (one per `link`), a query is a question; relevant are the passage of its
    link in its own and in every other language. A question is the same query in all languages: its id is its link and
    its number there. Questions over one passage are one group. Answers and their options are not used.

    Files: `<FLORES code>.jsonl` or `.parquet` in `belebele/` or `belebele/data/` of `data_dir` or `$ISOGLOT_DATA`, else
    from the hub.

    Args:
        languages: only these are read and downloaded; all 122 variants when None, or those that lie there if some do.
        data_dir: where to look first.

    Raises:
        InputError: an unknown language, a file that is neither there nor on the hub, a malformed one.
    """
    codes = belebele_languages()
    here = belebele_here(data_dir)
    chosen = list(here or codes) if languages is None else wanted_languages("belebele", languages, list(codes))
    about = {"license": BELEBELE_LICENSE, "source": f"https://huggingface.co/datasets/{BELEBELE_REPO}"}
    queries, corpus, passages = {}, {}, {}
    groups: list[str] = []
    for lang in chosen:
        path = here.get(lang) or hub_file(BELEBELE_REPO, f"data/{codes[lang]}.jsonl", _way_out(codes[lang]))
        if revision := hub_revision(BELEBELE_REPO, path):
            about["revision"] = ", ".join(f"{repo}@{commit}" for repo, commit in revision.items())
        questions, passages[lang] = _read_belebele(path)
        queries[lang] = Texts([item.id for item in questions], [item.text for item in questions])
        corpus[lang] = Texts([f"{lang}:{link}" for link in passages[lang]], list(passages[lang].values()))
        groups += [item.link for item in questions]
    return make_benchmark("belebele", queries, corpus, _judgments(groups, passages), groups, about)


def _way_out(code: str) -> str:
    return f"put {code}.jsonl into belebele/ of a folder and name the folder by --data-dir or ISOGLOT_DATA"


def _local(homes: Iterable[Path], code: str) -> Path | None:
    places = (home / f"{code}{suffix}" for home in homes for suffix in (".jsonl", ".parquet"))
    return next((path for path in places if path.is_file()), None)


def _read_belebele(path: Path) -> tuple[list[_Question], dict[str, str]]:
    """The questions of one language's file, and the passage of every link."""
    fields = ("link", "question_number", "flores_passage", "question")
    questions: list[_Question] = []
    passages: dict[str, str] = {}
    seen: set[str] = set()
    for number, row in _belebele_rows(path):
        if missing := [name for name in fields if not str(row.get(name) or "").strip()]:
            raise LineError(path, number, f"field '{missing[0]}' is missing or empty; expected {', '.join(fields)}")
        link = str(row["link"])
        key = f"{link}#{row['question_number']}"
        if key in seen:
            raise LineError(path, number, f"question {row['question_number']} of {link} occurs twice")
        seen.add(key)
        passages.setdefault(link, str(row["flores_passage"]))
        questions.append(_Question(link, key, str(row["question"])))
    if not questions:
        raise InputError(f"{path}: no question in it")
    return questions, passages


def _belebele_rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    if path.suffix == ".jsonl":
        example = '{"link": "...", "question_number": 1, "flores_passage": "...", "question": "..."}'
        return ((number, json_object(line, path, number, example)) for number, line in lines(path))
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return enumerate(pq.read_table(path).to_pylist(), start=1)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None


def _judgments(links: Sequence[str], passages: dict[str, dict[str, str]]) -> Judgments:
    """Every (query, passage of its link in any language) as pooled numbers; `links` has one entry per pooled query."""
    numbers = {link: i for i, link in enumerate(dict.fromkeys(link for part in passages.values() for link in part))}
    document = np.full((len(numbers), len(passages)), -1, dtype=np.int64)
    first = 0
    for column, part in enumerate(passages.values()):
        document[[numbers[link] for link in part], column] = np.arange(first, first + len(part))
        first += len(part)
    relevant = document[[numbers[link] for link in links]]
    query = np.repeat(np.arange(len(links), dtype=np.int64), relevant.shape[1])
    there = relevant.reshape(-1) >= 0
    return Judgments(query[there], relevant.reshape(-1)[there], np.ones(int(there.sum())))
