"""Heads on what a frozen backbone says of a row, other than the head that the architecture has itself.

`options` is what a recipe may ask for, `reading` what is looked at of a backbone, `model` the backbone with such a head
on it, `fitted` a learner of scikit-learn as a head, `folder` how all that is kept on disk.
"""

from __future__ import annotations

from hftransfer.heads.options import MLP, Fitted, Head, Linear

__all__ = ["MLP", "Fitted", "Head", "Linear"]
