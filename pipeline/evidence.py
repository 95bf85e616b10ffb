"""Whether what clusters/ and the ledger say of duplicates is so."""

from typing import Any

import numpy as np

from dedup.shingles import shingle_hashes


def shared_shingles(settings: dict[str, Any], one: str, other: str) -> dict[str, Any]:
    """Returns how many shingles two texts share, and their exact Jaccard similarity.

    Args:
        settings: The recipe's `dedup.minhash`.
        one: A text.
        other: Another.
    """
    a, b = (shingle_hashes(text, settings["shingle"], settings["unit"]) for text in (one, other))
    both = len(np.intersect1d(a, b, assume_unique=True))
    either = len(a) + len(b) - both
    return {"both": both, "either": either, "jaccard": both / either if either else 0.0}
