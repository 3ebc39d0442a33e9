"""Asked: a question as a checkpoint is asked it, from the body of a request.

It is read on a thread of its own: media are decoded and prompts encoded there, and the model does not wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from safe_data.core.errors import MediaError
from safe_data.records import Example
from safe_eval.models.model import Input
from safe_train.predict.predictor import Predictor
from safe_train.serve.call import Call
from safe_train.serve.chat_request import ChatRequest, read_chat_request
from safe_train.serve.received import received_picture, received_sound, undecodable
from safe_train.serve.refusal import TOO_LATE, Refusal, bad
from safe_train.settings.serve import ServeConfig


@dataclass(frozen=True)
class Served:
    """A checkpoint that is asked, and what its questions may be.

    `context_tokens` bounds a prompt and its answer together, None where the base says nothing; the text may
    not hold `picture_token`, None where there is none.
    """

    predictor: Predictor
    answer_tokens: int
    shows_pictures: bool = True
    context_tokens: int | None = None
    picture_token: str | None = None
    created: int = 0  # seconds since 1970
    key: str | None = None


class Asked(NamedTuple):
    """A request that was read: what the model is asked, and how long its prompt is."""

    chat: ChatRequest
    given: Input
    prompt_tokens: int


def read_asked(data: bytes, call: Call, served: Served, config: ServeConfig) -> Asked:
    """Read a request: check its fields, decode its media, and encode its prompt.

    Raises:
        Refusal: something in it cannot be taken.
    """
    if call.is_over:
        raise Refusal(TOO_LATE, "the request was given up", code="timeout")
    chat = read_chat_request(data, model=config.name, most_characters=config.prompt_characters)
    if served.picture_token is not None and served.picture_token in chat.text:
        raise bad(f"the text holds {served.picture_token!r}, which stands for a picture", "messages.content")
    if chat.picture is not None and not served.shows_pictures:
        raise bad("this checkpoint is asked without pictures; leave out image_url", "image_url")
    picture = None if chat.picture is None else received_picture(chat.picture, config.picture_pixels)
    sound = None if chat.sound is None else received_sound(chat.sound, config.sound_seconds)
    most = min(served.answer_tokens, chat.answer_tokens or served.answer_tokens)
    given = Input(
        example=Example(id=call.id, task=chat.task, prompt=chat.text, references=(), choices=chat.choices),
        picture=None if picture is None else picture.read,
        picture_sha256=None if picture is None else picture.sha256,
        sound=None if sound is None else lambda: sound,
        sound_is=None if sound is None else "own",
        gate=0.0 if sound is None else 1.0,  # without a sound, nothing is decided
        answer_tokens=None if most == served.answer_tokens else most,
        follow=partial(_follow, call, served.predictor, most) if chat.stream else None,
    )
    return Asked(chat, given, _prompt_tokens(served, given, most))


def _follow(call: Call, predictor: Predictor, most: int, tokens: Sequence[int]) -> None:
    """Tell who waits for a stream what the answer is so far."""
    if not call.is_over:
        call.tell(predictor.text_of(tokens[:most]))


def _prompt_tokens(served: Served, given: Input, answer_tokens: int) -> int:
    """The length of a prompt, which has room for its answer and for each choice.

    Raises:
        Refusal: it has not, or its picture cannot be used.
    """
    try:
        found = served.predictor.prompt_tokens(given)
    except MediaError as error:
        raise undecodable(error) from None
    except Exception as error:  # a processor can refuse a picture in any way
        if given.picture is None:
            raise
        raise undecodable(error) from None
    longest = max((len(one.encode()) for one in given.example.choices or ()), default=0)
    needed, room = found + max(answer_tokens, longest + 1), served.context_tokens
    if room is not None and needed > room:
        raise bad(
            f"the prompt has {found} tokens with its picture, {needed - found} are kept for the answer, and "
            f"the model takes {room} in all; ask in fewer words",
            "messages",
            "context_length_exceeded",
        )
    return found
