"""Recipes: the schema, and how YAML becomes one."""

from hftransfer.recipe.copy import copy_recipe
from hftransfer.recipe.data import SPLITS, DataSection, HoldOut, Split
from hftransfer.recipe.file import shipped_recipes
from hftransfer.recipe.json_schema import recipe_schema
from hftransfer.recipe.load import Document, dump_recipe, in_yaml, key_like, load_recipe, located, read_recipe
from hftransfer.recipe.memory import MEMORY
from hftransfer.recipe.optimizers import SGD, Adam, AdamW, RMSprop
from hftransfer.recipe.schema import (
    ARMS,
    Arm,
    CheckpointSection,
    EvidenceSection,
    HubSection,
    Recipe,
    Tracker,
    TrainingSection,
    Weights,
)
from hftransfer.recipe.settings import flat, settings
from hftransfer.recipe.slips import check_options, check_recipe

__all__ = [
    "ARMS",
    "MEMORY",
    "SGD",
    "SPLITS",
    "Adam",
    "AdamW",
    "Arm",
    "CheckpointSection",
    "DataSection",
    "Document",
    "EvidenceSection",
    "HoldOut",
    "HubSection",
    "RMSprop",
    "Recipe",
    "Split",
    "Tracker",
    "TrainingSection",
    "Weights",
    "check_options",
    "check_recipe",
    "copy_recipe",
    "dump_recipe",
    "flat",
    "in_yaml",
    "key_like",
    "load_recipe",
    "located",
    "read_recipe",
    "recipe_schema",
    "settings",
    "shipped_recipes",
]
