"""An encoder-decoder from an encoder alone: both halves start from its weights (BERT2BERT of Rothe et al. 2020).

What the encoder has no weights for is fresh: the decoder's attention to the encoder and, mostly, the head.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hftransfer.errors import CheckpointError

SEQ2SEQ = "AutoModelForSeq2SeqLM"


def warm_starts(model_class: str, config: Any) -> bool:
    """Whether the model that is asked for is to be made of an encoder: one that has no decoder of its own.

    Raises CheckpointError for an encoder whose architecture cannot be a decoder.
    """
    from transformers.models.auto import modeling_auto as auto

    kind = config.model_type
    encoders, decoders = auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    own = auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    if model_class != SEQ2SEQ or kind in own or kind not in encoders:
        return False
    if kind not in decoders:
        raise CheckpointError(
            f"a checkpoint of the architecture {kind} is an encoder that cannot be made a decoder, too",
            hint="choose an encoder-decoder (T5, BART, mBART, Marian, Pegasus), or BERT, RoBERTa or ELECTRA",
        )
    return True


def warm_start(location: str, config: Any, arguments: Mapping[str, Any]) -> tuple[Any, set[str], set[str]]:
    """(the model, names of weights that its checkpoint lacks, names of those that neither half uses).

    arguments: what `from_pretrained` is to be given beside the config.
    """
    import transformers

    halves: dict[str, Any] = {}
    missing: set[str] = set()
    unused: list[set[str]] = []
    for half, (auto_class, of) in _halves(config).items():
        halves[half], one = auto_class.from_pretrained(
            location, config=of, output_loading_info=True, **arguments
        )
        lacking = {*one["missing_keys"], *(key for key, *_ in one["mismatched_keys"])}
        missing |= {f"{half}.{key}" for key in lacking}
        unused.append(set(one["unexpected_keys"]))
    return transformers.EncoderDecoderModel(**halves), missing, set.intersection(*unused)


def random_start(config: Any, dtype: Any) -> Any:
    """The same model with no weight of the encoder's."""
    import transformers

    halves = {half: auto.from_config(of, dtype=dtype) for half, (auto, of) in _halves(config).items()}
    return transformers.EncoderDecoderModel(**halves)


def _halves(config: Any) -> dict[str, tuple[Any, Any]]:
    """half -> (its auto class, its config)."""
    import transformers

    decoder_config = copy.deepcopy(config)
    decoder_config.is_decoder = decoder_config.add_cross_attention = True
    return {
        "encoder": (transformers.AutoModel, copy.deepcopy(config)),
        "decoder": (transformers.AutoModelForCausalLM, decoder_config),
    }


def set_special_tokens(model: Any, tokenizer: Any) -> None:
    """Where a text begins and ends for the decoder: with [CLS] and [SEP] where the tokenizer has no <s> and </s>."""
    tokens = {
        "decoder_start_token_id": _first(tokenizer.bos_token_id, tokenizer.cls_token_id),
        "eos_token_id": _first(tokenizer.eos_token_id, tokenizer.sep_token_id),
        "pad_token_id": tokenizer.pad_token_id,
    }
    if None in tokens.values():
        raise CheckpointError("the checkpoint's tokenizer has no tokens that begin and end a text")
    for name, token in tokens.items():
        setattr(model.config, name, token)
        setattr(model.generation_config, name, token)


def _first(*tokens: int | None) -> int | None:
    return next((token for token in tokens if token is not None), None)
