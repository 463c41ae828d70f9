"""`python -m hftransfer` is the command line, for launchers that start modules."""

from hftransfer.cli import main

if __name__ == "__main__":
    main()
