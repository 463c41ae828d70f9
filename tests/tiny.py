"""Tiny random checkpoints of every family we claim to work with, and toy data that they can learn.

Made on the fly (nothing is downloaded, nothing is stored): each is a folder as on the Hub, under 1 MB, made
in well under a second, with the same bytes for the same seed.

    make_checkpoint("bert", tmp_path / "bert")      config, weights, tokenizer or image processor
    TEXTS, LABELS; PAIRS, PAIR_LABELS               rows whose label can be read off the words
    make_images(tmp_path / "images", 8)             a folder a class, with PNG files in it
"""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXT_FAMILIES = ("bert", "distilbert", "roberta", "deberta-v2", "electra", "albert", "mpnet", "modernbert")
IMAGE_FAMILIES = ("vit", "dinov2", "resnet", "convnext", "mobilenet_v2")
FAMILIES = TEXT_FAMILIES + IMAGE_FAMILIES

MORE: dict[str, str] = {
    "wav2vec2": "tiny_audio",
    "wav2vec2-layer": "tiny_audio",
    "audio-spectrogram-transformer": "tiny_audio",
    "segformer": "tiny_vision",
    "upernet": "tiny_vision",
    **dict.fromkeys(("t5", "bart", "mbart", "marian", "pegasus"), "tiny_seq2seq"),
    **dict.fromkeys((f"{family}-mlm" for family in TEXT_FAMILIES), "tiny_mlm"),
}
"""Families that only some tasks start from -> the module whose `make(family, folder, seed=, ...)` writes them."""

HIDDEN = 32
MAX_LENGTH = 64
"""Tokens that every tiny text model takes, special tokens included."""
IMAGE_SIZE = 32
HEAD_LABELS = ("first", "second", "third", "fourth")
"""Labels of the classification head that `make_checkpoint(..., head=True)` writes."""


def _words(text: str) -> list[str]:
    return text.split()


COLOURS = _words("""
    red green blue yellow purple orange pink brown black white grey teal scarlet golden silver violet
""")
ANIMALS = _words("""
    cat dog horse cow sheep goat pig duck mouse rabbit fox bear wolf tiger lion otter
""")
FILLER = _words("""
    the a my your this that we i you saw like want painted chose with near very so quite and now today is
""")
SHAPES = (
    "i saw the {} and the {} today",
    "my {} is near that {}",
    "we like this {} so very {}",
    "you want {} {} now",
)


def _sentence(words: list[str], draw: random.Random) -> str:
    return draw.choice(SHAPES).format(*draw.sample(words, 2))


def make_rows(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """n texts, and for each `animal` or `colour`: which words it holds. Classes take turns."""
    draw = random.Random(seed)
    labels = [("animal", "colour")[i % 2] for i in range(n)]
    return [_sentence(ANIMALS if label == "animal" else COLOURS, draw) for label in labels], labels


def make_pairs(n: int, *, seed: int = 0) -> tuple[list[tuple[str, str]], list[str]]:
    """n pairs of texts, and for each `animal` or `colour`: what the SECOND is about."""
    draw = random.Random(seed)
    second, labels = make_rows(n, seed=seed + 1)
    return [(_sentence(draw.choice([ANIMALS, COLOURS]), draw), text) for text in second], labels


TEXTS, LABELS = make_rows(32)
PAIRS, PAIR_LABELS = make_pairs(32)


def make_images(folder: Path, n: int, size: int = IMAGE_SIZE, *, seed: int = 0) -> Path:
    """n noisy PNG files of size x size in each of three classes (red, green, blue): folder/red/0.png ..."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(seed)
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            pixels = draw.integers(0, 128, (size, size, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def make_checkpoint(
    family: str, folder: Path, *, head: bool = False, pooler: bool = True, seed: int = 0, **overrides: Any
) -> Path:
    """Write a random checkpoint of `family` into `folder`, and return the folder.

    head: a classifier of HEAD_LABELS rather than the base model alone.
    pooler: for bert and albert only: False leaves the pooler's weights out, as many published checkpoints do.
    overrides: fields of the model's config.
    """
    import torch
    import transformers

    if family in MORE:
        made: Path = importlib.import_module(MORE[family]).make(family, folder, seed=seed, **overrides)
        return made
    config = transformers.AutoConfig.for_model(family, **(CONFIGS[family] | overrides))
    arguments: dict[str, Any] = {} if pooler else {"add_pooling_layer": False}
    auto = transformers.AutoModel
    if head:
        config.id2label = dict(enumerate(HEAD_LABELS))
        config.label2id = {name: i for i, name in enumerate(HEAD_LABELS)}
        text = family in TEXT_FAMILIES
        auto = (
            transformers.AutoModelForSequenceClassification
            if text
            else transformers.AutoModelForImageClassification
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = auto.from_config(config, dtype=torch.float32, **arguments)
        _settle_batch_norm(model)
    model.save_pretrained(folder)
    if family in TEXT_FAMILIES:
        TOKENIZERS[family]().save_pretrained(folder)
    else:
        (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[family], indent=2))
    return folder


def load_classifier(folder: Path, *, num_labels: int = 3, **arguments: Any) -> tuple[Any, set[str]]:
    """The checkpoint as a classifier in evaluation mode, and the names of its fresh weights."""
    import torch
    import transformers

    text = (folder / "tokenizer.json").exists()
    auto = (
        transformers.AutoModelForSequenceClassification
        if text
        else transformers.AutoModelForImageClassification
    )
    model, report = auto.from_pretrained(
        folder, num_labels=num_labels, output_loading_info=True, dtype=torch.float32, **arguments
    )
    return model, report["missing_keys"] | {name for name, *_ in report["mismatched_keys"]}


def logits(model: Any, batch: Any) -> Any:
    """What a model gives for a batch, in evaluation mode."""
    import torch

    model.eval()
    with torch.no_grad():
        return model(**batch).logits


def make_batch(family: str, folder: Path, n: int = 8) -> dict[str, Any]:
    """n rows of toy data as the model takes them: padded pairs of texts, or images; and `labels` (0, 1)."""
    import torch
    import transformers

    labels = [int(label == "colour") for label in PAIR_LABELS[:n]]
    if family in TEXT_FAMILIES:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        firsts, seconds = zip(*PAIRS[:n], strict=True)
        batch = dict(tokenizer(list(firsts), list(seconds), padding=True, return_tensors="pt"))
    else:
        pixels = torch.rand(n, 3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(0)) - 0.5
        pixels[torch.arange(n), torch.tensor(labels)] += 0.5
        batch = {"pixel_values": pixels}
    return batch | {"labels": torch.tensor(labels)}


def _settle_batch_norm(model: Any) -> None:
    """Fill BatchNorm's running statistics from noise: a trained model has no zeros and ones there."""
    import torch

    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.5
    model.train()
    with torch.no_grad():
        for _ in range(8):
            model(pixel_values=torch.randn(8, 3, IMAGE_SIZE, IMAGE_SIZE))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.num_batches_tracked.zero_()


# Tokenizers ------------------------------------------------------------

WORDS = [*dict.fromkeys(FILLER + COLOURS + ANIMALS)]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz0123456789", *".,!?'-:;()\"/&$%#@"]
BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
MPNET_SPECIALS = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
ALBERT_SPECIALS = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
DEBERTA_SPECIALS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
VOCABULARY = 512
"""Rows of every embedding; each vocabulary is smaller."""


def _word_piece(specials: list[str]) -> dict[str, int]:
    pieces = [*specials, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def _unigram(specials: list[str]) -> list[tuple[str, float]]:
    """Whole words score above letters, letters above unknown."""
    words = [(f"▁{word}", -4.0) for word in WORDS if len(word) > 1]
    letters = [(letter, -8.0) for letter in ("▁", *LETTERS)]
    return [*((special, 0.0) for special in specials), *words, *letters]


def _byte_pairs(specials: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level BPE learned from the words: 256 bytes, and some merges."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [tuple(merge) for merge in learned["merges"]]


def _bert_tokenizer() -> Any:
    from transformers import BertTokenizer

    return BertTokenizer(vocab=_word_piece(BERT_SPECIALS), model_max_length=MAX_LENGTH)


def _mpnet_tokenizer() -> Any:
    from transformers import MPNetTokenizer

    return MPNetTokenizer(vocab=_word_piece(MPNET_SPECIALS), model_max_length=MAX_LENGTH)


def _roberta_tokenizer() -> Any:
    from transformers import RobertaTokenizer

    vocabulary, merges = _byte_pairs(ROBERTA_SPECIALS)
    return RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_LENGTH)


def _albert_tokenizer() -> Any:
    from transformers import AlbertTokenizer

    return AlbertTokenizer(vocab=_unigram(ALBERT_SPECIALS), model_max_length=MAX_LENGTH)


def _deberta_tokenizer() -> Any:
    from transformers import DebertaV2Tokenizer

    return DebertaV2Tokenizer(vocab=_unigram(DEBERTA_SPECIALS), model_max_length=MAX_LENGTH)


def _modernbert_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary, merges = _byte_pairs(BERT_SPECIALS)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:0 [SEP]:0",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    names = {f"{token[1:-1].lower()}_token": token for token in BERT_SPECIALS}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **names,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
    )


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "bert": _bert_tokenizer,
    "distilbert": _bert_tokenizer,
    "electra": _bert_tokenizer,
    "mpnet": _mpnet_tokenizer,
    "roberta": _roberta_tokenizer,
    "modernbert": _modernbert_tokenizer,
    "albert": _albert_tokenizer,
    "deberta-v2": _deberta_tokenizer,
}


# Configurations ------------------------------------------------------------

# A wider initialisation than the usual 0.02, which at this width would leave nothing but the embeddings.
_TRANSFORMER = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 2 * HIDDEN,
    "max_position_embeddings": MAX_LENGTH,
    "initializer_range": 0.1,
}
_PATCHES = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": IMAGE_SIZE,
    "patch_size": 8,
    "initializer_range": 0.1,
}
_ROBERTA_IDS = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}

CONFIGS: dict[str, dict[str, Any]] = {
    "bert": _TRANSFORMER,
    "distilbert": {
        "vocab_size": VOCABULARY,
        "dim": HIDDEN,
        "n_layers": 3,
        "n_heads": 4,
        "hidden_dim": 2 * HIDDEN,
        "max_position_embeddings": MAX_LENGTH,
        "initializer_range": 0.1,
    },
    # Positions start after the padding index, as in the published RoBERTa (514 for 512 tokens).
    "roberta": _TRANSFORMER
    | _ROBERTA_IDS
    | {"max_position_embeddings": MAX_LENGTH + 2, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
    # As DeBERTa-v3: disentangled attention over log buckets, keys shared, no absolute positions.
    "deberta-v2": _TRANSFORMER
    | {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 16,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "position_biased_input": False,
        "type_vocab_size": 0,
        "pooler_hidden_size": HIDDEN,
        "pooler_dropout": 0,
        "pooler_hidden_act": "gelu",
    },
    "electra": _TRANSFORMER | {"embedding_size": 16},
    "albert": _TRANSFORMER | {"embedding_size": 16, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0},
    "mpnet": _TRANSFORMER | _ROBERTA_IDS | {"max_position_embeddings": MAX_LENGTH + 2},
    "modernbert": {name: value for name, value in _TRANSFORMER.items() if name != "initializer_range"}
    | {
        "num_hidden_layers": 3,
        "global_attn_every_n_layers": 3,
        "local_attention": 16,
        "initializer_range": 0.1,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "cls_token_id": 2,
        "eos_token_id": 3,
        "sep_token_id": 3,
    },
    "vit": _PATCHES | {"intermediate_size": 2 * HIDDEN},
    "dinov2": _PATCHES | {"mlp_ratio": 2},
    "resnet": {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [2, 2], "layer_type": "basic"},
    # 1e-6, as published for 300 epochs of training, would make each of its random blocks the identity.
    "convnext": {
        "num_stages": 2,
        "hidden_sizes": [16, 32],
        "depths": [2, 2],
        "image_size": IMAGE_SIZE,
        "layer_scale_init_value": 0.5,
        "initializer_range": 0.1,
    },
    "mobilenet_v2": {
        "image_size": IMAGE_SIZE,
        "depth_multiplier": 0.125,
        "min_depth": 8,
        "expand_ratio": 2.0,
        "finegrained_output": False,
        "classifier_dropout_prob": 0.1,  # 0.8, as published, leaves too little of so narrow a model
        "initializer_range": 0.1,
    },
}

_SQUARE = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_NORMALISED = {
    "do_resize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "resample": 3,
}

# In the words of the published files; without torchvision, transformers takes its PIL processors by itself.
PROCESSORS: dict[str, dict[str, Any]] = {
    "vit": _NORMALISED | _HALF | {"image_processor_type": "ViTImageProcessor", "size": _SQUARE},
    "dinov2": _NORMALISED
    | _IMAGENET
    | {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 36},
        "do_center_crop": True,
        "crop_size": _SQUARE,
        "do_convert_rgb": True,
    },
    "resnet": _NORMALISED
    | _IMAGENET
    | {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": IMAGE_SIZE},
        "crop_pct": 0.875,
    },
    "convnext": _NORMALISED
    | _IMAGENET
    | {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": IMAGE_SIZE},
        "crop_pct": 0.875,
    },
    "mobilenet_v2": _NORMALISED
    | _HALF
    | {
        "image_processor_type": "MobileNetV2ImageProcessor",
        "size": {"shortest_edge": 36},
        "do_center_crop": True,
        "crop_size": _SQUARE,
    },
}
