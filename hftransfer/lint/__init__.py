"""Data lint: what a look at the rows finds before anything is trained. Pure functions of the splits; no torch.

Everything is counted, exactly unless a finding says otherwise, and comes in the same order every time.
"""

from hftransfer.lint.findings import Example, Finding, sentences
from hftransfer.lint.look import lint, refuse_leakage

__all__ = ["Example", "Finding", "lint", "refuse_leakage", "sentences"]
