"""Strategies: which parameters move, and how fast. One file each."""

from __future__ import annotations

from hftransfer.registry import STRATEGIES
from hftransfer.strategies.base import Strategy
from hftransfer.strategies.frozen import Frozen
from hftransfer.strategies.full import Full
from hftransfer.strategies.lora import LoRA

STRATEGIES.add("full", Full)
STRATEGIES.add("frozen", Frozen)
STRATEGIES.add("lora", LoRA)

__all__ = ["STRATEGIES", "Frozen", "Full", "LoRA", "Strategy"]
