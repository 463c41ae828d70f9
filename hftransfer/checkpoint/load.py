"""A pretrained model with a head for this task, its processor, and the names of the weights that its checkpoint
did not hold.

Weights are read as safetensors or refused; no code that comes with a checkpoint is ever run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.checkpoint.explain import explained
from hftransfer.checkpoint.find import find_checkpoint
from hftransfer.checkpoint.from_run import made_by
from hftransfer.checkpoint.needs import Needs
from hftransfer.checkpoint.processor import bound_length, check_processor, load_processor
from hftransfer.checkpoint.warm_start import random_start, set_special_tokens, warm_start, warm_starts
from hftransfer.errors import CheckpointError
from hftransfer.files import sha256
from hftransfer.locate import HEAD
from hftransfer.recipe import CheckpointSection

if TYPE_CHECKING:
    from torch import nn


FRESH = "weights that start from random"
"""Begins the finding that names them."""
RANDOM = "every weight starts from random: the checkpoint gives its architecture and its processor"


@dataclass(frozen=True)
class Checkpoint:
    """A pretrained model, ready for a strategy.

    fresh: names of the parameters that were newly initialised. max_length: the most tokens it takes, or None.
    location: what `from_pretrained` was given. fingerprint: sha256 of local weights, or the Hub's commit.
    made_by: the run whose model it is, see `from_run.made_by`. findings: what a user must know of how it was loaded.
    """

    model: nn.Module
    processor: Any
    fresh: frozenset[str]
    max_length: int | None
    location: str
    fingerprint: str
    made_by: Mapping[str, Any] | None
    findings: tuple[str, ...]


def load_checkpoint(section: CheckpointSection, task: Needs, labels: Sequence[str]) -> Checkpoint:
    """Load the model with a head for `labels`, in float32, and its tokenizer or image processor.

    An encoder, where an encoder-decoder is needed, becomes both halves of one (see `warm_start`).
    Weights that the checkpoint lacks (the loading report says which) are initialised from torch's global random
    state: seed it first. A head that was trained for other labels is not kept. Raises CheckpointError.
    """
    import transformers

    location = find_checkpoint(section)
    where: dict[str, Any] = {"trust_remote_code": False}
    if section.revision:
        where["revision"] = section.revision
    with quiet(), explained(section.name, task.name):
        config = transformers.AutoConfig.from_pretrained(location, **where)
        known_labels = tuple(str(label) for _, label in sorted((config.id2label or {}).items()))
        head = task.head_config(labels)
        for key, value in head.items():
            setattr(config, key, value)
        model, missing, unexpected = _model(section, task.model_class, location, config, where)
        processor = load_processor(location, section.name, task, where)
    check_processor(processor, section.name)
    if warm_starts(task.model_class, config):
        set_special_tokens(model, processor)
    fresh = missing & {name for name, _ in model.named_parameters()}
    if not section.random_weights:
        _check_fit(model, fresh, section.name, task)
    # A task without labels keeps the head that there is.
    if labels and "id2label" in head and known_labels != tuple(labels):
        fresh |= _renew_head(model, fresh, getattr(transformers, task.model_class), config)
    if (Path(location) / HEAD).is_file():
        config.output_hidden_states = False  # saved for those who read its layers
    _settle(model, processor, config)
    return Checkpoint(
        model=model,
        processor=processor,
        fresh=frozenset(fresh),
        max_length=bound_length(processor, model),
        location=location,
        fingerprint=_fingerprint(location, section.revision),
        made_by=made_by(location),
        findings=tuple(_findings(section, task, location, config, fresh, unexpected)),
    )


def _model(
    section: CheckpointSection, model_class: str, location: str, config: Any, where: Mapping[str, Any]
) -> tuple[Any, set[str], set[str]]:
    """As `load_model`; where the recipe wants none of the checkpoint's weights, all of them are missing."""
    if section.random_weights:
        model = _random_model(model_class, config)
        missing, unexpected = {name for name, _ in model.named_parameters()}, set[str]()
    else:
        model, missing, unexpected = load_model(model_class, location, config, where)
    if not model.base_model_prefix and hasattr(model, "backbone"):
        # UperNet says nowhere what its backbone is: without this, all of it would pass for a head to be renewed.
        model.base_model_prefix = "backbone"
    return model, missing, unexpected


def _settle(model: Any, processor: Any, config: Any) -> None:
    """What does not change what the weights are, and yet how they are trained."""
    import torch

    # How convolution weights lie in memory, not what they are: see ImageClassification.collate.
    model.to(memory_format=torch.channels_last)
    if getattr(config, "feat_extract_norm", None) == "group":
        # wav2vec2-base and its kin were trained on padding without a mask; not every extractor of theirs says so.
        processor.return_attention_mask = False


def _findings(
    section: CheckpointSection, task: Needs, location: str, config: Any, fresh: set[str], unexpected: set[str]
) -> Iterator[str]:
    """What a user must know of how a checkpoint was loaded."""
    if warm_starts(task.model_class, config) and not section.random_weights:
        yield "the encoder's weights start both an encoder and a decoder"
    if section.random_weights:
        yield RANDOM
    elif fresh:
        yield f"{FRESH}: {', '.join(_summary(fresh))}"
    if (Path(location) / HEAD).is_file():
        yield "the checkpoint's head stands on features of its backbone, and is not used: see head.json"
    if unexpected:
        yield f"weights of the checkpoint not used: {', '.join(_summary(unexpected))}"


def load_model(
    model_class: str, location: str, config: Any, where: Mapping[str, Any]
) -> tuple[Any, set[str], set[str]]:
    """(the model in float32, names of weights that its checkpoint lacks, names of those it does not use).

    model_class: name of a transformers auto class. where: revision, and what else `from_pretrained` is to be given.
    """
    import torch
    import transformers

    arguments = {"dtype": torch.float32, "use_safetensors": True, "ignore_mismatched_sizes": True, **where}
    if warm_starts(model_class, config):
        return warm_start(location, config, arguments)
    model, report = getattr(transformers, model_class).from_pretrained(
        location, config=config, output_loading_info=True, **arguments
    )
    missing = set(report["missing_keys"]) | {key for key, *_ in report["mismatched_keys"]}
    return model, missing, set(report["unexpected_keys"])


def _random_model(model_class: str, config: Any) -> Any:
    """The model in float32, every weight drawn as its architecture draws it, from torch's global generator."""
    import torch
    import transformers

    if warm_starts(model_class, config):
        return random_start(config, torch.float32)
    return getattr(transformers, model_class).from_config(config, dtype=torch.float32)


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own progress bars and reports: what matters in them is returned, not printed."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _check_fit(model: Any, fresh: set[str], name: str, task: Needs) -> None:
    """Refuse a checkpoint whose weights are not those of the architecture its config names."""
    prefix = f"{model.base_model_prefix}."
    whole = model.base_model is model  # as T5: nothing is outside its backbone
    backbone = {key for key, _ in model.named_parameters() if whole or key.startswith(prefix)}
    if backbone and len(backbone & fresh) > len(backbone) / 2:
        raise CheckpointError(
            f"checkpoint {name} does not fit: {len(backbone & fresh)} of the {len(backbone)} backbone weights that "
            f"{type(model).__name__} needs are not in it",
            hint=f"is it a {task.name} checkpoint, or of another architecture than its config.json says?",
        )


def _renew_head(model: Any, fresh: set[str], auto_class: Any, config: Any) -> set[str]:
    """Give a head that was trained for other labels new random weights. Returns the names renewed.

    The head is what lies outside the backbone. New weights come from the architecture's own initialisation.
    """
    prefix = f"{model.base_model_prefix}."
    if not any(key.startswith(prefix) for key, _ in model.named_parameters()):
        return set()  # nothing in it is called the backbone (Whisper's classifier): what is fresh is the head
    stale = {key for key, _ in model.named_parameters() if not key.startswith(prefix)} - fresh
    if not stale:
        return set()
    donor = dict(auto_class.from_config(config, dtype=model.dtype).named_parameters())
    for key, parameter in model.named_parameters():
        if key in stale:
            parameter.data.copy_(donor[key].data)
    return stale


def _fingerprint(location: str, revision: str | None) -> str:
    folder = Path(location)
    if folder.is_dir():
        return "sha256:" + "+".join(sha256(file) for file in sorted(folder.glob("model*.safetensors")))
    from huggingface_hub import try_to_load_from_cache

    # .../snapshots/COMMIT/config.json
    config = try_to_load_from_cache(location, "config.json", revision=revision)
    return f"commit:{Path(config).parent.name if isinstance(config, str) else 'unknown'}"


def _summary(keys: Mapping[str, Any] | set[str] | frozenset[str]) -> list[str]:
    """Parameter names without `.weight` and `.bias`, at most six of them."""
    modules = sorted({key.rpartition(".")[0] or key for key in keys})
    return modules if len(modules) <= 6 else [*modules[:5], f"and {len(modules) - 5} more"]
