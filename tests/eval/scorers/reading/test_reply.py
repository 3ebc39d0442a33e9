"""Reply: what only wraps a reply is cut and named, and a failed request is told from a model's words."""

import pytest

from safe_eval.scorers.reading.reply import REASONING, ROLES, TOKENS, TURNS, Reply, is_failure, unwrap

CUT = [
    ("<think>It may be A.</think>\nB", "B", (REASONING,)),
    ("It may be A.</think>B", "B", (REASONING,)),
    ("B <think>or rather A", "B", (REASONING,)),
    ("<think>It may be A", "", (REASONING,)),
    (
        "<|channel|>analysis<|message|>A?<|end|><|channel|>final<|message|>B<|return|>",
        "B",
        (REASONING, TOKENS),
    ),
    ("<s> B </s> And more", "B", (TOKENS,)),
    ("B<|eot_id|><|start_header_id|>user", "B", (TOKENS,)),
    ("<start_of_turn>model\nB<end_of_turn>", "B", (TOKENS, ROLES)),
    ("[INST] Which? [/INST] B", "B", (TOKENS,)),
    ("### Assistant: B", "B", (ROLES,)),
    ("USER: Which one?\nASSISTANT: B", "B", (ROLES,)),
    ("B\n\nQuestion: And the next?\nAnswer: A", "B", (TURNS,)),
    ("Answer: B", "Answer: B", ()),
    ("Assistant", "Assistant", ()),
]


@pytest.mark.parametrize(("reply", "text", "kinds"), CUT, ids=[repr(case[0][:30]) for case in CUT])
def test_what_is_cut(reply: str, text: str, kinds: tuple[str, ...]) -> None:
    assert unwrap(reply) == Reply(text, (), kinds)


@pytest.mark.parametrize(
    ("reply", "finals"),
    [
        ("<answer>B</answer>", ("B",)),
        ("So: <answer> B", ("B",)),
        ('```json\n{"reason": "A is high", "answer": "B"}\n```', ("B",)),
        ("{'final_answer': 'B', 'x': [1", ("B",)),
        ('{"answer": 3}', ("3",)),
        (r"$\boxed{\text{(B) violin}}$", ("(B) violin",)),
        (r"\boxed{A} or \boxed{B}", ("A", "B")),
        ("The answer is B.", ()),
    ],
)
def test_what_is_marked_as_the_answer(reply: str, finals: tuple[str, ...]) -> None:
    assert unwrap(reply).finals == finals


@pytest.mark.parametrize(
    ("reply", "is_one"),
    [
        ("[LMMS_EVAL_REQUEST_FAILED after 5 retries] connection reset", True),
        ("Failed to obtain answer via API.", True),
        ("Failed to obtain answer", True),
        ("Error code: 429 - rate limit", True),
        ("Traceback (most recent call last):", True),
        ("The request failed.", False),
        ("It failed to obtain answers from the crowd.", False),
        ("", False),
    ],
)
def test_the_text_of_a_failed_request(reply: str, is_one: bool) -> None:
    assert is_failure(reply) is is_one
