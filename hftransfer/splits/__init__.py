"""Splits: train, validation and test rows, after columns are mapped and labels are named."""

from hftransfer.splits.columns import Column, check_columns
from hftransfer.splits.made import OneSplit, Splits
from hftransfer.splits.make import make_splits, read_split
from hftransfer.splits.masks import MaskColumn, mask_values

__all__ = [
    "Column",
    "MaskColumn",
    "OneSplit",
    "Splits",
    "check_columns",
    "make_splits",
    "mask_values",
    "read_split",
]
