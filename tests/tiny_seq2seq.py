"""Tiny random encoder-decoders: T5, BART, mBART, Marian and Pegasus, each with a tokenizer made on the fly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny import HIDDEN, MAX_LENGTH, ROBERTA_SPECIALS, VOCABULARY, _byte_pairs, _unigram

FAMILIES = ("t5", "bart", "mbart", "marian", "pegasus")
LANGUAGES = (">>fra<<", ">>deu<<")
"""What the tiny Marian can write, as its checkpoints of many languages spell it."""

_HALVES = {
    "vocab_size": VOCABULARY,
    "d_model": HIDDEN,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 2 * HIDDEN,
    "decoder_ffn_dim": 2 * HIDDEN,
    "max_position_embeddings": MAX_LENGTH,
    "init_std": 0.1,
}
_FAIRSEQ = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "t5": {
        "vocab_size": VOCABULARY,
        "d_model": HIDDEN,
        "d_kv": 8,
        "d_ff": 2 * HIDDEN,
        "num_layers": 2,
        "num_heads": 4,
        "relative_attention_num_buckets": 8,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
    },
    "bart": _HALVES | _FAIRSEQ | {"decoder_start_token_id": 2, "forced_eos_token_id": 2},
    # As the published one for English to Romanian: the decoder starts from a language.
    "mbart": _HALVES | _FAIRSEQ | {"scale_embedding": True, "decoder_start_token_id": 117},
    "marian": _HALVES
    | {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "scale_embedding": True},
    "pegasus": _HALVES | {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
}


def make(family: str, folder: Path, *, seed: int = 0, **overrides: Any) -> Path:
    """Write a random checkpoint of `family` into `folder`, and return the folder. overrides: of its config."""
    import torch
    import transformers

    config = transformers.AutoConfig.for_model(family, **(CONFIGS[family] | overrides))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForSeq2SeqLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    TOKENIZERS[family]().save_pretrained(folder)
    return folder


def _t5() -> Any:
    from transformers import T5Tokenizer

    return T5Tokenizer(vocab=_unigram(["<pad>", "</s>", "<unk>"]), extra_ids=0, model_max_length=MAX_LENGTH)


def _bart() -> Any:
    from transformers import BartTokenizer

    vocabulary, merges = _byte_pairs(ROBERTA_SPECIALS)
    return BartTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_LENGTH)


def _mbart() -> Any:
    from transformers import MBartTokenizer
    from transformers.models.mbart.tokenization_mbart import FAIRSEQ_LANGUAGE_CODES

    pieces = _unigram(["<s>", "<pad>", "</s>", "<unk>"])
    codes = [(code, 0.0) for code in (*FAIRSEQ_LANGUAGE_CODES, "<mask>")]
    return MBartTokenizer(vocab=[*pieces, *codes], model_max_length=MAX_LENGTH)


def _marian() -> Any:
    """Its own slow tokenizer, two SentencePiece models and one vocabulary, as every OPUS-MT checkpoint has it."""
    import json
    import tempfile

    import sentencepiece
    from transformers import MarianTokenizer

    pieces = [piece for piece, _ in _unigram([])]
    known = ["<pad>", "</s>", "<unk>", *pieces, *LANGUAGES]
    # Every id that the model can generate has to be a piece: this tokenizer fails at others.
    known += [f"unused{n}" for n in range(VOCABULARY - len(known))]
    vocabulary = {piece: place for place, piece in enumerate(known)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([piece.strip("▁") for piece in pieces if piece != "▁"]),
            model_prefix=str(folder / "source"),
            model_type="word",
            vocab_size=len(pieces),
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        model, words = str(folder / "source.model"), str(folder / "vocab.json")
        return MarianTokenizer(model, model, words, model_max_length=MAX_LENGTH)


def _pegasus() -> Any:
    from transformers import PegasusTokenizer

    specials = ["<pad>", "</s>", "<mask_1>", "<mask_2>", "<unk>"]
    return PegasusTokenizer(vocab=_unigram(specials), offset=5, model_max_length=MAX_LENGTH)


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "t5": _t5,
    "bart": _bart,
    "mbart": _mbart,
    "marian": _marian,
    "pegasus": _pegasus,
}
