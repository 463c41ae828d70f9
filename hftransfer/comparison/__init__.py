"""Finished runs beside one another: which scored best, for how much, by which settings, and whether that is chance.

    comparison = hftransfer.compare(["runs/full", "runs/lora"])
    comparison.frame             # a row a run, as a pandas DataFrame
    comparison.groups[0].verdict # "runs/lora and runs/full cannot be told apart: ..."

Runs that were scored on other rows, or for another task, are shown and not ranked against each other.
"""

from hftransfer.comparison.facts import Comparison, Group, Row
from hftransfer.comparison.ranking import compare

__all__ = ["Comparison", "Group", "Row", "compare"]
