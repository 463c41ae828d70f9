"""Splits: train, validation and test rows, after columns are mapped and labels are named."""

from hftransfer.splits.columns import Column, check_columns
from hftransfer.splits.make import Splits, make_splits, read_split

__all__ = ["Column", "Splits", "check_columns", "make_splits", "read_split"]
