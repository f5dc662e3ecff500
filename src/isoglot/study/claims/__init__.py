"""Claims: named tests that a study states before there are results. Each is data in the study's YAML file, under `claims:`.

`claim` holds what all kinds have in common and the registry of kinds, `kinds/` one file per kind, `judge` reads the claims of a
study and judges them, `answer` puts what the claims found into a paragraph, `verdicts` is what comes out.

A claim about systems is at most undecided with one training seed: one model of each kind shows how these models differ and
not how the ways to train them do.
"""
