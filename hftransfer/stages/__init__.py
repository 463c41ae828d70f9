"""The stages of a run, each a function of what the stages before it made."""

from hftransfer.stages.evaluation import EVALUATION_FACTOR, evaluate
from hftransfer.stages.finishing import result
from hftransfer.stages.record import begin, evaluated, happened, start
from hftransfer.stages.saving import save
from hftransfer.stages.scoring import Scores, score
from hftransfer.stages.training import Trained, due, make_loader, train

__all__ = [
    "EVALUATION_FACTOR",
    "Scores",
    "Trained",
    "begin",
    "due",
    "evaluate",
    "evaluated",
    "happened",
    "make_loader",
    "result",
    "save",
    "score",
    "start",
    "train",
]
