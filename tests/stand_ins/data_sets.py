"""Hub id of a data set -> its configurations, with the columns, types, label names and splits of the published one.

Where there are very many labels, a few stand for all.
"""

from __future__ import annotations

from stand_ins.columns import (
    answers,
    classes,
    context,
    entities,
    image,
    mask,
    name,
    number,
    numbers_of,
    score,
    several,
    sound,
    tags,
    text,
    tokens,
    translation,
    words_of,
)
from stand_ins.parquet import SIZES, Column, Rows

TRAIN_TEST = {"train": 40, "test": 8}
TRAIN_VALIDATION = {"train": 40, "validation": 8}
PARTS_OF_SPEECH = (
    "NOUN",
    "PUNCT",
    "ADP",
    "NUM",
    "SYM",
    "SCONJ",
    "ADJ",
    "PART",
    "DET",
    "CCONJ",
    "PROPN",
    "PRON",
    "X",
    "_",
    "ADV",
    "INTJ",
    "VERB",
    "AUX",
)
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COMMANDS = (
    "yes",
    "no",
    "up",
    "down",
    "left",
    "right",
    "on",
    "off",
    "stop",
    "go",
    "zero",
    "one",
    "two",
    "three",
    "_silence_",
)
INTENTS = (
    "activate_my_card",
    "age_limit",
    "atm_support",
    "card_arrival",
    "card_linking",
    "cash_withdrawal_charge",
)
EMOTIONS = ("admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "neutral")


def _glue(
    columns: dict[str, Column], splits: dict[str, int] = SIZES, blind: tuple[str, ...] = ("test",)
) -> Rows:
    return Rows({**columns, "idx": number()}, splits, blind)


def _squad(*, all_answered: bool) -> Rows:
    return Rows(
        {
            "id": name(),
            "title": text(),
            "context": context(),
            "question": text(),
            "answers": answers(all_answered=all_answered),
        },
        TRAIN_VALIDATION,
    )


GLUE = {
    "cola": _glue({"sentence": text(), "label": classes("unacceptable", "acceptable")}),
    "mnli": _glue(
        {
            "premise": text(),
            "hypothesis": text(),
            "label": classes("entailment", "neutral", "contradiction"),
        },
        {"train": 40, **dict.fromkeys(("validation_matched", "validation_mismatched"), 8)}
        | dict.fromkeys(("test_matched", "test_mismatched"), 8),
        ("test_matched", "test_mismatched"),
    ),
    "mrpc": _glue(
        {"sentence1": text(), "sentence2": text(), "label": classes("not_equivalent", "equivalent")}, blind=()
    ),
    "qnli": _glue({"question": text(), "sentence": text(), "label": classes("entailment", "not_entailment")}),
    "qqp": _glue({"question1": text(), "question2": text(), "label": classes("not_duplicate", "duplicate")}),
    "rte": _glue(
        {"sentence1": text(), "sentence2": text(), "label": classes("entailment", "not_entailment")}
    ),
    "sst2": _glue({"sentence": text(), "label": classes("negative", "positive")}),
    "stsb": _glue({"sentence1": text(), "sentence2": text(), "label": score(5)}),
}

DATA_SETS: dict[str, dict[str, Rows]] = {
    "AI-Lab-Makerere/beans": {
        "default": Rows(
            {
                "image_file_path": name(),
                "image": image(),
                "labels": classes("angular_leaf_spot", "bean_rust", "healthy"),
            }
        )
    },
    "EdinburghNLP/xsum": {"default": Rows({"document": text(8), "summary": text(), "id": name()})},
    "Helsinki-NLP/opus_books": {
        "en-fr": Rows({"id": name(), "translation": translation("en", "fr")}, {"train": 40})
    },
    "SetFit/TREC-QC": {
        "default": Rows(
            {
                "text": text(),
                "label": numbers_of(50),
                "label_text": words_of("manner", "animal", "expansion", "individual", "title", "definition"),
                "label_coarse": numbers_of(6),
                "label_coarse_text": words_of("DESC", "ENTY", "ABBR", "HUM", "NUM", "LOC"),
            },
            TRAIN_TEST,
        )
    },
    "abisee/cnn_dailymail": {"3.0.0": Rows({"article": text(8), "highlights": text(2), "id": name()})},
    "allenai/swag": {
        "regular": Rows(
            {
                "video-id": name(),
                "fold-ind": name(),
                "startphrase": text(),
                "sent1": text(),
                "sent2": text(),
                "gold-source": text(),
                **{f"ending{n}": text() for n in range(4)},
                "label": classes("0", "1", "2", "3"),
            },
            blind=("test",),
        )
    },
    "cardiffnlp/tweet_eval": {
        "emotion": Rows({"text": text(), "label": classes("anger", "joy", "optimism", "sadness")})
    },
    "clinc/clinc_oos": {
        "plus": Rows(
            {"text": text(), "intent": classes("restaurant_reviews", "nutrition_info", "oos", "time")}
        )
    },
    "commul/universal_dependencies": {
        "en_ewt": Rows(
            {"sent_id": name(), "text": text(), "tokens": tokens(), "upos": tags(PARTS_OF_SPEECH)},
            {"train": 40, "dev": 8, "test": 8},
        )
    },
    "ethz/food101": {
        "default": Rows(
            {"image": image(), "label": classes("apple_pie", "baby_back_ribs", "baklava", "beef_carpaccio")},
            TRAIN_VALIDATION,
        )
    },
    "fancyzhx/ag_news": {
        "default": Rows(
            {"text": text(2), "label": classes("World", "Sports", "Business", "Sci/Tech")}, TRAIN_TEST
        )
    },
    "google-research-datasets/go_emotions": {
        "simplified": Rows({"text": text(), "labels": several(*EMOTIONS), "id": name()})
    },
    "knkarthick/samsum": {"default": Rows({"id": name(), "dialogue": text(4), "summary": text()})},
    "leondz/wnut_17": {
        "wnut_17": Rows(
            {
                "id": name(),
                "tokens": tokens(),
                "ner_tags": entities(
                    "corporation", "creative-work", "group", "location", "person", "product"
                ),
            }
        )
    },
    "lhoestq/conll2003": {
        "default": Rows(
            {
                "id": name(),
                "tokens": tokens(),
                "pos_tags": tags(("NN", "NNP", "VB", "DT", ".")),
                "chunk_tags": entities("NP", "VP", "PP"),
                "ner_tags": entities("PER", "ORG", "LOC", "MISC"),
            }
        )
    },
    "mteb/banking77": {
        "default": Rows(
            {"text": text(), "label": numbers_of(len(INTENTS)), "label_text": words_of(*INTENTS)}, TRAIN_TEST
        )
    },
    "mteb/speech-commands-mini": {
        "default": Rows(
            {"audio": sound(), "label": classes(*COMMANDS)}, {"train": 45, "validation": 15, "test": 15}
        )
    },
    "nyu-mll/glue": GLUE,
    "rajpurkar/squad": {"plain_text": _squad(all_answered=True)},
    "rajpurkar/squad_v2": {"squad_v2": _squad(all_answered=False)},
    "segments/sidewalk-semantic": {
        "default": Rows({"pixel_values": image(), "label": mask(35)}, {"train": 40})
    },
    "stanfordnlp/imdb": {
        "plain_text": Rows(
            {"text": text(6), "label": classes("neg", "pos")},
            {"train": 40, "test": 8, "unsupervised": 40},
            ("unsupervised",),
        )
    },
    "tanganke/gtsrb": {
        "default": Rows(
            {"image": image(), "label": classes("20 km/h speed limit", "stop", "yield", "no entry")},
            {"train": 40, "test": 8, "contrast": 8, "gaussian_noise": 8},
        )
    },
    "uoft-cs/cifar10": {"plain_text": Rows({"img": image(), "label": classes(*CIFAR10)}, TRAIN_TEST)},
    "wmt/wmt16": {"ro-en": Rows({"translation": translation("ro", "en")})},
}
