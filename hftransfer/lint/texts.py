"""Texts with nothing in them, and texts that are longer than a model reads."""

from __future__ import annotations

import re

from hftransfer.lint.findings import Finding, percent
from hftransfer.lint.pool import Pool

TOKENS_PER_WORD = 1.3
CHARACTERS_PER_TOKEN = 4
A_TOKEN_EACH = re.compile("[\u0e00-\u0eff\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff]")
"""Letters of what is written without spaces, or in syllables: Thai, Lao, Chinese, Japanese, Korean."""
USUAL = 512
"""Tokens that most checkpoints read."""
SAYS_SOMETHING = re.compile(r"[^\W_]")


def empty(pool: Pool) -> list[Finding]:
    """Rows with a text that has neither letter nor digit. A sentence of words to be labelled may be one mark."""
    found = []
    for role, texts in pool.texts.items():
        if pool.inputs[role] == "words":
            continue
        for name in pool.names:
            places = pool.rows_of(name)
            rows = [row for row in places.tolist() if not SAYS_SOMETHING.search(texts[row])]
            if rows:
                found.append(
                    Finding(
                        "empty-texts",
                        "info",
                        (name,),
                        len(rows),
                        len(places),
                        f"{len(rows)} of {len(places)} {name} rows have neither letter nor digit in `{role}`",
                        "there is nothing to learn from but the label: fill or remove them, where no sign or emoji "
                        "says it all",
                        pool.examples(rows, label=pool.kind == "class"),
                    )
                )
    return found


def long(pool: Pool, max_tokens: int | None) -> list[Finding]:
    """Rows whose inputs are longer than a model reads, by an estimate: there is no tokenizer yet."""
    import numpy as np

    if not pool.texts:
        return []
    most = max_tokens or USUAL
    tokens = np.zeros(len(pool))
    for texts in pool.texts.values():
        words = np.array([len(text.split()) for text in texts])
        letters = np.array([len(text) for text in texts])
        alone = np.array([0 if text.isascii() else len(A_TOKEN_EACH.findall(text)) for text in texts])
        tokens += alone + np.maximum(TOKENS_PER_WORD * words, (letters - alone) / CHARACTERS_PER_TOKEN)
    found = []
    for name in pool.names:
        places = pool.rows_of(name)
        rows = places[tokens[places] > most]
        if len(rows):
            found.append(
                Finding(
                    "long-texts",
                    "info",
                    (name,),
                    len(rows),
                    len(places),
                    f"{len(rows)} of {len(places)} {name} rows ({percent(len(rows), len(places))}) are longer than "
                    f"{most} tokens, by an estimate ({TOKENS_PER_WORD} a word, 1 for {CHARACTERS_PER_TOKEN} letters)",
                    "what a task cannot read in windows is cut: `hftransfer check` counts exactly, with the tokenizer",
                    pool.examples(rows),
                )
            )
    return found
