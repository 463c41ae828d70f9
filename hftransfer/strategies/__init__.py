"""Strategies: which parameters move, and how fast. One file each."""

from __future__ import annotations

from hftransfer.registry import STRATEGIES
from hftransfer.strategies.base import Strategy
from hftransfer.strategies.bitfit import BitFit
from hftransfer.strategies.frozen import Frozen
from hftransfer.strategies.full import Full
from hftransfer.strategies.gradual import Gradual
from hftransfer.strategies.ia3 import IA3
from hftransfer.strategies.layer_decay import LayerDecay
from hftransfer.strategies.lora import LoRA
from hftransfer.strategies.partial import Partial
from hftransfer.strategies.probe_then_full import ProbeThenFull

STRATEGIES.add("full", Full)
STRATEGIES.add("frozen", Frozen)
STRATEGIES.add("probe-then-full", ProbeThenFull)
STRATEGIES.add("partial", Partial)
STRATEGIES.add("gradual", Gradual)
STRATEGIES.add("layer-decay", LayerDecay)
STRATEGIES.add("bitfit", BitFit)
STRATEGIES.add("lora", LoRA)
STRATEGIES.add("ia3", IA3)

__all__ = [
    "IA3",
    "STRATEGIES",
    "BitFit",
    "Frozen",
    "Full",
    "Gradual",
    "LayerDecay",
    "LoRA",
    "Partial",
    "ProbeThenFull",
    "Strategy",
]
