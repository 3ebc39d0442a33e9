"""Decision: the one choice that the claims of a reply agree on."""

from collections.abc import Iterable, Sequence

from safe_eval.scorers.reading.choice_names import Choices, Names
from safe_eval.scorers.reading.claims import CHOSEN, FINAL, FRAGMENT, Claim, SentenceClaims
from safe_eval.scorers.reading.mentions import UNKNOWN
from safe_eval.scorers.reading.polarity import ASSERTED, DENIED

_NO_CHOICES: Choices = frozenset()


def decided(found: Sequence[SentenceClaims], names: Names, *, is_cut: bool) -> str | None:
    """The choice that the weightiest claims agree on; None if there is none.

    Where a part of the reply was not read (`is_cut`), only an announced answer counts.
    """
    last = max((place for place, sentence in enumerate(found) if sentence.retracts), default=-1)
    claims = [(place, claim) for place, each in enumerate(found) if place > last for claim in each.claims]
    asserted = [(place, claim) for place, claim in claims if claim.said == ASSERTED]
    if not asserted:
        return None if is_cut else _eliminated([claim for _, claim in claims], names)
    weight = max(claim.weight for _, claim in asserted)
    if is_cut and weight < CHOSEN:
        return None
    best = [claim for _, claim in asserted if claim.weight == weight]
    things = {claim.thing for claim in best if claim.is_count and claim.thing}
    if len(things) > 1 and weight < CHOSEN:
        return None  # "There is one piano. There is one guitar."
    return _agreed(best, _against(asserted, found, weight), names)


def asserted_choices(found: Iterable[SentenceClaims]) -> Choices:
    """All choices that any claim asserts."""
    return _NO_CHOICES.union(
        *(claim.choices for each in found for claim in each.claims if claim.said == ASSERTED)
    )


def _against(
    asserted: Sequence[tuple[int, Claim]], found: Sequence[SentenceClaims], weight: int
) -> list[Claim]:
    """The lighter claims that could contradict the weightiest: what opens the reply, and corrections."""
    first = next(place for place, claim in asserted if claim.weight == weight)
    if CHOSEN <= weight < FINAL:
        items = {claim.choices for place, claim in asserted if found[place].is_item}
        return [
            claim
            for place, claim in asserted
            if claim.weight == FRAGMENT
            and len(claim.choices) == 1
            and (place == 0 or place > first)
            and not (found[place].is_item and len(items) > 1)  # a list of the options says nothing
        ]
    if weight == FRAGMENT:
        return [claim for place, claim in asserted if place < first or found[place].corrects]
    return []


def _agreed(best: Sequence[Claim], against: Sequence[Claim], names: Names) -> str | None:
    """The one choice of some claims, and of those that could contradict them."""
    claims = [*best, *against]
    choices = _NO_CHOICES.union(*(claim.choices for claim in claims))
    if len(choices) == 1:
        return None if choices == UNKNOWN else next(iter(choices))
    collective = names.collective
    together = choices & collective
    if len(together) == 1 and UNKNOWN.isdisjoint(choices):
        joined = all(claim.has_and or together <= claim.choices for claim in claims)
        return next(iter(together)) if joined else None  # "Both the dog and the cat"
    both = next((choice for choice in collective if choice.casefold() == "both"), None)
    if (
        len(claims) == 1
        and claims[0].has_and
        and choices == frozenset(names.choices) - collective
        and len(choices) == 2
    ):
        return both
    return None


def _eliminated(claims: Sequence[Claim], names: Names) -> str | None:
    """The choice that is left where all others are denied outright."""
    if not claims or any(claim.said != DENIED for claim in claims) or names.is_polar or names.counts:
        return None
    denied = _NO_CHOICES.union(*(claim.choices for claim in claims)) - UNKNOWN
    if len(denied) == 1 and (opposite := names.opposites.get(next(iter(denied)))) is not None:
        return opposite
    left = frozenset(names.choices) - denied - names.collective
    if not left:
        return next((choice for choice in names.collective if choice.casefold() == "neither"), None)
    return next(iter(left)) if len(left) == 1 and len(denied) > 1 else None
