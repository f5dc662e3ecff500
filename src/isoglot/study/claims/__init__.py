"""Claims: named tests that a study states before there are results. Each is data in the study's YAML file, under `claims:`.

A claim about systems is at most undecided with one training seed: one model of each kind shows how these models differ and
not how the ways to train them do.
"""
