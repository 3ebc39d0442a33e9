"""Reply: what a model says, once all that only wraps it is cut."""

import re
import unicodedata
from dataclasses import dataclass

REASONING, TOKENS, ROLES, TURNS = "reasoning", "special tokens", "role names", "further turns"
KINDS = (REASONING, TOKENS, ROLES, TURNS)  # of what is cut

_WRAPS = re.compile(
    r"[<\[{\\|]|~~|\A\W{0,4}[A-Za-z]{2,12}(?: [A-Za-z]{2,8})?\s{0,3}[:\n]|\n\W{0,4}[A-Za-z]{2,8}\s?:"
)
_THOUGHT = r"(?:think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad|cot)"
_OPENS = re.compile(rf"<{_THOUGHT}>|\[THINK\]|<\|begin_of_thought\|>", re.IGNORECASE)
_CLOSES = re.compile(rf"</{_THOUGHT}>|\[/THINK\]|<\|end_of_thought\|>", re.IGNORECASE)
_HARMONY = "<|channel|>final<|message|>"
_ENDS = re.compile(
    r"</s>|<\|(?:im_end|endoftext|eot_id|end_of_text|eom_id|end|return|eos)\|>|<(?:end_of_turn|eos|end_of_utterance)>"
    r"|<\|end.of.sentence\|>",
    re.IGNORECASE,
)
_MARKERS = (
    r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk|eod|sep|cls|(?:start|end)_of_(?:turn|image|audio|utterance))>"
    r"|\[/?(?:INST|SYS|CLS|SEP|PAD|UNK|ANSWER|ANS|RESPONSE|ASSISTANT)\]|<0x[0-9A-F]{2}>|\[end of text\]"
)
_SPECIAL = re.compile(_MARKERS, re.IGNORECASE)
_SPECIAL_FIRST = re.compile(rf"\A(?:\s|{_MARKERS})+", re.IGNORECASE)
_ROLE = re.compile(
    r"\A[\s#*]{0,8}(?:assistant|ai assistant|ai|bot|chatbot|gpt|model|system|response|output|reply)"
    r"[\s*]{0,4}(?::[\s*]{0,8}|\n\s*)",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\A[\s#*]{0,8}(?:user|human)\s?:", re.IGNORECASE)
_ANSWERED = re.compile(r"\b(?:assistant|gpt|ai|bot)\s?:", re.IGNORECASE)
_TURN = re.compile(r"\n[\s#*]{0,8}(?:user|human|assistant|instruction|question)\s?\*{0,2}:", re.IGNORECASE)
_NEWLINES = re.compile(r"\\n(?!eq|eg|u\b|abla|ot|e\b)")  # a line break that was escaped, no LaTeX command
_TAGGED = re.compile(r"<(?:final_)?answer>", re.IGNORECASE)
_TAG_ENDS = re.compile(r"</(?:final_)?answer>", re.IGNORECASE)
_MARKUP = re.compile(
    r"</?(?:[A-Za-z][\w-]{1,20})\s?/?>|<([a-z])>(?=[^<]{0,400}</\1>)|</[a-z]>|~~[^~\n]{1,400}~~"
)  # tags of any name, but no "<B>"
_KEYED = re.compile(
    r"[\"'](?:final[ _]?|correct[ _]?)?(?:answer|choice|option|prediction)[\"']\s{0,9}:\s{0,9}"
    r"(?:\[\s{0,9})?(\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[\w.+-]+)",
    re.IGNORECASE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{((?:[^{}]|\{[^{}]{0,200}\}){0,400})")
_LATEX = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname)\s?\{([^{}]*)\}"
)
_FAILURES = re.compile(
    r"\A\W{0,4}(?:"
    r"LMMS_EVAL_REQUEST_FAILED\b|"
    r"Failed to obtain answer(?: via API)?\b|"
    r"API (?:call|request) (?:failed|error)\b|"
    r"(?:Error|Exception) (?:code|calling|while (?:calling|generating))\b|"
    r"(?:openai|anthropic|google|requests|httpx|torch)\.[\w.]*(?:Error|Exception)\b|"
    r"Traceback \(most recent call last\)|"
    r"(?:RuntimeError|ValueError|OutOfMemoryError|TimeoutError|ConnectionError|RateLimitError)\s?:|"
    r"CUDA out of memory|CUDA error\s?:"
    r")",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reply:
    """What a model says. `finals` are the parts that it marks as its answer: in a box, a tag or an object."""

    text: str
    finals: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()


def unwrap(reply: str) -> Reply:
    r"""Cut reasoning, special tokens, role names and further turns, and find what is marked as the answer.

    Reasoning that is never closed leaves no answer. The text comes back in Unicode's compatibility form.

    >>> unwrap("<think>A or B?</think>ASSISTANT: B</s>")
    Reply(text='B', finals=(), cut=('reasoning', 'special tokens', 'role names'))
    >>> unwrap('{"answer": "B"}').finals, unwrap(r"So it is $\boxed{\text{B}}$.").finals
    (('B',), ('B',))
    """
    text = _NEWLINES.sub("\n", normalised(reply)).strip()
    if _WRAPS.search(text) is None:
        return Reply(text)
    cut = []
    for kind, cutter in ((REASONING, _spoken), (TOKENS, _tokens_cut), (ROLES, _role_cut), (TURNS, _one_turn)):
        shorter = cutter(text)
        if shorter != text:
            cut.append(kind)
            text = shorter.strip()
    tagged = _tagged(text)
    text = _MARKUP.sub(" ", text)
    finals = tagged or _keyed(text) or _boxed(text)
    return Reply(_LATEX.sub(r" \1 ", text), finals, tuple(cut))


def normalised(text: str) -> str:
    """A text with one form of each character: compatibility forms, straight apostrophes, Latin full stops."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return text.translate(_STRAIGHT)


def is_failure(reply: str) -> bool:
    """Whether a reply is the text that a harness writes where a request failed, and no model's words.

    >>> is_failure("[LMMS_EVAL_REQUEST_FAILED after 3 retries] timeout"), is_failure("It failed to start.")
    (True, False)
    """
    return _FAILURES.match(reply) is not None


_STRAIGHT = str.maketrans(
    {"♯": "#", "🅰": "A", "🅱": "B", "’": "'", "‘": "'", "ʼ": "'", "。": ". ", "、": ", "}
    | dict.fromkeys("\u200b\ufeff\u2060\u00ad\ufe0f", None)
    | dict.fromkeys("–—―−‑‒", "-")
)


def _spoken(text: str) -> str:
    """A text without its reasoning: what stands after the last end of it, and before a start without end."""
    if _HARMONY in text:
        return text.rpartition(_HARMONY)[2]
    before, ends = "", [found.end() for found in _CLOSES.finditer(text)]
    if ends:
        first = _OPENS.search(text)
        before = text[: first.start()] if first and first.start() < ends[-1] else ""
        text = text[ends[-1] :]
    opened = _OPENS.search(text)
    text = text if opened is None else text[: opened.start()]
    return text if text.strip() else before


def _tokens_cut(text: str) -> str:
    """A text without special tokens, and without what follows one that ends a turn."""
    asked, _, answered = text.rpartition("[/INST]")
    text = _SPECIAL_FIRST.sub("", answered if answered.strip() else asked)
    end = _ENDS.search(text)
    return _SPECIAL.sub(" ", text if end is None else text[: end.start()])


def _role_cut(text: str) -> str:
    if _ASKED.match(text):
        text = _ANSWERED.split(text, maxsplit=1)[-1]
    role = _ROLE.match(text)
    return text if role is None or role.end() == len(text) else text[role.end() :]


def _one_turn(text: str) -> str:
    turn = _TURN.search(text)
    return text if turn is None else text[: turn.start()]


def _tagged(text: str) -> tuple[str, ...]:
    """What stands in answer tags; the last of them need not be closed."""
    starts = [found.end() for found in _TAGGED.finditer(text)]
    if not starts:
        return ()
    parts = _TAGGED.split(text)[1:]
    found = (_TAG_ENDS.split(part, maxsplit=1)[0].strip() for part in parts)
    return tuple(_LATEX.sub(r" \1 ", part) for part in dict.fromkeys(found) if part)


def _keyed(text: str) -> tuple[str, ...]:
    """The values of answer keys, as in JSON, whether or not the rest of the object is well formed."""
    if "{" not in text:
        return ()
    return tuple(dict.fromkeys(found.strip("\"'").strip() for found in _KEYED.findall(text)))


def _boxed(text: str) -> tuple[str, ...]:
    """What stands in LaTeX boxes, without the commands inside."""
    found = (_LATEX.sub(r" \1 ", inside).strip() for inside in _BOX.findall(text))
    return tuple(dict.fromkeys(filter(None, found)))
