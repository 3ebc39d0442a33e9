"""Priors: the best constant reply is the best of all, and the question alone is worth what it is worth."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row
from made_run import make_shards

from safe_data.core.errors import InputError
from safe_data.sources.music_avqa import fill
from safe_eval.cli import main
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.constant_reply import best_replies, score_replies
from safe_eval.results.priors import CONSTANT, GIVE_PRIOR, QUESTION_ONLY, PriorRow
from safe_eval.scoring.recheck import check_scores
from safe_eval.scoring.score import score_files, score_predictions
from safe_eval.scoring.scores import Scores

TRUTH = Path(__file__).resolve().parents[3].parent / "shared" / "truth"
QUICK = Sampling(resamples=100)
LISTED = "yes or no, one or two, left or right, simultaneously"


def music_avqa(split: str, answer: str = LISTED) -> list[Prediction]:
    """The questions of a split of MUSIC-AVQA, all with one answer."""
    path = TRUTH / "music_avqa" / f"json_avqa-{split}.json.gz"
    if not path.is_file():
        pytest.skip("MUSIC-AVQA's annotations are not here")
    return [
        row(
            f"{split}-{place}",
            answer,
            dataset="MUSIC-AVQA",
            split=split,
            references=(one["anser"],),
            question_type="/".join(json.loads(one["type"])),
            needs_audio=json.loads(one["type"])[0] != "Visual",
            prompt=fill(one["question_content"], json.loads(one["templ_values"])),
            group=one["video_id"],
        )
        for place, one in enumerate(json.loads(gzip.decompress(path.read_bytes())))
    ]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    """The scores of a constant reply to the test questions, by every rule, with a prior fitted on val."""
    folder = tmp_path_factory.mktemp("music")
    for split in ("val", "test"):
        write_predictions(folder / f"{split}.jsonl", music_avqa(split))
    options = ScoreOptions(spread=True, prior=folder / "val.jsonl")
    return score_files([folder / "test.jsonl"], QUICK, options)


def prior(scores: Scores, name: str, slice_name: str = "all") -> PriorRow:
    return next(one for one in scores.priors if (one.name, one.slice) == (name, slice_name))


def test_the_question_alone_is_worth_half_of_music_avqa(music: Scores) -> None:
    assert round(100 * prior(music, QUESTION_ONLY).value, 1) == 51.6
    assert round(100 * prior(music, QUESTION_ONLY, "type:Audio").value, 1) == 61.1
    assert prior(music, QUESTION_ONLY).n == 9185


def test_the_best_constant_reply_to_music_avqa(music: Scores) -> None:
    assert (prior(music, CONSTANT).reply, prior(music, CONSTANT, "type:Audio").reply) == ("yes", "yes")
    assert round(prior(music, CONSTANT).value, 6) == round(2409 / 9185, 6)


def test_a_list_of_answers_scores_by_the_rule_that_looks_for_the_target(music: Scores) -> None:
    found = {(one.rule, one.slice): one for one in music.spread}
    assert round(100 * found["music_avqa_contained", "all"].value, 1) == 68.7
    assert round(100 * found["music_avqa_contained", "type:Audio"].value, 1) == 95.0
    assert found["music_avqa_accuracy", "all"].value == 0.0
    assert found["music_avqa_contained", "all"].n == 9185


# The best constant reply ------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["yes", "Yes", "no", "2", "two", "a dog", "dog", " "])


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["vqa_accuracy", "vqa_accuracy_normalised", "vqa_accuracy_2017", "gqa_accuracy"]),
    st.lists(st.lists(TEXTS, min_size=1, max_size=10), min_size=1, max_size=12),
)
def test_no_reference_scores_more_than_the_best_reply(metric: str, references: list[list[str]]) -> None:
    rows = [row(f"q{i}", references=tuple(texts)) for i, texts in enumerate(references)]
    texts = {text for row in rows for text in row.references if text.strip()}
    most = max((score_replies(metric, rows, [text] * len(rows)).sum() for text in texts), default=0.0)
    found = best_replies(metric, rows, {"all": np.ones(len(rows), dtype=bool)}).get("all")
    assert (0.0 if found is None else found.scores.sum()) == pytest.approx(most)


def test_a_reply_is_spelled_as_it_scores_most() -> None:
    """Where all annotators agree, VQA's script compares texts as they are written."""
    rows = [row("a", references=("yes", "yes")), row("b", references=("Yes", "Yes", "no"))]
    best = best_replies("vqa_accuracy", rows, {"all": np.ones(2, dtype=bool)})["all"]
    assert best.text == "yes"
    assert best.scores.sum() == score_replies("vqa_accuracy", rows, ["yes", "yes"]).sum()


def test_each_slice_has_its_own_reply() -> None:
    truths = ["yes"] * 5 + ["red"] * 4 + ["no"] * 2
    rows = [row(f"q{i}", references=(t,), needs_audio=t != "red") for i, t in enumerate(truths)]
    found = {one.slice: (one.reply, one.value) for one in score_predictions(rows, QUICK).priors if one.reply}
    assert found == {"all": ("yes", 5 / 11), "audio": ("yes", 5 / 7), "vl": ("red", 1.0)}


def test_a_letter_is_a_constant_reply_to_choices() -> None:
    rows = [
        row(f"q{i}", f"t{i}", references=(f"t{i}",), choices=(f"f{i}", f"t{i}"), dataset="avqa")
        for i in range(4)
    ]
    found = prior(score_predictions(rows, QUICK), CONSTANT)
    assert (found.reply, found.value) == ("B", 1.0)


def test_every_question_counts_once_whoever_answered_it() -> None:
    rows = [
        row(f"q{i}", "no", references=("yes" if i else "no",), model=model, condition=condition)
        for model, condition, questions in (("base", "full", 3), ("safe", "full", 5), ("safe", "gate_off", 2))
        for i in range(questions)
    ]
    failed = row("q9", None, references=(), error="out of memory")
    found = prior(score_predictions([*rows, failed], QUICK), CONSTANT)
    assert (found.reply, found.n, found.value) == ("yes", 5, 0.8)


def test_captions_have_no_priors() -> None:
    captions = [row(f"c{i}", "a dog barks", references=("a dog barks",), task="caption") for i in range(3)]
    assert score_predictions(captions, QUICK).priors == ()


# The question-only prior ------------------------------------------------------------------------------------


def asked(split: str, count: int = 8, **fields: object) -> list[Prediction]:
    """Questions of two types, of which the question knows the answer; `split` numbers them apart."""
    about = {"dataset": "mine", "split": split}
    return [
        row(
            f"{split}-{i}",
            "yes",
            **(about | {"prompt": f"Is it {i % 2}?", "references": (str(i % 2),), "group": f"g{i}"} | fields),
        )
        for i in range(count)
    ]


def scored_with(tmp_path: Path, scored: list[Prediction], other: list[Prediction]) -> Scores:
    write_predictions(tmp_path / "scored.jsonl", scored)
    write_predictions(tmp_path / "other.jsonl", other)
    options = ScoreOptions(prior=tmp_path / "other.jsonl")
    return score_files([tmp_path / "scored.jsonl"], QUICK, options, out=tmp_path / "run", force=True)


def test_the_narrowest_question_that_was_asked_often_decides(tmp_path: Path) -> None:
    assert prior(scored_with(tmp_path, asked("test"), asked("val")), QUESTION_ONLY).value == 1.0
    rare = asked("val", 4) + asked("train", 5, prompt="Else?", references=("1",))
    assert prior(scored_with(tmp_path, asked("test"), rare), QUESTION_ONLY).value == 0.5


def test_a_question_with_new_choices_is_answered_by_their_place(tmp_path: Path) -> None:
    scored = [
        msgspec.structs.replace(one, references=(f"t{i}",), choices=(f"f{i}", f"t{i}"), question_type=None)
        for i, one in enumerate(asked("test"))
    ]
    other = [msgspec.structs.replace(one, references=("B",), choices=("x", "y")) for one in asked("val")]
    assert prior(scored_with(tmp_path, scored, other), QUESTION_ONLY).value == 1.0


def test_without_another_split_it_is_not_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = prior(score_predictions(asked("test"), QUICK), QUESTION_ONLY)
    assert (found.value, found.why_not) == (None, GIVE_PRIOR)
    elsewhere = prior(scored_with(tmp_path, asked("test"), asked("val", dataset="yours")), QUESTION_ONLY)
    assert elsewhere.why_not == "the other split holds no question of mine"
    write_predictions(tmp_path / "p.jsonl", asked("test"))
    assert main(["score", str(tmp_path / "p.jsonl"), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "question-only prior          not measured: give --prior\n" in shown
    assert "constant reply “0”           all      0.500" in shown
    write_predictions(tmp_path / "other.jsonl", asked("val", dataset="a_dataset_of_yours"))
    other = ["--prior", str(tmp_path / "other.jsonl"), "--force"]
    assert main(["score", str(tmp_path / "p.jsonl"), "--out", str(tmp_path / "out"), *other]) == 0
    said = "not measured: the other split holds no question\n" + 31 * " " + "of mine\n"
    assert said in capsys.readouterr().out


def test_questions_that_are_scored_too_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 of its questions are scored too, for example 'test-0'; a prior"):
        scored_with(tmp_path, asked("test"), asked("test"))
    numbered = [
        [msgspec.structs.replace(one, example_id=one.example_id.rpartition("-")[2]) for one in asked(split)]
        for split in ("test", "val")
    ]
    assert prior(scored_with(tmp_path, *numbered), QUESTION_ONLY).value == 1.0  # their splits differ


def test_shared_groups_are_noted(tmp_path: Path) -> None:
    notes = scored_with(tmp_path, asked("test"), asked("val", 3)).notes
    assert any(note.startswith("3 of 8 scored groups also have questions in the split") for note in notes)


def test_rows_without_answers_are_enough_and_faulty_ones_are_named(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.jsonl", asked("test"))
    keys = ("example_id", "references", "dataset", "prompt")
    lines = [json.dumps({key: msgspec.to_builtins(one)[key] for key in keys}) for one in asked("val")]
    (tmp_path / "val.jsonl").write_text("\n".join(lines), "utf-8")
    options = ScoreOptions(prior=tmp_path / "val.jsonl")
    assert prior(score_files([tmp_path / "p.jsonl"], QUICK, options), QUESTION_ONLY).value == 1.0
    (tmp_path / "val.jsonl").write_text(f'{lines[0]}\n{{"references": 1}}\n', "utf-8")
    with pytest.raises(InputError, match=r"val\.jsonl:2 is no question with references: "):
        score_files([tmp_path / "p.jsonl"], QUICK, options)


def test_a_dataset_gives_the_splits_that_are_not_scored(tmp_path: Path) -> None:
    from safe_data.shards.dataset import ShardDataset

    root = make_shards(tmp_path / "world")
    dataset = ShardDataset(root, "test")
    rows = [
        row(
            example.id,
            "yes",
            references=example.references,
            question_type=example.question_type,
            prompt=example.prompt,
            dataset=record.dataset,
            split="test",
        )
        for record in map(dataset.record, range(len(dataset)))
        for example in record.examples
        if example.task == "vqa"
    ]
    write_predictions(tmp_path / "p.jsonl", rows)
    run = tmp_path / "run"
    scores = score_files([tmp_path / "p.jsonl"], QUICK, ScoreOptions(prior=root), out=run)
    assert prior(scores, QUESTION_ONLY).value > 0
    assert check_scores(run).priors == scores.priors


FORGED: list[Callable[[dict], object]] = [
    lambda content: content["priors"][0].update(value=0.01),
    lambda content: content["priors"][0].update(reply="maybe"),
    lambda content: content["priors"].pop(),
]


@pytest.mark.parametrize("forge", FORGED)
def test_a_forged_prior_is_refused(tmp_path: Path, forge: Callable[[dict], object]) -> None:
    scored_with(tmp_path, asked("test"), asked("val"))
    assert check_scores(tmp_path / "run").priors
    path = tmp_path / "run" / "scores.json"
    content = json.loads(path.read_text("utf-8"))
    forge(content)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match="not what its predictions give"):
        check_scores(tmp_path / "run")
