"""The sources of pairs, one file each."""
