"""The claims, each with the test that was stated before there were results."""

from __future__ import annotations

from isoglot.study.claims import hybrid, lora, setup, side
from isoglot.study.claims.records import MARGIN, OURS, PAPER, Claim

_RECIPES = (
    "95% intervals by a bootstrap over groups of queries and training seeds exclude 0, and sign-flip permutation tests over "
    "groups of queries, corrected by Holm over all tests of the claim, have p <= .05; at least two seeds of each recipe; data "
    "in which the audit found the benchmark do not count"
)
_EVERY = "for every base, data, tuning and parallel benchmark of the study"
_EITHER = "Fails if one difference is significantly against it; undecided otherwise."

_METHOD = (
    Claim(
        "mixed-batches",
        "The retriever is trained on a mix of monolingual and cross-lingual question-answer pairs.",
        f"{PAPER}, method",
        "Counted: every finished hybrid cell has a share of monolingual batches strictly between 0 and 1 and several languages.",
        setup.mixed_training,
    ),
    Claim(
        "parallel-languages",
        "It is measured on parallel benchmarks in 11 (XQuAD-R) and 7 (MLQA-R) languages.",
        f"{PAPER}, evaluation",
        "Counted in the results: 11 and 7 languages, and every question exists in two or more of them.",
        setup.parallel_languages,
    ),
    Claim(
        "settings",
        "There are 110 and 42 cross-lingual and 11 and 7 multilingual settings.",
        f"{PAPER}, evaluation",
        "Counted in the results: cells per setting of XQuAD-R (11 mono, 110 cross, 11 multi) and MLQA-R (7, 42, 7).",
        setup.counts_of_settings,
    ),
    Claim(
        "disjoint",
        "The evaluation sets are disjoint from the training data.",
        f"{PAPER}, evaluation",
        "The audit finds no evaluation question, answer passage or question id among the training pairs, for all data and "
        "benchmarks of the study.",
        setup.disjoint,
    ),
    Claim(
        "zero-shot",
        "Nothing of the evaluation splits is seen in training.",
        f"{PAPER}, evaluation",
        "The audit finds no exact or near duplicate of any text of the evaluation files, distractors included and on any side, "
        "except texts too short to tell.",
        setup.nothing_seen,
    ),
    Claim(
        "map",
        "Mean average precision is reported.",
        f"{PAPER}, evaluation",
        "Every finished result has mAP in each of its settings.",
        setup.map_reported,
    ),
    Claim(
        "macro-averages",
        "Averages are macro-averages over languages and pairs of languages.",
        f"{PAPER}, evaluation",
        "Recomputed from the rows per query: all stated averages agree to 1e-9.",
        setup.macro_averaged,
    ),
    Claim(
        "hybrid-multilingual",
        "Hybrid batches are best in multilingual retrieval.",
        f"{PAPER}, Tables 1-2 and 12-13",
        f"mAP, multi, hybrid (share .5) - mono and hybrid - cross: both above 0 {_EVERY}. {_RECIPES}. {_EITHER}",
        hybrid.best_in_multilingual,
    ),
    Claim(
        "hybrid-every-base",
        "Hybrid batches are better than both baselines for each base model.",
        f"{PAPER}, Tables 1-2 and 12-13",
        f"mAP in mono, cross and multi, hybrid (share .5) - mono and hybrid - cross: all above 0 {_EVERY}, of at least two "
        f"bases. {_RECIPES}. {_EITHER}",
        hybrid.better_for_each_base,
    ),
    Claim(
        "less-bias",
        "Hybrid batches give less language bias than monolingual ones.",
        f"{PAPER}, Tables 1-2 and 12-13",
        f"Rank distance, hybrid (share .5) - mono: below 0 {_EVERY}. {_RECIPES}. {_EITHER}",
        hybrid.less_bias,
    ),
    Claim(
        "strong-zero-shot",
        "Hybrid training gives strong zero-shot retrieval across languages.",
        PAPER,
        f"nDCG@10, hybrid (share .5) - untrained base: above 0 in cross and multi {_EVERY}, and in cross below 0 for the "
        f"questions of no language; the audit was made. {_RECIPES}. {_EITHER}",
        hybrid.strong_zero_shot,
    ),
    Claim(
        "miracl",
        "The models are evaluated on MIRACL.",
        f"{PAPER}, evaluation",
        "Counted: a finished result on MIRACL; on a sample of its corpus the claim is undecided.",
        setup.miracl_evaluated,
    ),
)

_SIDE = (
    Claim(
        "share-stable",
        "Shares of monolingual batches from .4 to .6 do equally well.",
        PAPER,
        f"nDCG@10 in mono, cross and multi: all differences among shares .4, .5 and .6 lie within ±{MARGIN} with their 95% "
        "intervals (bootstrap over groups of queries and training seeds), for every base, data, tuning and parallel benchmark; "
        "at least two seeds. Fails if an interval at 95%, Bonferroni-corrected, lies beyond the margin; undecided otherwise.",
        side.shares_are_stable,
    ),
    Claim(
        "unseen-languages",
        "Languages that were not trained on gain as well.",
        PAPER,
        "nDCG@10, hybrid (share .5) - untrained base, questions (in cross: and passages, where there are two or more such "
        f"languages) in languages without training pairs: above 0 in cross and multi {_EVERY}. {_RECIPES}. {_EITHER}",
        side.unseen_languages_gain,
    ),
)

_PAIR = (
    f"nDCG@10, cross, hybrid batches (share .5), LoRA (rank {lora.RANK}, else the highest) - full fine-tuning, all else equal, "
    "for every base, data direction and parallel benchmark"
)

_COSTS = (
    ("lora-time", "LoRA trains in less time than full fine-tuning.", "Seconds of training", lora.seconds, True),
    ("lora-memory", "LoRA trains in less memory than full fine-tuning.", "Peak memory of training", lora.memory, True),
    (
        "lora-parameters",
        "LoRA trains fewer parameters than full fine-tuning.",
        "Trained parameters",
        lora.parameters,
        False,
    ),
    ("lora-bytes", "An adapter takes less space than a model.", "Bytes of adapter and model", lora.stored, False),
)

_LORA = (
    Claim(
        "lora-non-inferior",
        f"With hybrid batches, LoRA is not inferior to full fine-tuning in zero-shot cross-lingual retrieval (margin {MARGIN} "
        "nDCG@10).",
        OURS,
        f"{_PAIR}: the lower bound of the 95% interval (bootstrap over groups of queries and training seeds) is above -{MARGIN}; "
        f"fails if an upper bound is below -{MARGIN}; undecided otherwise and with one seed.",
        lora.non_inferior,
    ),
    Claim(
        "lora-superior",
        "With hybrid batches, LoRA is better than full fine-tuning in zero-shot cross-lingual retrieval.",
        OURS,
        f"{_PAIR}: above 0. {_RECIPES}. {_EITHER}",
        lora.superior,
    ),
    *(
        Claim(
            name,
            statement,
            OURS,
            f"{what}, LoRA over full fine-tuning under hybrid batches, all else equal: below 1 for every pair of seeds"
            f"{', at least two of each' if varies else ''}; fails if above 1 for every pair of seeds.",
            lora.cheaper(cost, measured_time=varies),
        )
        for name, statement, what, cost, varies in _COSTS
    ),
)

CLAIMS: tuple[Claim, ...] = (*_LORA, *_METHOD, *_SIDE)
"""The project's question first, then the statements about the method, then side claims."""
