"""Runs that are started from Python: shown where somebody watches, interrupted and gone on with, on many processes."""

from hftransfer.interactive.start import plan, run

__all__ = ["plan", "run"]
