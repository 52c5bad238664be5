"""Sentences as rows of token ids."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...scanner.errors import SamplesError

__all__ = ["LENGTH", "PADDING", "Sentences", "read_sentences"]

LENGTH = 40  # tokens; 99 % of the sentences are shorter
VOCABULARY = 4000
PADDING, UNKNOWN = 0, 1
TEST_SHARE = 0.2

_FILES = ("rt-polarity.neg", "rt-polarity.pos")
_WORD = re.compile(r"[a-z0-9']+")


@dataclass(frozen=True, eq=False)
class Sentences:
    """Token ids (N, LENGTH) int64 and labels (N,) of both splits; 0 pads, 1 is any word outside the vocabulary."""

    x_train: NDArray[np.int64]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.int64]
    y_test: NDArray[np.int64]
    vocabulary: int = VOCABULARY


def read_sentences(folder: Path) -> Sentences:
    """Movie reviews (Pang and Lee 2005), one a line, from a file of bad (class 0) and a file of good ones (class 1).

    The split is drawn once and for all; the vocabulary is the training split's commonest words, the commonest first.

    Raises:
        SamplesError: a file is missing or empty.
    """
    words, labels = [], []
    for label, name in enumerate(_FILES):
        path = folder / name
        if not path.is_file() or not path.stat().st_size:
            raise SamplesError(f"{path}: expected a file with one sentence a line; get it, or build without sentences")
        lines = path.read_text(encoding="latin-1").splitlines()
        words += [_WORD.findall(line.lower()) for line in lines]
        labels += [label] * len(lines)
    order = np.random.default_rng(0).permutation(len(words))
    test, train = np.split(order, [round(TEST_SHARE * len(order))])
    ids = _vocabulary([words[i] for i in train])
    x, y = np.stack([_row(sentence, ids) for sentence in words]), np.array(labels, dtype=np.int64)
    return Sentences(x[train], y[train], x[test], y[test])


def _vocabulary(sentences: list[list[str]]) -> dict[str, int]:
    counts = Counter(word for sentence in sentences for word in sentence)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: VOCABULARY - 2]
    return {word: i for i, word in enumerate(ranked, start=2)}


def _row(words: list[str], ids: dict[str, int]) -> NDArray[np.int64]:
    row = np.full(LENGTH, PADDING, dtype=np.int64)
    known = [ids.get(word, UNKNOWN) for word in words[:LENGTH]]
    row[: len(known)] = known
    return row
