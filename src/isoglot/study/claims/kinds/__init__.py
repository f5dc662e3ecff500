"""The kinds of claims, one file each."""
