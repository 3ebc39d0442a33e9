"""safe-eval compare: two files whose numbers are known by hand, and the traps it must not fall into."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_rows import answers, good_run, row, shuffled
from made_two_files import QUICK, compared, make_two_files, of_slice, written

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes
from safe_eval.comparison.compare import compare_files
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.statistics.multiplicity import benjamini_hochberg, holm
from safe_eval.statistics.paired import mcnemar, mcnemar_mid_p
from safe_eval.text.comparison_text import comparison_lines


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return make_two_files(tmp_path)


def test_means_difference_and_tests_by_hand(files: tuple[Path, Path]) -> None:
    heard = of_slice(compared(files), "audio")
    assert (heard.a, heard.b, heard.metric, heard.dataset) == ("new/full", "old/full", "vqa_accuracy", "made")
    assert (heard.mean_a, heard.mean_b) == (pytest.approx(0.9), pytest.approx(0.2))
    assert heard.difference == pytest.approx(0.7)
    assert heard.ci_low < 0.7 < heard.ci_high
    assert (heard.gained, heard.lost, heard.n, heard.clusters) == (35, 0, 50, 50)
    assert (heard.p_value, heard.test) == (mcnemar(35, 0), "exact McNemar")
    assert (heard.mcnemar_p, heard.mcnemar_mid_p) == (mcnemar(35, 0), mcnemar_mid_p(35, 0))


def test_p_values_are_adjusted_over_the_whole_family(files: tuple[Path, Path]) -> None:
    found = compared(files, by="question_type")
    assert [row.slice for row in found.rows] == ["all", "audio", "vl", "type:colour", "type:sound"]
    of_three = np.array([row.p_value for row in found.rows[:3]])
    assert {row.family for row in found.rows} == {found.family} == {3}
    once = [0, 1, 2, 2, 1]  # the types are the slices vl and audio under other names
    assert [row.holm_p for row in found.rows] == pytest.approx(holm(of_three)[once].tolist())
    adjusted = benjamini_hochberg(of_three)[once].tolist()
    assert [row.benjamini_hochberg_p for row in found.rows] == pytest.approx(adjusted)
    text = " ".join(" ".join(comparison_lines(found)).split())
    assert "Holm: p adjusted over all 3 tests; 2 rows repeat another; other formats" in text


def test_consultation_is_compared_where_both_sides_say(tmp_path: Path) -> None:
    """The new model uses the sound on every clip, the old one on every other; one answer does not say."""
    new = [row(f"q{i}", "yes", consulted=True, group=f"g{i}") for i in range(40)]
    old = [row(f"q{i}", "yes", consulted=i % 2 == 0 if i else None, group=f"g{i}") for i in range(40)]
    files = written(tmp_path / "new.jsonl", new), written(tmp_path / "old.jsonl", old)
    found = compared(files, metric="consulted")
    used = of_slice(found, "all")
    assert (used.mean_a, used.n, used.gained, used.lost) == (1.0, 39, 20, 0)
    assert used.difference == pytest.approx(20 / 39)
    assert found.notes == ("1 of 40 examples are left out of consultation: one side does not say",)
    assert not found.flips
    silent = written(tmp_path / "silent.jsonl", [msgspec.structs.replace(r, consulted=None) for r in old])
    with pytest.raises(InputError, match="on no example do both sides say"):
        compared((files[0], silent), metric="consulted")


def test_flips_by_question_type(files: tuple[Path, Path]) -> None:
    rows = compared(files).flips
    found = {
        flip.of: (flip.both_right, flip.only_a_right, flip.only_b_right, flip.both_wrong) for flip in rows
    }
    assert found == {"all": (55, 35, 0, 10), "colour": (45, 0, 0, 5), "sound": (10, 35, 0, 5)}


def test_every_condition_that_both_have_is_compared(tmp_path: Path) -> None:
    run = written(tmp_path / "predictions.jsonl", good_run(20)).parent
    fewer = [row for row in good_run(20) if row.condition != "gate_off"]
    other = written(tmp_path / "other.jsonl", [msgspec.structs.replace(row, seed=1) for row in fewer])
    found = compared((run, other), model_a="safe", model_b="safe")
    assert [(row.a, row.b) for row in found.rows if row.slice == "all"] == [
        (f"safe/{condition}", f"safe/{condition}") for condition in ("full", "mute_audio", "swap_audio")
    ]
    assert {row.difference for row in found.rows} == {0.0}
    assert found.notes == ("only A answered under gate_off, which is not compared",)


def test_one_file_two_conditions(tmp_path: Path) -> None:
    run = written(tmp_path / "predictions.jsonl", good_run()).parent
    found = compared((run, run), model_a="safe", model_b="safe", condition_a="full", condition_b="mute_audio")
    assert of_slice(found, "audio").difference == pytest.approx(0.7)


def test_what_is_ambiguous_is_asked_for(tmp_path: Path, files: tuple[Path, Path]) -> None:
    run = written(tmp_path / "predictions.jsonl", good_run()).parent
    with pytest.raises(
        InputError, match=r"B \(predictions.jsonl\): holds several models \(base, safe\).*--model-b safe"
    ):
        compared((files[0], run))
    with pytest.raises(InputError, match=r"A .*has no model 'hearing'; it has base, safe"):
        compared((run, files[0]), model_a="hearing")
    seeds = [
        msgspec.structs.replace(row, seed=seed)
        for row in answers("new", "full", lambda *_: True)
        for seed in (3, 4)
    ]
    with pytest.raises(InputError, match=r"holds several seeds \(3, 4\); choose one with --seed-a"):
        compared((written(tmp_path / "seeds.jsonl", seeds), files[1]))
    with pytest.raises(
        InputError, match="A answered under full and B under mute_audio: no condition is on both"
    ):
        compared((files[0], written(tmp_path / "m.jsonl", answers("new", "mute_audio", lambda *_: True))))
    with pytest.raises(InputError, match="no metric is named 'vqa_acuracy'; did you mean 'vqa_accuracy'"):
        compared(files, metric="vqa_acuracy")


def test_trap_unmatched_ids_are_never_dropped_in_silence(files: tuple[Path, Path]) -> None:
    """Harnesses that match by id drop examples of one side; the score of the rest then moves unseen."""
    a, b = files
    write_predictions(b, answers("old", "full", lambda clip, _: clip % 2 == 0, clips=44))
    with pytest.raises(InputError) as refused:
        compared(files)
    message = str(refused.value)
    assert "A full and B full do not hold the same examples: 88 in both, 12 only in A, 0 only in B" in message
    assert "only in A: 'c44-audio', 'c44-vl', 'c45-audio'" in message
    assert "… and 2 more" in message
    assert "--intersect" in message
    found = compared(files, intersect=True)
    assert (found.matched[0].matched, found.matched[0].only_a, found.matched[0].only_b) == (88, 12, 0)
    assert len(found.matched[0].only_a_ids) == 10
    assert of_slice(found, "all").n == 88
    assert found.notes[0].startswith(
        "12 examples of A full and 0 of B full are on one side only and are left out: c44"
    )
    write_predictions(a, [row("q1")])
    with pytest.raises(InputError, match="nothing can be compared; use the same example ids"):
        compared(files, intersect=True)


def test_trap_other_references_are_another_example(files: tuple[Path, Path]) -> None:
    """Answers to another version of the questions are not compared by their text instead."""
    rows = answers("old", "full", lambda *_: True)
    rows[3] = msgspec.structs.replace(rows[3], references=("no",))
    write_predictions(files[1], rows)
    with pytest.raises(InputError) as refused:
        compared(files)
    assert "1 examples are not the same in A and B" in str(refused.value)
    assert "'c1-vl': references is ['yes'] in A and ['no'] in B" in str(refused.value)


def test_trap_clusters_are_heeded(tmp_path: Path) -> None:
    """Fifty questions on five clips are five clips: McNemar's p by item is shown, and does not decide."""
    sides = [
        answers(name, "full", lambda clip, _, right=right: right, clips=25, clips_a_group=5)
        for name, right in (("new", True), ("old", False))
    ]
    files = written(tmp_path / "a.jsonl", sides[0]), written(tmp_path / "b.jsonl", sides[1])
    found = of_slice(compared(files), "all")
    assert (found.n, found.clusters, found.test) == (50, 5, "cluster sign-flip permutation")
    assert found.mcnemar_p < 1e-9
    assert found.p_value == pytest.approx(2 / 2**5, abs=0.03)


def test_a_side_may_know_less_of_the_examples(files: tuple[Path, Path]) -> None:
    """Another harness writes ids, references and answers only; groups and types come from the other side."""
    whole = compared(files)
    bare = [
        Prediction(
            example_id=row.example_id,
            references=row.references,
            answer=row.answer,
            dataset="made",
            model="old",
        )
        for row in answers("old", "full", lambda clip, audio: clip % 5 == 0 if audio else clip % 10 != 0)
    ]
    write_predictions(files[1], bare)
    assert compared(files).rows == whole.rows
    write_predictions(files[1], [msgspec.structs.replace(row, dataset=None) for row in bare])
    with pytest.raises(
        InputError, match=r"100 ids are on both sides under different datasets \(made in A, None in B\)"
    ):
        compared(files)


def test_row_order_does_not_matter(files: tuple[Path, Path]) -> None:
    before = compared(files, by="question_type", margin=("0.01",))
    for path, rows in zip(files, ("new", "old"), strict=True):
        kept = [
            answers(rows, "full", lambda clip, audio: clip % 10 != 1 if audio else clip % 10 != 0),
            answers(rows, "full", lambda clip, audio: clip % 5 == 0 if audio else clip % 10 != 0),
        ][rows == "old"]
        write_predictions(path, shuffled(kept))
    after = compared(files, by="question_type", margin=("0.01",))
    assert (after.rows, after.flips) == (before.rows, before.flips)


def test_graded_scores_have_no_mcnemar(tmp_path: Path) -> None:
    truth = ("yes", "yes", "no", "no", "no")
    files = tuple(
        written(
            tmp_path / f"{name}.jsonl", [row(f"q{i}", said, references=truth, model=name) for i in range(8)]
        )
        for name, said in (("a", "no"), ("b", "yes"))
    )
    found = of_slice(compared(files), "all")
    assert found.difference > 0
    assert (found.mcnemar_p, found.mcnemar_mid_p) == (None, None)


def test_captions_are_compared_too(tmp_path: Path) -> None:
    references = {
        "c1": ("a dog barks loudly", "the dog is barking"),
        "c2": ("rain falls on a roof", "it rains hard"),
    }
    said = {
        "a": {"c1": "a dog barks", "c2": "rain falls"},
        "b": {"c1": "a cat meows", "c2": "rain falls on a car"},
    }
    files = tuple(
        written(
            tmp_path / f"{name}.jsonl",
            [row(i, said[name][i], references=references[i], task="caption", model=name) for i in references],
        )
        for name in said
    )
    whole = compared(files)
    assert {"cider_d", "bleu_4", "rouge_l"} <= {row.metric for row in whole.rows}
    assert whole.flips == ()  # a caption is not right or wrong
    assert (
        "meteor, spice, spider, spider_fl, spider_max run in Java and are compared one at a time: "
        "--metric meteor" in whole.notes
    )
    assert not any("score with" in note for note in whole.notes)
    only = compared(files, metric="cider_d", margin=("0.1",)).rows
    assert {row.metric for row in only} == {"cider_d"}
    assert {row.equivalence for row in only} <= {"equivalent", "different", "undecided"}


def test_a_call_writes_what_the_command_writes(tmp_path: Path) -> None:
    found = compare_files(make_two_files(tmp_path), QUICK, out=tmp_path / "out")
    assert (tmp_path / "out" / "comparison.json").read_bytes() == json_bytes(found)
