"""Inputs of every kind, spoiled: what a command says of them must be one line, and what it reads must add up."""
