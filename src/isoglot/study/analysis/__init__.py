"""The one analysis of a study: finished runs become systems, and systems become figures, contrasts, claims and an answer.

    analysis = isoglot.study.analysis.analyse.analyse(Path("runs/lareqa"))
    for experiment in analysis.experiments:             # one base, data and benchmark
        experiment.figure(experiment.systems[0], ("cross", "nDCG@10"))      # mean, seeds, 95% interval

The terminal summary, the claims and the report print what is found here and compute nothing. `reading` reads a study's files,
`systems` gathers runs, `contrasts` compares, `isoglot.study.claims` judges.
"""
