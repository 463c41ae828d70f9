"""What a run will cost, from a rehearsal of it on a few of its rows: `plan`."""

from hftransfer.planning.estimate import Estimate, Saving, Tokens
from hftransfer.planning.make import plan

__all__ = ["Estimate", "Saving", "Tokens", "plan"]
