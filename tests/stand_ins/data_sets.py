"""Hub id and configuration of a data set -> the splits and the features of the real one, as `datasets` gives them.

Names of classes are the real ones, in the real order, but where `_classes` numbers them: there only their count is.
The rows that stand in for the real ones are made from that alone: see rows.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from datasets import Audio, ClassLabel, Features, Image, List, Value

TEXT, NUMBER, WHOLE = Value("string"), Value("float32"), Value("int32")
TRAIN_TEST = ("train", "test")
THREE = ("train", "validation", "test")


@dataclass(frozen=True)
class DataSet:
    """splits: their names at the source. features: columns with their types. unlabelled: splits whose class is -1.

    unanswered: whether there are questions without an answer.
    """

    splits: tuple[str, ...]
    features: Features
    unlabelled: tuple[str, ...] = ()
    unanswered: bool = False


def _classes(count: int, kind: str) -> ClassLabel:
    return ClassLabel(names=[f"{kind} {number}" for number in range(count)])


def _named(names: str) -> ClassLabel:
    return ClassLabel(names=names.split())


def _glue(columns: tuple[str, ...], label: ClassLabel | Value, splits: tuple[str, ...] = THREE) -> DataSet:
    texts = dict.fromkeys(columns, TEXT)
    unlabelled = tuple(split for split in splits if split.startswith("test"))
    return DataSet(splits, Features({**texts, "label": label, "idx": WHOLE}), unlabelled)


def _squad(*, unanswered: bool) -> DataSet:
    answers = {"text": List(TEXT), "answer_start": List(WHOLE)}
    texts = dict.fromkeys(("id", "title", "context", "question"), TEXT)
    return DataSet(("train", "validation"), Features({**texts, "answers": answers}), unanswered=unanswered)


def _pairs(splits: tuple[str, ...], languages: tuple[str, ...], **more: Value) -> DataSet:
    return DataSet(splits, Features({**more, "translation": dict.fromkeys(languages, TEXT)}))


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

DATA_SETS: dict[tuple[str, str | None], DataSet] = {
    ("nyu-mll/glue", "cola"): _glue(("sentence",), _named("unacceptable acceptable")),
    ("nyu-mll/glue", "sst2"): _glue(("sentence",), _named("negative positive")),
    ("nyu-mll/glue", "mrpc"): DataSet(  # the one whose test labels are public
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
    ("fancyzhx/ag_news", None): DataSet(
        TRAIN_TEST, Features({"text": TEXT, "label": _named("World Sports Business Sci/Tech")})
    ),
    ("stanfordnlp/imdb", None): DataSet(
        ("train", "test", "unsupervised"),
        Features({"text": TEXT, "label": _named("neg pos")}),
        ("unsupervised",),
    ),
    ("SetFit/TREC-QC", None): DataSet(  # json lines: classes as numbers, and as their names
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
    ("mteb/banking77", None): DataSet(
        TRAIN_TEST, Features({"text": TEXT, "label": Value("int64"), "label_text": TEXT})
    ),
    ("clinc/clinc_oos", "plus"): DataSet(THREE, Features({"text": TEXT, "intent": _classes(151, "intent")})),
    ("cardiffnlp/tweet_eval", "emotion"): DataSet(
        THREE, Features({"text": TEXT, "label": _named("anger joy optimism sadness")})
    ),
    ("google-research-datasets/go_emotions", "simplified"): DataSet(
        THREE, Features({"text": TEXT, "labels": List(EMOTIONS), "id": TEXT})
    ),
    ("lhoestq/conll2003", None): DataSet(
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
    ("leondz/wnut_17", None): DataSet(
        THREE, Features({"id": TEXT, "tokens": List(TEXT), "ner_tags": List(_bio(WNUT))})
    ),
    ("commul/universal_dependencies", "en_ewt"): DataSet(
        THREE,
        Features({"tokens": List(TEXT), "upos": List(TEXT)}),  # of many columns; `validation` may be `dev`
    ),
    ("rajpurkar/squad", None): _squad(unanswered=False),
    ("rajpurkar/squad_v2", None): _squad(unanswered=True),
    ("EdinburghNLP/xsum", None): DataSet(THREE, Features({"document": TEXT, "summary": TEXT, "id": TEXT})),
    ("abisee/cnn_dailymail", "3.0.0"): DataSet(
        THREE, Features({"article": TEXT, "highlights": TEXT, "id": TEXT})
    ),
    ("knkarthick/samsum", None): DataSet(THREE, Features({"id": TEXT, "dialogue": TEXT, "summary": TEXT})),
    ("wmt/wmt16", "ro-en"): _pairs(THREE, ("ro", "en")),
    ("Helsinki-NLP/opus_books", "en-fr"): _pairs(("train",), ("en", "fr"), id=TEXT),
    ("allenai/swag", "regular"): DataSet(
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
    ("uoft-cs/cifar10", None): DataSet(TRAIN_TEST, Features({"img": Image(), "label": CIFAR})),
    ("AI-Lab-Makerere/beans", None): DataSet(
        THREE,
        Features(
            {
                "image_file_path": TEXT,
                "image": Image(),
                "labels": _named("angular_leaf_spot bean_rust healthy"),
            }
        ),
    ),
    ("ethz/food101", None): DataSet(
        ("train", "validation"), Features({"image": Image(), "label": _classes(101, "dish")})
    ),
    ("tanganke/gtsrb", None): DataSet(
        (
            "train",
            "test",
            *("contrast", "gaussian_noise", "impulse_noise", "jpeg_compression"),
            *("motion_blur", "pixelate", "spatter"),
        ),
        Features({"image": Image(), "label": _classes(43, "sign")}),
    ),
    ("segments/sidewalk-semantic", None): DataSet(
        ("train",), Features({"pixel_values": Image(), "label": Image()})
    ),
    ("mteb/speech-commands-mini", None): DataSet(
        THREE, Features({"audio": Audio(), "label": _classes(36, "word")})
    ),
}
