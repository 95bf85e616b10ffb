"""Kernels that count repeated n-grams of words; what they count is defined in gopher_repetition.

Words come as numbers. Two facts make it fast: an n-gram can only repeat where both (n-1)-grams
inside it repeat, and the letters of an n-gram have a hash that follows in constant time from hashes
of prefixes of the text (letters times powers of an odd number, modulo 2**64). Equal hashes are
only a hint: n-grams are compared before they count as equal, so the result is exact.
"""

import numba
import numpy as np

from filters.document import Document

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))


def repeated_characters(
    document: Document,
    top_orders: tuple[int, ...],
    duplicate_orders: tuple[int, ...],
) -> tuple[list[int], list[int]]:
    """Counts characters in the most frequent and in the repeated n-grams.

    Args:
        document: The document, for its words.
        top_orders: The n of the most frequent n-grams: 2, 3 and so on without a gap.
        duplicate_orders: The n of the n-grams that appeared before.

    Returns:
        What `gopher_repetition.top_ngram_characters` gives for every n of `top_orders`, and
        `gopher_repetition.duplicate_ngram_characters` for every n of `duplicate_orders`.
    """
    ids, lengths = document.word_ids, document.word_lengths
    encoded = "".join(document.vocabulary).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(encoded, dtype=np.uint32)
    starts = np.cumsum(lengths) - lengths
    top = _top(ids, lengths, document.word_counts, len(top_orders))
    sizes = np.array(duplicate_orders, dtype=np.int64)
    duplicate = _duplicates(ids, lengths, starts, codes, sizes)
    return top.tolist(), duplicate.tolist()


@numba.njit(cache=True)
def _slot(key, mask):  # type: ignore[no-untyped-def]
    """Returns the place in a table of mask + 1 entries where the search for a key begins."""
    key = (key ^ (key >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return np.int64((key ^ (key >> np.uint64(32))) & np.uint64(mask))


@numba.njit(cache=True)
def _table_mask(entries):  # type: ignore[no-untyped-def]
    """Returns the size, less one, of a table that is at most half full: a power of two."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return size - 1


@numba.njit(cache=True)
def _top(ids, lengths, counts, orders):  # type: ignore[no-untyped-def]
    """Returns int64[orders]: length times count of the most frequent 2-gram, 3-gram, ..."""
    words = len(ids)
    result = np.zeros(orders, np.int64)
    # Number of the (n-1)-gram that begins at a word, or -1 for one that does not repeat.
    shorter = np.empty(words, np.int64)
    for i in range(words):
        shorter[i] = ids[i] if counts[ids[i]] > 1 else -1
    for step in range(orders):
        order = step + 2
        last = words - order + 1
        if last <= 0:
            break
        candidates = 0
        for i in range(last):
            candidates += shorter[i] >= 0 and shorter[i + 1] >= 0
        mask = _table_mask(candidates)
        keys = np.full(mask + 1, -1, np.int64)
        numbers = np.empty(mask + 1, np.int32)
        times = np.zeros(candidates, np.int64)
        firsts = np.empty(candidates, np.int64)
        grams = np.full(words, -1, np.int64)
        different = 0
        for i in range(last):
            if shorter[i] < 0 or shorter[i + 1] < 0:
                continue
            key = (shorter[i] << 32) | ids[i + order - 1]
            slot = _slot(np.uint64(key), mask)
            while keys[slot] != -1 and keys[slot] != key:
                slot = (slot + 1) & mask
            if keys[slot] == -1:
                keys[slot] = key
                numbers[slot] = different
                firsts[different] = i
                different += 1
            grams[i] = numbers[slot]
            times[numbers[slot]] += 1
        best, first = 1, 0
        for number in range(different):  # in order of first appearance
            if times[number] > best:
                best, first = times[number], firsts[number]
        characters = order - 1
        for i in range(first, first + order):
            characters += lengths[ids[i]]
        result[step] = characters * best
        for i in range(last):
            if grams[i] >= 0 and times[grams[i]] < 2:
                grams[i] = -1
        shorter = grams
    return result


@numba.njit(cache=True)
def _same_letters(ids, lengths, starts, codes, one, other, order):  # type: ignore[no-untyped-def]
    """Returns whether two n-grams, by their first words, have the same letters."""
    same_words = True
    for i in range(order):
        if ids[one + i] != ids[other + i]:
            same_words = False
            break
    if same_words:
        return True
    one_end, other_end = one + order, other + order
    one_at = other_at = 0
    while one < one_end and other < other_end:
        if codes[starts[ids[one]] + one_at] != codes[starts[ids[other]] + other_at]:
            return False
        one_at += 1
        other_at += 1
        if one_at == lengths[ids[one]]:
            one, one_at = one + 1, 0
        if other_at == lengths[ids[other]]:
            other, other_at = other + 1, 0
    return one == one_end and other == other_end


@numba.njit(cache=True)
def _duplicates(ids, lengths, starts, codes, orders):  # type: ignore[no-untyped-def]
    """Returns int64[orders]: characters in n-grams that appeared before, for every n given."""
    words, different = len(ids), len(lengths)
    # Of every word: its hash, and the power of the base by which it moves what follows.
    hashes = np.zeros(different, np.uint64)
    shifts = np.ones(different, np.uint64)
    unshifts = np.ones(different, np.uint64)
    for word in range(different):
        for i in range(starts[word], starts[word] + lengths[word]):
            hashes[word] += shifts[word] * np.uint64(codes[i] + 1)
            shifts[word] *= _BASE
            unshifts[word] *= _INVERSE
    prefixes = np.zeros(words + 1, np.uint64)
    back = np.ones(words + 1, np.uint64)
    ends = np.zeros(words + 1, np.int64)
    shift = np.uint64(1)
    for i in range(words):
        word = ids[i]
        prefixes[i + 1] = prefixes[i] + hashes[word] * shift
        shift *= shifts[word]
        back[i + 1] = back[i] * unshifts[word]
        ends[i + 1] = ends[i] + lengths[word]

    result = np.zeros(len(orders), np.int64)
    mask = _table_mask(words)
    for step in range(len(orders)):
        order = orders[step]
        table = np.full(mask + 1, -1, np.int32)
        i = 0
        while i + order <= words:
            key = (prefixes[i + order] - prefixes[i]) * back[i]
            slot = _slot(key, mask)
            repeated = False
            while table[slot] >= 0:
                earlier = table[slot]
                earlier_key = (prefixes[earlier + order] - prefixes[earlier]) * back[earlier]
                if earlier_key == key and _same_letters(
                    ids, lengths, starts, codes, earlier, i, order
                ):
                    repeated = True
                    break
                slot = (slot + 1) & mask
            if repeated:
                result[step] += ends[i + order] - ends[i]
                i += order
            else:
                table[slot] = i
                i += 1
    return result
