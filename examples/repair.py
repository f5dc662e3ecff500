"""Measure a model, repair it without training and by training, measure it again: in Python alone.

    python examples/repair.py WORK

Needs isoglot[offline], no network. WORK is a folder that is made.
"""

import sys
from pathlib import Path

from isoglot import TrainSettings, debias, evaluate, load_model, train

BASE = "offline:multilingual-e5-small"
LANGUAGES = ["de", "en", "zh"]


def figures(model: str | Path) -> str:
    """nDCG@10 in the three settings and the rank distance, on questions written for isoglot."""
    summary = evaluate(load_model(str(model)), "faq", languages=LANGUAGES, measures=["nDCG@10"]).summary
    values = [f"{setting} {summary['settings'][setting]['nDCG@10']:.3f}" for setting in ("mono", "cross", "multi")]
    return f"{', '.join(values)}, rank distance {summary['bias']['rank_distance']:.0f}"


def main(work: Path) -> None:
    print("as it is:", figures(BASE))
    debias(BASE, "facts:", work / "corrected", method="lsar", languages=LANGUAGES)
    print("corrected:", figures(work / "corrected"))
    settings = TrainSettings(
        recipe="isoglot",
        base=BASE,
        pairs=["facts:"],
        languages=LANGUAGES,
        steps=60,
        batch_size=16,
        output=str(work / "run"),
    )
    print("trained:", figures(train(settings).model))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
