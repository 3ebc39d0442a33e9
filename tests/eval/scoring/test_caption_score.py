"""Captions in scores.json: corpus values, their intervals and pairs, and what is not measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_captions import caption, captioned
from made_rows import row, shuffled

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric
from safe_eval.scorers.captions.caption_scores import score_captions
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores, read_scores
from safe_eval.statistics.corpus_sums import RANDOMISATION
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=200)
PLAIN = ScoreOptions()


def scored(rows: list[Prediction], options: ScoreOptions = PLAIN) -> Scores:
    return score_predictions(rows, QUICK, options)


def value(scores: Scores, metric: str, condition: str = "full") -> Metric:
    (found,) = [m for m in scores.metrics if (m.metric, m.condition, m.slice) == (metric, condition, "all")]
    return found


def pair(scores: Scores, metric: str) -> Comparison:
    (found,) = [c for c in scores.comparisons if (c.metric, c.slice) == (metric, "all")]
    return found


def test_a_corpus_scores_by_its_sums_and_not_by_the_mean_of_its_items() -> None:
    rows = [caption("p", "a dog", "a dog"), caption("q", "a cat runs off now or later", "b c d e f g h")]
    found = value(scored(rows), "bleu_1")
    assert found.value == pytest.approx(2 / 9)  # two of nine words; the items score 1 and 0
    assert found.stderr is None
    assert (found.interval, found.clusters) == ("cluster bootstrap", 2)


def test_values_are_those_of_the_scorers() -> None:
    rows = captioned()
    scores, measured = scored(rows), score_captions(rows)
    members = np.array([p.condition == "mute_audio" for p in rows])
    for metric in ("cider_d", "cider", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"):
        found = value(scores, metric, "mute_audio")
        assert found.value == pytest.approx(measured.corpus(metric, members), abs=1e-12)
        assert found.ci_low <= found.value <= found.ci_high
        assert found.n == 30


@pytest.mark.parametrize("metric", ["cider_d", "bleu_4", "rouge_l"])
def test_differences_are_those_of_the_values_with_an_interval_and_a_test(metric: str) -> None:
    scores = scored(captioned())
    compared = pair(scores, metric)
    apart = value(scores, metric).value - value(scores, metric, "mute_audio").value
    assert (compared.a, compared.b) == ("safe/full", "safe/mute_audio")
    assert compared.difference == pytest.approx(apart)
    assert 0 < compared.ci_low < compared.equivalence_low < apart < compared.equivalence_high
    assert compared.p_value < 0.01
    assert (compared.test == RANDOMISATION) == metric.startswith("bleu")
    assert compared.mcnemar_p is None


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = captioned(12)
    assert scored(shuffled(rows)) == scored(rows)


def test_an_error_is_an_empty_caption_and_scores_0() -> None:
    rows = captioned(6)
    rows[0] = caption("c0", "", *rows[0].references, condition="full", model="safe", error="out of memory")
    failed, blank = scored(rows), scored([caption("c0", " ", *rows[0].references, model="safe"), *rows[1:]])
    assert failed.metrics == blank.metrics
    assert (failed.coverage["full"].errored, failed.coverage["full"].answered) == (1, 5)
    empty = [caption("p", "", "", error="x"), caption("q", "a dog", "a dog")]
    assert value(scored(empty), "rouge_l").value == 0.5  # the reference calls two empty captions alike


def test_rows_without_a_task_are_questions() -> None:
    rows = [*captioned(3), row("q1", dataset="made", group="g"), row("q2", dataset="made", group="h")]
    scores = scored(rows)
    assert value(scores, "vqa_accuracy").n == 2
    assert value(scores, "cider_d").n == 3
    assert scores.coverage["full"].answered == 5


def test_one_clip_has_no_cider_and_says_so() -> None:
    scores = scored([caption("p", "a dog barks", "a dog barks", "the dog barks")])
    assert {m.metric for m in scores.metrics} == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"}
    assert any("CIDEr needs document frequencies of at least 2 examples" in note for note in scores.notes)
    unmeasured = {row.name: row.why_not for row in scores.aggregates}
    assert {name for name, why_not in unmeasured.items() if why_not} == {
        *("cider_d", "cider", "meteor", "spice", "spider", "spider_fl", "spider_max", "sbert_sim"),
        *("fluency_error", "fense", "clap_sim", "clap_reference_sim", "self_bleu_4"),
    }
    table = "\n".join(scores_table(scores))
    assert "captions on made, seed 0: not measured\n  cider_d, cider, meteor, spice, spider, " in table


def test_what_no_seed_can_measure_is_said_once_a_dataset() -> None:
    scores = scored([*captioned(3), *captioned(3, seed=1)])
    table = "\n".join(scores_table(scores))
    assert table.count("captions on made") == table.count("the notes say why") == 1
    assert "captions on made: not measured\n  meteor, spice, spider, spider_fl, " in table


def test_a_line_separator_is_refused() -> None:
    rows = [caption("p", "a dog\u2028barks", "a dog"), caption("q", "a cat", "a\rcat")]
    with pytest.raises(InputError, match="2 rows cannot be read") as refused:
        scored(rows)
    assert "'p': answer" in str(refused.value)
    assert "'q': reference" in str(refused.value)


def test_perfect_captions_do_not_claim_certainty() -> None:
    rows = [caption(f"c{i}", f"a dog number {i} barks", f"a dog number {i} barks") for i in range(20)]
    found = value(scored(rows), "bleu_4")
    assert found.value == pytest.approx(1.0, abs=1e-6)
    assert (found.interval, found.ci_high) == ("wilson", pytest.approx(1.0, abs=1e-6))
    assert found.ci_low < 0.9


def test_no_metric_is_named_twice_in_the_notes_and_frequencies_are_named() -> None:
    notes = scored(captioned(4)).notes
    (frequencies,) = [note for note in notes if "CIDEr" in note]
    assert "of the references of the 4 clips scored" in frequencies
    assert "intervals resample clips and hold these frequencies fixed" in frequencies
    assert sum("SPICE" in note for note in notes) == sum("CLAP" in note for note in notes) == 1


def command(folder: Path, *options: str) -> int:
    return main(["score", f"{folder}/p.jsonl", "--out", f"{folder}/run", *options])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "p.jsonl", [p for p in captioned(10) if p.condition == "full"])
    return tmp_path


def test_frequencies_can_be_kept_and_shared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = str(folder / "df.json")
    assert command(folder, "--write-df", shared) == 0
    whole = read_scores(folder / "run")
    assert command(folder, "--df", shared) == 3
    assert "scores.json: is there already, and holds something else" in capsys.readouterr().err
    assert command(folder, "--df", shared, "--force") == 0
    again = read_scores(folder / "run")
    assert again.metrics == whole.metrics
    assert again.provenance.frequencies.name == "df.json"
    assert any("of df.json (10 documents, sha256 " in note for note in again.notes)
    write_predictions(folder / "p.jsonl", [p for p in captioned(1) if p.condition == "full"])
    assert command(folder, "--df", shared, "--force") == 0
    assert value(read_scores(folder / "run"), "cider_d").value > 0  # one clip is enough where others count
    assert command(folder, "--df", "absent.json") == 3
    assert "absent.json: no such file of document frequencies" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["spice.json", "spice.csv"])
def test_spice_values_made_elsewhere_make_spider(folder: Path, name: str) -> None:
    values = {f"c{i}": i / 10 for i in range(10)} | {"other": 0.5}
    lines = ["example_id,spice", *(f"{key},{number}" for key, number in values.items())]
    (folder / name).write_text(json.dumps(values) if name.endswith("json") else "\n".join(lines))
    assert command(folder, "--spice", str(folder / name)) == 0
    scores = read_scores(folder / "run")
    assert value(scores, "spice").value == pytest.approx(0.45)
    both = (value(scores, "cider_d").value + 0.45) / 2
    assert value(scores, "spider").value == pytest.approx(both)
    assert any("1 of its 11 values are of no example here" in note for note in scores.notes)
    assert scores.provenance.spice.name == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[0.1]", "expected one object of numbers by example id"),
        ("{", "is not JSON"),
        ("{}", "holds no SPICE values"),
        ('{"c0": 0.1, "c0": 0.2}', "'c0': is given twice"),
        ('{"c0": NaN}', "SPICE value nan is not a number in [0, 1]"),
        ('{"c0": true}', "SPICE value True is not a number in [0, 1]"),
        ('{"c0": 0.1}', "'c1': has no SPICE value"),
    ],
)
def test_bad_spice_values(folder: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.json").write_text(text)
    assert command(folder, "--spice", str(folder / "s.json")) == 3
    assert words in capsys.readouterr().err
    assert not (folder / "run").exists()


def test_spice_values_are_of_one_cell_and_files_of_one_dataset(folder: Path) -> None:
    (folder / "s.json").write_text(json.dumps({f"c{i}": 0.1 for i in range(3)}))
    given = ScoreOptions(spice=folder / "s.json")
    with pytest.raises(InputError, match="select one model, condition and seed"):
        scored(captioned(3), given)
    with pytest.raises(InputError, match="here are captions of 0; score one dataset"):
        scored([row("q1"), row("q2")], given)
    two = [caption("p", "a dog", "a dog"), row("q", "x", task="caption", dataset="other", group="q")]
    with pytest.raises(InputError, match="are of the captions of one dataset, and here are captions of 2"):
        scored(two, ScoreOptions(write_df=folder / "df.json"))
