"""Captions: whether they are about the sounds to which they were given, as far as a CLAP can hear it."""

import numpy as np

from safe_data.audit.caption_match import Match, caption_matches
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact, FactKind, Offender, not_applicable
from safe_data.core.numerals import cut, share_text

LONGEST_CAPTION = 60  # characters that a finding quotes


def caption_match(corpus: Corpus) -> Fact:
    """The share of captioned sounds that are nearer to their own caption than to most of others'.

    By chance it is half, and a caption of another clip is found out every other time: it tells that many
    captions are wrong, and its offenders are to be listened to.

    Raises:
        InputError: the CLAP, the embeddings or the examples cannot be read.
    """
    pairs, missed = corpus.once(caption_matches)
    if not pairs:
        return not_applicable("; ".join(missed))
    wrong = sorted((one for one in pairs if one.nearer >= 0.5), key=lambda one: (-one.nearer, one.row))
    offenders = tuple(Offender(_what(one), (corpus.label(one.row),)) for one in wrong[:MOST_OFFENDERS])
    own, others = (float(np.mean([getattr(one, name) for one in pairs])) for name in ("cosine", "others"))
    detail = f"mean cosine {own:.2f} with the own caption, {others:.2f} with those of others"
    return Fact(1 - len(wrong) / len(pairs), len(pairs), offenders, detail="; ".join((detail, *missed)))


def _what(match: Match) -> str:
    quoted = cut(match.caption, LONGEST_CAPTION)
    return f"nearer to {share_text(match.nearer)} of other captions than to its own, {quoted!r}"


FACTS: dict[str, FactKind] = {
    "caption_match": FactKind(
        caption_match,
        "share of captioned sounds that are nearer to their caption than to most others (CLAP)",
    ),
}
