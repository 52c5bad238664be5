"""Counts of token sequences; text itself is not supported, tokens are whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import Gradient, operator

__all__ = ["tf_idf_vectorizer"]


@operator("TfIdfVectorizer", since=9, gradient=Gradient.NONE)
def tf_idf_vectorizer(
    x: Tensor,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: Sequence[int],
    ngram_indexes: Sequence[int],
    pool_int64s: Sequence[int] = (),
    weights: Sequence[float] = (),
) -> Tensor:
    """How often each n-gram of the pool occurs in (tokens,) or (N, tokens): TF, its weight (IDF), or both (TFIDF)."""
    rows = (x.unsqueeze(0) if x.ndim == 1 else x).long()
    columns = torch.tensor(ngram_indexes, device=x.device)
    found = [rows.new_zeros(len(rows), 0)]
    for n, grams in enumerate(_grams(pool_int64s, ngram_counts, x.device), start=1):
        wanted = min_gram_length <= n <= max_gram_length
        found.append(_counts(rows, grams, max_skip_count if wanted else -1))
    counts = torch.cat(found, 1).float()
    if mode == "IDF":
        counts = (counts > 0).float()
    if mode != "TF" and weights:
        counts = counts * counts.new_tensor(weights)
    result = counts.new_zeros(len(rows), max(ngram_indexes) + 1).index_add(1, columns, counts)
    return result.reshape(*x.shape[:-1], result.shape[1])


def _grams(pool: Sequence[int], starts: Sequence[int], device: torch.device) -> list[Tensor]:
    """The pool's 1-grams, 2-grams, ... as one matrix (grams, n) each."""
    tokens = torch.tensor(pool, dtype=torch.int64, device=device)
    ends = [*starts[1:], len(pool)]
    return [tokens[a:b].reshape(-1, n) for n, (a, b) in enumerate(zip(starts, ends, strict=True), start=1)]


def _counts(rows: Tensor, grams: Tensor, skips: int) -> Tensor:
    """Occurrences (rows, grams), with every distance between tokens up to ``skips + 1``; none if it is negative."""
    total = rows.new_zeros(len(rows), len(grams))
    n = grams.shape[1]
    for step in range(1, (min(skips, 0) if n == 1 else skips) + 2):
        extent = (n - 1) * step + 1
        if extent <= rows.shape[1]:
            places = rows.unfold(1, extent, 1)[..., ::step]
            total += (places[:, :, None] == grams).all(-1).sum(1)
    return total
