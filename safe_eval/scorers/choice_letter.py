"""Choice letter: which letter published scripts read in a reply to a multiple-choice question.

The default is `accuracy`, which reads letters and names by `choice_parser` and guesses nothing. The rules
here are of other scripts, for figures that must be compared with theirs. The reference of a row without
`choices` may be the letter of the right choice.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.prediction import Prediction

_LLAVA_LETTERS = "ABCDE"
_FOUR = "ABCD"
_LONG_REPLY_WORDS = 5
_ANSWER_IS = (re.compile(r"The answer is ([A-E])\."), re.compile(r"The answer is ([A-E])"))
# As the script has them: two pairs stand without a comma between them, and so are one text each.
_ANNOUNCED = (
    *("The best answer is", "The correct answer is", "The answer is", "The answer"),
    "The best option is" + "The correct option is",
    "Best answer:" + "Best option:",
    *("Answer:", "Option:"),
)

Read = Callable[[str, Mapping[str, str]], str | None]


def right_letter(row: Prediction) -> str | None:
    """The letter of the right choice, or None.

    >>> right_letter(Prediction(example_id="q", references=("cat",), answer="", choices=("dog", "cat")))
    'B'
    """
    return letter_of(row.references[0], row.choices or ()) if row.references else None


def right_choice(row: Prediction) -> str:
    """The text of the right choice: the reference, or the choice whose letter the reference is."""
    return choice_of(row.references[0], row.choices or ()) if row.references else ""


def letter_of(reference: str, choices: Sequence[str]) -> str | None:
    """The letter of a reference that is one of the choices or a letter; None for any other text."""
    if reference in choices:
        place = choices.index(reference)
        return ascii_uppercase[place] if place < len(ascii_uppercase) else None
    return reference.upper() if len(reference) == 1 and reference.upper() in ascii_uppercase else None


def choice_of(reference: str, choices: Sequence[str]) -> str:
    """The choice that a reference is, or whose letter it is; the reference where it is neither.

    >>> choice_of("B", ("dog", "cat")), choice_of("dog", ("dog", "cat")), choice_of("C", ("dog", "cat"))
    ('cat', 'dog', 'C')
    """
    letter = letter_of(reference, choices)
    place = ascii_uppercase.index(letter) if letter else len(choices)
    return choices[place] if reference not in choices and place < len(choices) else reference


def score_first(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the reply begins with the right letter, whatever follows: "Do not know" is D.

    Source: Zhou et al. 2025 and Lliar-liar/Daily-Omni, test_model_api/test_utils.py, evaluate_answer.

    >>> row = Prediction(example_id="q", references=("A",), answer="a dog")
    >>> score_first([row]).tolist()
    [1.0]
    """
    return _scored(lambda reply, _: reply.strip()[:1].upper() or None, predictions)


def score_scienceqa(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the reply is the right letter, or begins with it and a full stop.

    Source: EvolvingLMMs-Lab/lmms-eval, tasks/scienceqa/utils.py, sqa_process_results.

    >>> row = Prediction(example_id="q", references=("A",), answer="(A)")
    >>> score_scienceqa([row]).tolist()
    [0.0]
    """
    return _scored(
        lambda reply, _: reply if len(reply) == 1 else reply[0] if reply[1:2] == "." else "", predictions
    )


def score_llava(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the reply is the right letter, begins with it as in "A. ", or says "The answer is A".

    Source: haotian-liu/LLaVA, llava/eval/eval_science_qa.py.

    >>> row = Prediction(example_id="q", references=("A",), answer="So. The answer is A.")
    >>> score_llava([row]).tolist()
    [1.0]
    """
    return _scored(_llava, predictions)


def score_last_named(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the last letter in brackets is the right one; or else in blanks, with a full stop, or as text.

    Source: Li et al. 2024 and multimodal-art-projection/OmniBench, inference/answer_parsing.py with the
    default N/A, after MMMU. "A " at the end of a word counts: "USA is" is an A.

    >>> row = Prediction(example_id="q", references=("b",), answer="(A) or (B)", choices=("a", "b"))
    >>> score_last_named([row]).tolist()
    [1.0]
    """
    return _scored(_last_named, predictions)


def score_any_letter(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the first capital A, B, C or D is the right one, even inside a word.

    Source: Hong et al. 2025 (WorldSense), whose scores are made with open-compass/VLMEvalKit,
    vlmeval/dataset/utils/worldsense.py, extract_characters_regex. Differs: where it finds none, the kit may
    ask a language model; here it is unparsed.

    >>> row = Prediction(example_id="q", references=("A",), answer="The answer is: An owl")
    >>> score_any_letter([row]).tolist()
    [1.0]
    """
    return _scored(_any_letter, predictions)


def _scored(read: Read, predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    scores = []
    for row in predictions:
        right = right_letter(row)
        if row.answer is None or right is None:
            scores.append(float("nan"))
            continue
        said = read(row.answer, dict(zip(ascii_uppercase, row.choices or _FOUR, strict=False)))
        scores.append(float("nan") if said is None else float(said == right))
    return np.array(scores)


def _llava(reply: str, choices: Mapping[str, str]) -> str | None:
    reply = reply.replace("\n", ". ")
    said = None
    if reply.strip() in (*_LLAVA_LETTERS, ""):
        said = reply.strip()
    elif reply[0] in _LLAVA_LETTERS and reply[1:3] == ". ":
        said = reply[0]
    else:
        found = next(filter(None, (pattern.search(reply) for pattern in _ANSWER_IS)), None)
        said = found[1] if found else None
    return said if said in choices else None


def _last_named(reply: str, choices: Mapping[str, str]) -> str | None:
    reply = f" {reply} "
    for around, sought in ("({})", "({})"), ("{} ", " {} "), ("{}.", " {} "):
        found = [letter for letter in choices if around.format(letter) in reply]
        if found:
            places = [reply.rfind(sought.format(letter)) for letter in found]
            return found[int(np.argmax(places))]
    if len(reply.split()) <= _LONG_REPLY_WORDS:
        return None
    lower = reply.lower()
    named = [letter for letter, text in choices.items() if text.lower() in lower]
    places = [lower.rfind(choices[letter].lower()) for letter in named]
    return named[int(np.argmax(places))] if named else None


def _any_letter(reply: str, _: Mapping[str, str]) -> str | None:
    reply = reply.strip()
    for words in _ANNOUNCED:
        reply = reply.replace(words, "")
    return next((letter for letter in reply if letter in _FOUR), None)
