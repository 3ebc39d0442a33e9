"""The retention table end to end, small: every step is the real one, killed runs go on, and it is judged."""

import json
from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_eval.predictions import read_predictions
from safe_train.cli import main
from safe_train.experiments import retention_mechanisms
from safe_train.experiments.retention_mechanisms import answers_file, together_of
from safe_train.experiments.retention_result import TEST, VALIDATION, RetentionResult
from safe_train.experiments.retention_worlds import RetentionConfig, exit_code, run_retention
from safe_train.toy.recipe import Recipe

SMALL = RetentionConfig(
    clips=120,
    recipe=Recipe(pictures=600, vision_steps=60, language_steps=60, held_out_questions=50),
    steps=6,
    batch_size=20,
    validation_questions=6,
    resamples=200,
)
TWO = ("no_retention", "kl")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RetentionResult]:
    """A finished experiment of one seed and two mechanisms."""
    out = tmp_path_factory.mktemp("retention") / "run"
    return out, run_retention(out, seeds=(3,), mechanisms=TWO, config=SMALL, quiet=True)


def test_each_mechanism_is_a_run_on_the_same_world(made: tuple[Path, RetentionResult]) -> None:
    out, _ = made
    seed = out / "seed-3"
    assert {path.name for path in seed.iterdir() if path.is_dir()} >= {
        "world",
        "shards",
        "backbone",
        "answers",
        *TWO,
    }
    configs = {name: json.loads((seed / name / "config.json").read_text()) for name in TWO}
    assert [configs[name]["loss"]["kl_weight"] for name in TWO] == [0.0, 3.0]
    assert {config["seed"] for config in configs.values()} == {3}
    assert configs["kl"]["base"] == configs["no_retention"]["base"]
    rows = read_predictions(seed / "predictions.jsonl")
    asked = {row.example_id for row in rows}
    arms = {("base", "full"), *((name, c) for name in TWO for c in ("full", "swap_audio", "mute_audio"))}
    assert {(row.model, row.condition) for row in rows} == arms
    assert len(rows) == len(arms) * len(asked)


def test_the_table_is_what_safe_eval_scored(made: tuple[Path, RetentionResult]) -> None:
    out, result = made
    scores = json.loads((out / "seed-3/scores.json").read_text())
    assert [(row.seed, row.mechanism) for row in result.rows] == [(3, "no_retention"), (3, "kl")]
    for row in result.rows:
        found = {
            (m["model"], m["condition"], m["slice"]): m
            for m in scores["metrics"]
            if m["metric"] == "accuracy"
        }
        assert row.audio_accuracy == found[row.mechanism, "full", "audio"]["value"]
        assert row.vl_accuracy == found[row.mechanism, "swap_audio", "vl"]["value"]
        assert row.drift == pytest.approx(row.vl_base - row.vl_accuracy, abs=1e-12)
        assert row.kl_of == TEST
        assert row.kl_nats is not None
        kept = [
            r
            for r in scores["retention"]
            if (r["model"], r["condition"], r["slice"]) == (row.mechanism, "swap_audio", "vl")
        ]
        assert row.kl_nats == kept[0]["kl_nats"]
    (first, _) = json.loads((out / "retention.json").read_text())["rows"]
    assert first["mechanism"] == "no_retention"
    assert "dataset" not in first  # there is one


def test_one_seed_is_not_judged(made: tuple[Path, RetentionResult]) -> None:
    out, result = made
    assert exit_code(result) == 2
    text = (out / "retention.md").read_text("utf-8")
    assert "**Seed 3**" in text
    assert "| mechanism    |" in text
    assert "verdict: not measured\n" in text
    assert "one seed shows nothing of how much another would differ; add a seed" in text


def test_what_is_there_is_used_again(
    made: tuple[Path, RetentionResult], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out, result = made
    kept = {
        path: path.stat().st_mtime_ns
        for path in out.rglob("*")
        if path.name in ("adapter.safetensors", "kl.jsonl", "model.safetensors")
    }
    assert len(kept) == 4
    capfd.readouterr()
    assert run_retention(out, seeds=(3,), mechanisms=TWO, config=SMALL, quiet=True) == result
    assert capfd.readouterr().out == ""  # it is quiet
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    stopped = answers_file(out / "seed-3", "kl")
    whole = stopped.read_bytes()
    stopped.unlink()  # as if it had been killed before these answers
    with monkeypatch.context() as patch:
        patch.setattr(retention_mechanisms, "answer_test_split", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_retention(out, seeds=(3,), mechanisms=TWO, config=SMALL, quiet=True)
    assert not (out / "retention.json").exists()  # it must not seem to be of this run
    assert run_retention(out, seeds=(3,), mechanisms=TWO, config=SMALL, quiet=True) == result
    assert stopped.read_bytes() == whole


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_without_choice_probabilities_the_divergence_is_of_the_validation_split(
    made: tuple[Path, RetentionResult], tmp_path: Path
) -> None:
    out, _ = made
    import msgspec

    from safe_eval.options import Sampling
    from safe_eval.scoring.score import score_predictions
    from safe_train.experiments.retention_result import kept_rows
    from safe_train.experiments.retention_text import retention_markdown

    rows = read_predictions(out / "seed-3/predictions.jsonl")
    plain = [msgspec.structs.replace(row, choice_probabilities=None) for row in rows]
    (row,) = kept_rows(score_predictions(plain, Sampling(resamples=200)), 3, "kl", 0.25)
    assert (row.kl_nats, row.kl_low, row.kl_of) == (0.25, None, VALIDATION)
    text = retention_markdown(RetentionResult(rows=(row,), judged=(), confidence=0.95, resamples=200))
    assert (
        "KL is over the tokens of the validation split: the predictions have no choice probabilities." in text
    )


def test_a_base_that_answers_otherwise_is_refused(made: tuple[Path, RetentionResult]) -> None:
    out, _ = made
    file = answers_file(out / "seed-3", "kl")
    whole = file.read_bytes()
    try:
        lines = whole.splitlines(keepends=True)
        row = json.loads(lines[0])
        assert row["model"] == "base"
        lines[0] = json.dumps(row | {"answer": "something else"}).encode() + b"\n"
        file.write_bytes(b"".join(lines))
        with pytest.raises(
            InputError, match=r"kl\.jsonl: the base's answers are not those in .*no_retention\.jsonl"
        ):
            together_of(out / "seed-3", TWO)
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mechanism", "klm"], "mechanism='klm': is no choice; did you mean 'kl'?"),
        (["--seed", "1", "--seed", "1"], "seed=[1, 1]: name at least one seed, and each once"),
        (["--seed", "-1"], "seed=-1: a seed is 0 or more"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_exit_3(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["retention", "--out", str(tmp_path / "out"), *words]) == 3
    assert capsys.readouterr().err == f"safe-train retention: {message}\n"
    assert not (tmp_path / "out").exists()
