"""What the shipped recipes name on the Hub: splits and columns of every dataset, the family of every checkpoint.

STAND_INS[source, config]    the splits and the features of the real dataset, as `datasets` gives them
CHECKPOINTS[id]              the family of `make_checkpoint` that stands in for it

Names of classes are the real ones, in the real order, but where `_classes` numbers them: there only their count is.
"""

from __future__ import annotations

from dataclasses import dataclass

from datasets import Audio, ClassLabel, Features, Image, List, Value

TEXT, NUMBER, WHOLE = Value("string"), Value("float32"), Value("int32")
TRAIN_TEST = ("train", "test")
THREE = ("train", "validation", "test")


@dataclass(frozen=True)
class StandIn:
    """splits: their names at the source. features: columns with their types. unlabelled: splits whose class is -1."""

    splits: tuple[str, ...]
    features: Features
    unlabelled: tuple[str, ...] = ()


def _classes(count: int, kind: str) -> ClassLabel:
    return ClassLabel(names=[f"{kind} {number}" for number in range(count)])


def _named(names: str) -> ClassLabel:
    return ClassLabel(names=names.split())


def _glue(columns: tuple[str, ...], label: ClassLabel | Value, splits: tuple[str, ...] = THREE) -> StandIn:
    texts = dict.fromkeys(columns, TEXT)
    unlabelled = tuple(split for split in splits if split.startswith("test"))
    return StandIn(splits, Features({**texts, "label": label, "idx": WHOLE}), unlabelled)


def _squad(splits: tuple[str, ...]) -> StandIn:
    answers = {"text": List(TEXT), "answer_start": List(WHOLE)}
    texts = dict.fromkeys(("id", "title", "context", "question"), TEXT)
    return StandIn(splits, Features({**texts, "answers": answers}))


def _pairs(splits: tuple[str, ...], languages: tuple[str, ...], **more: Value) -> StandIn:
    return StandIn(splits, Features({**more, "translation": dict.fromkeys(languages, TEXT)}))


def _bio(kinds: str) -> ClassLabel:
    return ClassLabel(names=["O", *(f"{place}-{kind}" for kind in kinds.split() for place in "BI")])


EMOTIONS = _named("""
    admiration amusement anger annoyance approval caring confusion curiosity desire disappointment disapproval disgust
    embarrassment excitement fear gratitude grief joy love nervousness optimism pride realization relief remorse sadness
    surprise neutral
""")
CIFAR = _named("airplane automobile bird cat deer dog frog horse ship truck")
ENTAILMENT = _named("entailment not_entailment")
WNUT = "corporation creative-work group location person product"

STAND_INS: dict[tuple[str, str | None], StandIn] = {
    ("nyu-mll/glue", "cola"): _glue(("sentence",), _named("unacceptable acceptable")),
    ("nyu-mll/glue", "sst2"): _glue(("sentence",), _named("negative positive")),
    ("nyu-mll/glue", "mrpc"): StandIn(  # the one whose test labels are public
        THREE,
        Features(
            {
                "sentence1": TEXT,
                "sentence2": TEXT,
                "label": _named("not_equivalent equivalent"),
                "idx": WHOLE,
            }
        ),
    ),
    ("nyu-mll/glue", "rte"): _glue(("sentence1", "sentence2"), ENTAILMENT),
    ("nyu-mll/glue", "qnli"): _glue(("question", "sentence"), ENTAILMENT),
    ("nyu-mll/glue", "qqp"): _glue(("question1", "question2"), _named("not_duplicate duplicate")),
    ("nyu-mll/glue", "stsb"): _glue(("sentence1", "sentence2"), NUMBER),
    ("nyu-mll/glue", "mnli"): _glue(
        ("premise", "hypothesis"),
        _named("entailment neutral contradiction"),
        ("train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched"),
    ),
    ("fancyzhx/ag_news", None): StandIn(
        TRAIN_TEST, Features({"text": TEXT, "label": _named("World Sports Business Sci/Tech")})
    ),
    ("stanfordnlp/imdb", None): StandIn(
        ("train", "test", "unsupervised"),
        Features({"text": TEXT, "label": _named("neg pos")}),
        ("unsupervised",),
    ),
    ("SetFit/TREC-QC", None): StandIn(  # json lines: classes as numbers, and as their names
        TRAIN_TEST,
        Features(
            {
                "text": TEXT,
                "label": Value("int64"),
                "label_text": TEXT,
                "label_original": TEXT,
                "label_coarse": Value("int64"),
                "label_coarse_text": TEXT,
                "label_coarse_original": TEXT,
            }
        ),
    ),
    ("mteb/banking77", None): StandIn(
        TRAIN_TEST, Features({"text": TEXT, "label": Value("int64"), "label_text": TEXT})
    ),
    ("clinc/clinc_oos", "plus"): StandIn(THREE, Features({"text": TEXT, "intent": _classes(151, "intent")})),
    ("cardiffnlp/tweet_eval", "emotion"): StandIn(
        THREE, Features({"text": TEXT, "label": _named("anger joy optimism sadness")})
    ),
    ("google-research-datasets/go_emotions", "simplified"): StandIn(
        THREE, Features({"text": TEXT, "labels": List(EMOTIONS), "id": TEXT})
    ),
    ("lhoestq/conll2003", None): StandIn(
        THREE,
        Features(
            {
                "id": TEXT,
                "tokens": List(TEXT),
                "pos_tags": List(_classes(47, "pos")),
                "chunk_tags": List(_classes(23, "chunk")),
                "ner_tags": List(_bio("PER ORG LOC MISC")),
            }
        ),
    ),
    ("leondz/wnut_17", None): StandIn(
        THREE, Features({"id": TEXT, "tokens": List(TEXT), "ner_tags": List(_bio(WNUT))})
    ),
    ("commul/universal_dependencies", "en_ewt"): StandIn(
        THREE,
        Features({"tokens": List(TEXT), "upos": List(TEXT)}),  # of many columns; `validation` may be `dev`
    ),
    ("rajpurkar/squad", None): _squad(("train", "validation")),
    ("rajpurkar/squad_v2", None): _squad(("train", "validation")),
    ("EdinburghNLP/xsum", None): StandIn(THREE, Features({"document": TEXT, "summary": TEXT, "id": TEXT})),
    ("abisee/cnn_dailymail", "3.0.0"): StandIn(
        THREE, Features({"article": TEXT, "highlights": TEXT, "id": TEXT})
    ),
    ("knkarthick/samsum", None): StandIn(THREE, Features({"id": TEXT, "dialogue": TEXT, "summary": TEXT})),
    ("wmt/wmt16", "ro-en"): _pairs(THREE, ("ro", "en")),
    ("Helsinki-NLP/opus_books", "en-fr"): _pairs(("train",), ("en", "fr"), id=TEXT),
    ("allenai/swag", "regular"): StandIn(
        THREE,
        Features(
            {
                **dict.fromkeys(
                    ("video-id", "fold-ind", "startphrase", "sent1", "sent2", "gold-source"), TEXT
                ),
                **{f"ending{number}": TEXT for number in range(4)},
                "label": ClassLabel(names=["0", "1", "2", "3"]),
            }
        ),
        ("test",),
    ),
    ("uoft-cs/cifar10", None): StandIn(TRAIN_TEST, Features({"img": Image(), "label": CIFAR})),
    ("AI-Lab-Makerere/beans", None): StandIn(
        THREE,
        Features(
            {
                "image_file_path": TEXT,
                "image": Image(),
                "labels": _named("angular_leaf_spot bean_rust healthy"),
            }
        ),
    ),
    ("ethz/food101", None): StandIn(
        ("train", "validation"), Features({"image": Image(), "label": _classes(101, "dish")})
    ),
    ("tanganke/gtsrb", None): StandIn(
        (
            "train",
            "test",
            *("contrast", "gaussian_noise", "impulse_noise", "jpeg_compression"),
            *("motion_blur", "pixelate", "spatter"),
        ),
        Features({"image": Image(), "label": _classes(43, "sign")}),
    ),
    ("segments/sidewalk-semantic", None): StandIn(
        ("train",), Features({"pixel_values": Image(), "label": Image()})
    ),
    ("mteb/speech-commands-mini", None): StandIn(
        THREE, Features({"audio": Audio(), "label": _classes(36, "word")})
    ),
}

CHECKPOINTS: dict[str, str] = {
    "google-bert/bert-base-cased": "bert",
    "google-bert/bert-base-uncased": "bert",
    "sentence-transformers/all-MiniLM-L6-v2": "bert",
    "distilbert/distilbert-base-uncased": "distilbert",
    "FacebookAI/roberta-base": "roberta",
    "microsoft/deberta-v3-base": "deberta-v2",
    "google/electra-small-discriminator": "electra",
    "answerdotai/ModernBERT-base": "modernbert",
    "google-t5/t5-small": "t5",
    "facebook/bart-base": "bart",
    "google/vit-base-patch16-224-in21k": "vit",
    "facebook/dinov2-small": "dinov2",
    "facebook/dinov2-base": "dinov2",
    "microsoft/resnet-50": "resnet",
    "facebook/convnext-tiny-224": "convnext",
    "nvidia/mit-b0": "segformer",
    "facebook/wav2vec2-base": "wav2vec2",
}
"""Masked language models (`fill-mask`) are the family with `-mlm` after it."""
