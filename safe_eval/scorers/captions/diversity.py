"""Diversity: how many words the captions of one model use, and how much each repeats the others.

Both describe the captions together: they are no means over clips, and both change with the number of clips.
So compare them on the same clips only.
"""

import math
from collections import Counter
from collections.abc import Sequence

from safe_eval.scorers.aggregate import Aggregate, not_measured

VOCABULARY, SELF_BLEU = "vocabulary", "self_bleu_4"
_LONGEST_NGRAM = 4
_NOTHING_FOUND = 0.1  # in place of a count of 0: method 1 of NLTK's SmoothingFunction


def diversity(captions: Sequence[str]) -> list[Aggregate]:
    """The vocabulary and the self-BLEU of the tokenised captions of one model under one condition."""
    if not captions:
        reason = "no caption was given: every row is an error"
        return [not_measured(VOCABULARY, reason), not_measured(SELF_BLEU, reason)]
    found = [Aggregate(VOCABULARY, float(vocabulary(captions)), len(captions))]
    if len(captions) < 2:
        return [*found, not_measured(SELF_BLEU, "one caption has no others to be compared with")]
    return [*found, Aggregate(SELF_BLEU, self_bleu(captions), len(captions))]


def vocabulary(captions: Sequence[str]) -> int:
    """The number of different tokens.

    Source: aac-metrics 0.5.4, functional/vocab.py, `vocab.cands`.

    >>> vocabulary(["a dog barks", "a cat sleeps"])
    5
    """
    return len({token for caption in captions for token in caption.split()})


def self_bleu(captions: Sequence[str]) -> float:
    """The mean BLEU-4 of each caption with all others as its references: 1 if all say the same in four words
    or more.

    Source: Zhu et al. 2018, "Texygen: A Benchmarking Platform for Text Generation Models", section 3.1.2, and
    its utils/metrics/SelfBleu.py, which uses NLTK's sentence_bleu with its first method of smoothing.
    Differs: every caption is used, where Texygen may take the first 500. An empty caption repeats nothing.

    >>> self_bleu(["a dog barks loudly"] * 3)
    1.0
    >>> round(self_bleu(["a dog barks", "a dog sleeps", "rain falls"]), 4)  # two share "a", "dog", "a dog"
    0.1602
    """
    words = [caption.split() for caption in captions]
    lengths = Counter(map(len, words))
    log_precisions = [0.0] * len(words)
    starts = [True] * len(words)  # without one common word BLEU is 0, whatever the smoothing
    for order in range(1, _LONGEST_NGRAM + 1):
        counts = [Counter(zip(*(own[i:] for i in range(order)), strict=False)) for own in words]
        found = _found_in_others(counts)
        for i, (matches, own) in enumerate(zip(found, counts, strict=True)):
            starts[i] = starts[i] and not (order == 1 and matches == 0)
            log_precisions[i] += math.log((matches or _NOTHING_FOUND) / max(1, own.total()))
    scores = [
        math.exp(total / _LONGEST_NGRAM + _brevity(len(own), lengths)) if has else 0.0
        for own, total, has in zip(words, log_precisions, starts, strict=True)
    ]
    return math.fsum(scores) / len(scores)


def _found_in_others(counts: Sequence[Counter[tuple[str, ...]]]) -> list[int]:
    """How many n-grams of each caption some other caption holds, each at most as often as there.

    One pass suffices: the most that any other caption holds is the largest count of all, or the second
    largest for the caption that holds the largest alone.
    """
    largest: dict[tuple[str, ...], tuple[int, int]] = {}
    for own in counts:
        for ngram, count in own.items():
            first, second = largest.get(ngram, (0, 0))
            largest[ngram] = (count, first) if count > first else (first, max(second, count))
    return [
        sum(min(count, largest[ngram][count == largest[ngram][0]]) for ngram, count in own.items())
        for own in counts
    ]


def _brevity(length: int, lengths: Counter[int]) -> float:
    """The logarithm of the brevity penalty, by the other caption closest in length; of two, the shorter."""
    if not length or lengths[length] > 1:
        return 0.0
    closest = min((abs(other - length), other) for other in lengths if other != length)[1]
    return min(0.0, 1 - closest / length)
