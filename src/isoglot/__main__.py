"""`python -m isoglot` (what launchers of several processes call)."""

from isoglot.cli.main import entry

if __name__ == "__main__":
    entry()
