"""What a finished run says of itself to people: the model card."""

from hftransfer.report.card import card

__all__ = ["card"]
