"""METEOR 1.5: words matched exactly or by stem, synonym or paraphrase, by the Java program in pycocoevalcap.

Source: Denkowski and Lavie 2014, "Meteor Universal: Language Specific Translation Evaluation for Any Target
Language", section 3, with the parameters of English, and pycocoevalcap 1.2, meteor/meteor.py.
The jar counts the matches, and the score is computed here. So a corpus, any part of it and any resample are
scored from summed counts, as the jar scores a corpus; that is not the mean of the items.
Differs: the jar reads UTF-8 in any locale. `|||` is also removed from references, which it would split.
"""

import subprocess
from collections.abc import Iterator, Sequence
from threading import Timer

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.scorers.captions.corpus import check_captions
from safe_eval.scorers.captions.java import find_jar, find_java, missing

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
_MATCHERS = 4
_WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])  # exact, stem, synonym, paraphrase
_COUNTS, _CHUNKS = 23, 20  # numbers per line of the jar; index of the runs of matched words
_LIMIT_SECONDS, _LIMIT_SECONDS_PER_CAPTION = 120.0, 0.5


def meteor_counts(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> Float[ndarray, "candidates counts"] | str:
    """The jar's counts for each tokenised candidate, or why there are none. Takes seconds and 1.2 GB.

    Raises:
        InputError: see `index`.
    """
    check_captions(candidates, references, range(len(references)))
    jar = find_jar("meteor", "meteor-1.5.jar")
    java = find_java()
    if jar is None or java is None:
        return missing("METEOR", jar) or ""
    command = [java, "-Xmx2G", "-Dfile.encoding=UTF-8", "-jar", str(jar)]
    command += ["-", "-", "-stdio", "-l", "en", "-norm"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8")
    limit_seconds = _LIMIT_SECONDS + _LIMIT_SECONDS_PER_CAPTION * len(candidates)
    timer = Timer(limit_seconds, process.kill)
    timer.start()
    try:
        rows = [_counts(process, line) for line in _lines(candidates, references)]
    except (OSError, ValueError) as error:
        reason = "took too long" if not timer.is_alive() else f"did not answer ({error})"
        return f"METEOR is not measured: {jar.name} {reason}; check that `java -Xmx2G -version` works"
    finally:
        timer.cancel()
        _end(process)
    return _without_perfect_chunks(np.array(rows))


def meteor(counts: Float[ndarray, "*rows counts"]) -> Float[ndarray, "*rows"]:
    """METEOR in [0, 1] from counts: `meteor(counts)` per item, `meteor(counts.sum(axis=0))` of a corpus.

    >>> counts = np.zeros(23)
    >>> counts[:4] = 3, 3, 1, 1  # three words on each side, one of them a function word
    >>> counts[4:8] = 2, 2, 1, 1  # all matched exactly: two content words, one function word
    >>> counts[20:] = 0, 3, 3  # in one run; a perfect match counts as no run
    >>> float(meteor(counts))
    1.0
    """
    length, reference_length, function, reference_function = (counts[..., i] for i in range(4))
    matches = counts[..., 4 : 4 + 4 * _MATCHERS].reshape(*counts.shape[:-1], _MATCHERS, 4)
    content, reference_content, grammar, reference_grammar = (matches[..., i] @ _WEIGHTS for i in range(4))
    chunks, matched, reference_matched = (counts[..., i] for i in range(_CHUNKS, _COUNTS))

    precision = _ratio(_weigh(content, grammar), _weigh(length - function, function))
    recall = _ratio(
        _weigh(reference_content, reference_grammar),
        _weigh(reference_length - reference_function, reference_function),
    )
    mean = _ratio(precision * recall, ALPHA * precision + (1 - ALPHA) * recall)
    fragmentation = _ratio(2 * chunks, matched + reference_matched)
    scores: Float[ndarray, "*rows"] = mean * (1 - GAMMA * fragmentation**BETA)
    return scores


def _without_perfect_chunks(
    counts: Float[ndarray, "candidates counts"],
) -> Float[ndarray, "candidates counts"]:
    """A caption equal to its reference is not fragmented, alone or in a corpus: its one run counts as 0."""
    perfect = (counts[:, _CHUNKS] == 1) & (counts[:, 0] == counts[:, 21]) & (counts[:, 1] == counts[:, 22])
    counts[perfect, _CHUNKS] = 0
    return counts


def _weigh(content: Float[ndarray, "*rows"], function: Float[ndarray, "*rows"]) -> Float[ndarray, "*rows"]:
    weighed: Float[ndarray, "*rows"] = DELTA * content + (1 - DELTA) * function
    return weighed


def _ratio(part: Float[ndarray, "*rows"], whole: Float[ndarray, "*rows"]) -> Float[ndarray, "*rows"]:
    """part / whole, and 0 where `whole` is 0."""
    ratios: Float[ndarray, "*rows"] = np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)
    return ratios


def _lines(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Iterator[str]:
    for candidate, texts in zip(candidates, references, strict=True):
        yield " ||| ".join(["SCORE", *map(_plain, texts), _plain(candidate)])


def _plain(text: str) -> str:
    return text.replace("|||", "").replace("  ", " ")


def _counts(process: subprocess.Popen[str], line: str) -> list[float]:
    if process.stdin is None or process.stdout is None:
        raise OSError("no pipes")
    process.stdin.write(line + "\n")
    process.stdin.flush()
    counts = [float(number) for number in process.stdout.readline().split()]
    if len(counts) != _COUNTS:
        raise ValueError(f"{len(counts)} numbers instead of {_COUNTS}")
    return counts


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # unsent text has no reader any more
                continue
