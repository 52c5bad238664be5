"""TfIdfVectorizer on whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnxray.converters.walk import Unsupported
from torch import Tensor

Same = Callable[..., tuple[Tensor, ...]]
TOKENS = np.array([[1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6], [8, 6, 7, 5, 6, 8, 2, 3, 5, 4, 7]])
POOL: dict[str, Any] = {
    "max_gram_length": 2,
    "min_gram_length": 1,
    "ngram_counts": [0, 4],
    "ngram_indexes": [0, 1, 6, 3, 4, 5, 2],
    "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
}


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("skips", [0, 1, 5])
@pytest.mark.parametrize("weights", [{}, {"weights": [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}])
def test_counts(same: Same, mode: str, skips: int, weights: dict[str, list[float]]) -> None:
    for tokens in (TOKENS, TOKENS[0].astype(np.int32), TOKENS[:, :1], TOKENS[:, :0]):
        same("TfIdfVectorizer", tokens, opset=9, mode=mode, max_skip_count=skips, **POOL, **weights)


def test_only_pairs(same: Same) -> None:
    options = POOL | {"min_gram_length": 2}
    same("TfIdfVectorizer", TOKENS, opset=9, mode="TF", max_skip_count=0, **options)


def test_text_is_refused(compute: Callable[..., tuple[Tensor, ...]]) -> None:
    node = 'y = TfIdfVectorizer<mode = "TF", pool_strings = ["a"]>(a)'
    with pytest.raises(Unsupported, match="pool_strings"):
        compute(node, TOKENS, opset=9)
