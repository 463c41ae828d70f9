"""Name a pretrained checkpoint, a dataset and a strategy; get a fine-tuned model that is proven to work.

    import hftransfer as ht
    recipe = ht.load_recipe("quickstart", "training.epochs=1")
    result = ht.run(recipe)
    result.metrics["test"]["accuracy"]
    result.predict(["where is my parcel?"])

Importing this package loads no torch; the names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hftransfer.comparison import Comparison, compare
    from hftransfer.errors import (
        CheckpointError,
        DataError,
        HFTransferError,
        InputError,
        RecipeError,
        ReloadError,
        RunDirectoryError,
        TrainingError,
    )
    from hftransfer.hub.push import Pushed, push
    from hftransfer.interactive import plan, run
    from hftransfer.planning import Estimate
    from hftransfer.recipe import Recipe, dump_recipe, load_recipe, recipe_schema
    from hftransfer.registry import METRICS, STRATEGIES, TASKS
    from hftransfer.result import Result
    from hftransfer.runner import check, load_run
    from hftransfer.tasks.predictions import Prediction

# In a notebook tqdm, which other libraries import, complains of a package for its own bars, which are not shown.
warnings.filterwarnings("ignore", message="IProgress not found", module="tqdm")

_HOMES = {
    "hftransfer.comparison": ("Comparison", "compare"),
    "hftransfer.errors": (
        "CheckpointError",
        "DataError",
        "HFTransferError",
        "InputError",
        "RecipeError",
        "ReloadError",
        "RunDirectoryError",
        "TrainingError",
    ),
    "hftransfer.hub": ("Pushed", "push"),
    "hftransfer.planning": ("Estimate",),
    "hftransfer.interactive": ("plan", "run"),
    "hftransfer.recipe": ("Recipe", "dump_recipe", "load_recipe", "recipe_schema"),
    "hftransfer.registry": ("METRICS", "STRATEGIES", "TASKS"),
    "hftransfer.result": ("Result",),
    "hftransfer.runner": ("check", "load_run"),
    "hftransfer.tasks.predictions": ("Prediction",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "METRICS",
    "STRATEGIES",
    "TASKS",
    "CheckpointError",
    "Comparison",
    "DataError",
    "Estimate",
    "HFTransferError",
    "InputError",
    "Prediction",
    "Pushed",
    "Recipe",
    "RecipeError",
    "ReloadError",
    "Result",
    "RunDirectoryError",
    "TrainingError",
    "check",
    "compare",
    "dump_recipe",
    "load_recipe",
    "load_run",
    "plan",
    "push",
    "recipe_schema",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        from hftransfer.errors import nearest

        close = nearest(name, __all__)
        hint = f"; did you mean `{close}`?" if close else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))
    return sorted({*own, *__all__})  # and not what only happens to be here: people complete names from it
