"""The one analysis of a study: finished runs become systems, and systems become figures, contrasts, claims and an answer.

    from isoglot.study.analysis.analyse import analyse

    analysis = analyse(Path("runs/lareqa"))
    analysis.answer                                     # a paragraph
    for experiment in analysis.experiments:             # one base, data and benchmark
        for system in experiment.systems:               # the untrained base first
            experiment.figure(system, ("cross", "nDCG@10"))     # mean, seeds, 95% interval
        experiment.contrasts                            # differences with intervals and p values
        experiment.series                               # systems that differ in one number alone
    analysis.claims                                     # verdicts with effect, interval and evidence

The terminal summary, the claims and the report print what is found here and compute nothing. `reading` reads a study's files,
`systems` gathers runs, `contrasts` compares, `isoglot.study.claims` judges.
"""
