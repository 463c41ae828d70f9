"""The `hftransfer` program, also as `python -m hftransfer`, for launchers that start modules."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Importing it takes a moment, in which nobody else would answer an interrupt."""
    try:
        from hftransfer.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
