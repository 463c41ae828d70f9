"""The proof of transfer: what a run is compared with, and what that shows.

arms      which arms there are, and which fit a recipe        words      TF-IDF and a linear model
gather    trains them, each in a run directory of its own     verdict    arms and seeds as facts
                                                              sentences  the same in words
"""

from hftransfer.evidence.arms import check_arms, has_evidence

__all__ = ["check_arms", "has_evidence"]
