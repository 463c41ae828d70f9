"""What a finished run says of itself to people: the model card, and the report with its plots."""

from hftransfer.report.card import card
from hftransfer.report.page import pictures
from hftransfer.report.views import view
from hftransfer.report.write import Report, check_place, write_report

__all__ = ["Report", "card", "check_place", "pictures", "view", "write_report"]
