"""The tokenizer, image processor or feature extractor of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hftransfer.checkpoint.explain import brings_code, explanation, first_line
from hftransfer.checkpoint.needs import Needs
from hftransfer.errors import CheckpointError


def load_processor(location: str, name: str, task: Needs, where: Mapping[str, Any]) -> Any:
    """The processor of the task's class. Raises CheckpointError for one that is not there, or knows no words."""
    import transformers

    kind = re.sub("(?<=[a-z])(?=[A-Z])", " ", task.processor_class).removeprefix("Auto ").lower()
    try:
        processor = getattr(transformers, task.processor_class).from_pretrained(location, **where)
    except Exception as error:  # tokenizers raises nothing more special
        if brings_code(str(error)):
            raise explanation(name, task.name, error) from error
        missing = (
            re.search(r"requires the (\w+) library", str(error)) if isinstance(error, ImportError) else None
        )
        if missing:
            library = missing[1].lower()
            raise CheckpointError(
                f"the {kind} of checkpoint {name} needs the library {library}, which is not installed",
                hint=f"pip install {library}",
            ) from error
        raise CheckpointError(
            f"checkpoint {name} has no {kind} that can be read ({first_line(str(error))})",
            hint=f"copy the {kind}'s files from where the weights come from",
        ) from error
    # Where a folder has no tokenizer's files, transformers 5 makes one of special tokens alone: each word is unknown.
    if hasattr(processor, "get_vocab") and not set(processor.get_vocab()) - set(processor.all_special_tokens):
        raise CheckpointError(
            f"checkpoint {name} has no {kind} that can be read (no file with a vocabulary)",
            hint=f"copy the {kind}'s files from where the weights come from",
        )
    return processor


def check_processor(processor: Any, name: str) -> None:
    """Raises CheckpointError for a processor that cannot make batches."""
    if hasattr(processor, "pad_token_id") and processor.pad_token_id is None:
        raise CheckpointError(
            f"checkpoint {name}: its tokenizer has no padding token, which batches of texts need",
            hint="choose an encoder such as BERT; decoder-only models are not supported",
        )


def bound_length(processor: Any, model: Any) -> int | None:
    """The most tokens the model takes, or None; the processor then says so, too.

    The tokenizer is saved with the model: whoever loads it later can then cut texts where the model ends.
    """
    length = _max_length(model, processor)
    if length is not None:
        processor.model_max_length = length
    return length


def _max_length(model: Any, processor: Any) -> int | None:
    """The most tokens the model takes: the tokenizer's bound, or the number of its position embeddings."""
    bounds = []
    stated = getattr(processor, "model_max_length", None)
    if stated is not None and stated < 10**9:  # transformers says 1e30 for "not known"
        bounds.append(int(stated))
    for module in model.modules():
        positions: Any = getattr(module, "position_embeddings", None)
        if hasattr(processor, "model_max_length") and hasattr(positions, "num_embeddings"):
            # RoBERTa's kin count positions from padding_idx + 1.
            skipped = 0 if positions.padding_idx is None else positions.padding_idx + 1
            bounds.append(positions.num_embeddings - skipped)
    if model.config.is_encoder_decoder and getattr(model.config, "max_position_embeddings", None):
        bounds.append(model.config.max_position_embeddings)
    return min(bounds) if bounds else None
