"""`python -m isoglot` (what launchers of several processes call)."""

import os
import sys

# `python -m` puts the working directory first, and a file there that is called like a library would be imported in its place
if not getattr(sys.flags, "safe_path", False) and sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from isoglot.cli.main import entry

if __name__ == "__main__":
    entry()
