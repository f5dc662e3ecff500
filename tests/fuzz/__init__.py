"""Properties that hold whatever comes in, tried with inputs that hypothesis makes up.

`ISOGLOT_FUZZ=ci` (the default) tries few inputs, the same on every run; `ISOGLOT_FUZZ=long` others on every run, and many:
`benchmarks/fuzz.py` runs everything here so, for as long as it is told to, and the readers of bytes under atheris besides.
"""
