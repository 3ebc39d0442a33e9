"""The question what kind of sound it is, as all sources that know the kinds of their sounds ask it.

The answers are the same in every source, so that a pathway can be trained on the sounds of one and tested on
those of another. A few wordings keep it from reading the answer off a single prompt. It is asked in free
words: to score five choices of several tokens takes five passes.
"""

import hashlib

from safe_data.records import Example

KINDS = ("animal", "drum", "instrument", "noise", "speech")
WORDINGS = (
    "What kind of sound is it?",
    "Which kind of sound do you hear?",
    "What kind of sound is this?",
)


def kind_example(record_id: str, kind: str) -> Example:
    """The question about a record whose only sound is of this kind, one of `KINDS`.

    >>> kind_example("cow", "animal").references
    ('animal',)
    """
    return Example(
        id=record_id,
        task="vqa",
        prompt=worded(record_id, WORDINGS),
        references=(kind,),
        question_type="kind",
        needs_audio=True,
    )


def worded(record_id: str, wordings: tuple[str, ...]) -> str:
    """The wording for a record; the hash of its id chooses, so every build asks the same.

    >>> worded("cow", ("Who?", "Which one?"))
    'Who?'
    """
    chosen = int.from_bytes(hashlib.sha256(record_id.encode()).digest()[:8])
    return wordings[chosen % len(wordings)]
