"""The one analysis of a study: finished runs become systems, and systems become figures, contrasts, claims and an answer.

`reading` reads a study's files, `systems` gathers runs, `contrasts` compares, `isoglot.study.claims` judges, and `analyse` does
all of it: the terminal summary and the report print what it found and compute nothing.
"""
