"""The formats of lexicons, one file each."""
