"""Calibrate: a temperature fitted on dev calibrates test, and is never fitted on what is scored."""

import csv
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_rows import row

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes
from safe_eval.calibration.calibrate import CalibrationReport, calibrate_files
from safe_eval.calibration.dev_and_test import forecasts_of
from safe_eval.cli import main
from safe_eval.options import CalibrateOptions, Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.statistics.calibration.calibration import calibration
from safe_eval.statistics.calibration.calibrator import calibrated
from safe_eval.statistics.calibration.platt import apply_platt, fit_platt
from safe_eval.statistics.calibration.reliability import classwise_ece
from safe_eval.statistics.calibration.temperature import fit_multiclass_temperature, fit_temperature

QUICK = Sampling(resamples=200)
CHOICES = ("bell", "horn", "knock")
ALONE = {"choice_probabilities": None}  # confidences without a distribution


def made(side: str, n: int = 240, **fields: object) -> list[Prediction]:
    """Forecasts said with three times the logit they deserve; in silence, with less of it. Two of a clip."""
    rng = np.random.default_rng(sum(map(ord, side)))
    rows = []
    for i in range(n):
        chances = rng.dirichlet(np.ones(3))
        wanted, said = CHOICES[rng.choice(3, p=chances)], CHOICES[chances.argmax()]
        for condition, sharpness in (("full", 3.0), ("mute_audio", 1.5)):
            powers = chances**sharpness / (chances**sharpness).sum()
            rows.append(
                row(
                    f"{side}{i}",
                    said,
                    **{
                        "references": (wanted,),
                        "dataset": "made",
                        "group": f"{side}-g{i // 2}",
                        "condition": condition,
                        "model": "safe",
                        "confidence": float(powers.max()),
                        "choice_probabilities": dict(zip(CHOICES, powers.tolist(), strict=True)),
                    }
                    | fields,
                )
            )
    return rows


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return written(tmp_path, made("d"), made("t"))


def written(folder: Path, dev: list[Prediction], test: list[Prediction]) -> tuple[Path, Path]:
    for name, rows in (("dev", dev), ("test", test)):
        write_predictions(folder / f"{name}.jsonl", rows)
    return folder / "dev.jsonl", folder / "test.jsonl"


def report(files: tuple[Path, Path], **options: object) -> CalibrationReport:
    return calibrate_files(*files, QUICK, CalibrateOptions(**options))


def test_a_call_writes_what_the_command_writes(files: tuple[Path, Path], tmp_path: Path) -> None:
    found = calibrate_files(*files, QUICK, out=tmp_path / "out")
    assert (tmp_path / "out" / "calibration.json").read_bytes() == json_bytes(found)


def test_calibrators_are_fitted_on_dev_and_judged_on_test(files: tuple[Path, Path]) -> None:
    full, muted = report(files).cells
    dev = forecasts_of(made("d"))[0, "full"]
    test = forecasts_of(made("t"))[0, "full"]
    assert (full.condition, muted.condition, full.dev_n, full.before.n) == ("full", "mute_audio", 240, 240)
    (one,) = full.calibrators
    given = dev.distributions
    assert one == muted.calibrators[0]
    assert one.temperature == fit_multiclass_temperature(given.probabilities, given.right) > 1.5
    after, _ = calibrated(dev, test)
    by_hand = calibration(after, QUICK)
    assert (full.after.ece, full.after.nll) == (by_hand.ece, by_hand.nll)
    assert full.after.ece.value < full.before.ece.value / 2
    assert full.after.nll.value < full.before.nll.value
    assert full.after.accuracy == full.before.accuracy
    assert full.before.clusters == 120
    assert full.before.ece.interval.low < full.before.ece.value < full.before.ece.interval.high
    assert sum(bar.n for bar in full.before.bars) == 240


def test_a_plain_temperature_stands_beside_it(files: tuple[Path, Path]) -> None:
    full, muted = report(files).cells
    dev = forecasts_of(made("d"))[0, "full"]
    assert full.temperature == muted.temperature == fit_temperature(dev.confidence, dev.correct)
    assert full.after.nll.value < full.temperature_nll < full.before.nll.value


def test_confidences_alone_get_a_slope_and_a_bias(tmp_path: Path) -> None:
    full, _ = report(written(tmp_path, made("d", **ALONE), made("t", **ALONE))).cells
    dev, test = (forecasts_of(made(side, **ALONE))[0, "full"] for side in ("d", "t"))
    (one,) = full.calibrators
    fitted = fit_platt(dev.confidence, dev.correct)
    assert (one.method, one.slope, one.bias) == ("Platt scaling", fitted.slope, fitted.bias)
    assert full.after.confidence.value == pytest.approx(apply_platt(test.confidence, fitted).mean())


BAD = {
    "sure and mostly wrong": lambda i: (0.9 + 0.0012 * i, i % 8 < 3),
    "all 1": lambda i: (1.0, i % 2),
    "all 0": lambda i: (0.0, i % 2),
    "all 0.5": lambda i: (0.5, i % 2),
    "all right": lambda i: (0.6 + i / 250, True),
    "all wrong": lambda i: (0.6 + i / 250, False),
    "sure and right": lambda i: (1.0, True),
    "sure and wrong": lambda i: (1.0, False),
    "turned round": lambda i: (0.9 - 0.8 * (i % 2), i % 2),
    "without error": lambda i: (0.2 + 0.7 * (i % 2), i % 2),
    "hardly different": lambda i: (0.6 + 1e-9 * (i % 2), i % 2),
}


@pytest.mark.parametrize("name", BAD)
def test_no_model_is_too_bad_for_numbers(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for count, clusters in ((1, 1), (80, 2), (80, 40)):
        files = written(tmp_path, *(said(side, BAD[name], count, clusters) for side in ("d", "t")))
        (cell,) = report(files).cells
        assert np.isfinite([cell.before.ece.value, cell.after.ece.value, cell.after.nll.value]).all()
        assert cell.before.ece.interval.low is not None or clusters == 1
    assert typed(files) == 0
    out = capsys.readouterr().out
    assert "NLL (nats)" in out
    assert "nan" not in out


def said(side: str, of: object, count: int, clusters: int) -> list[Prediction]:
    """Answers of which each number says the confidence, and whether it is right."""
    rows = []
    for i in range(count):
        confidence, right = of(i)
        group, fields = f"{side}-g{i % clusters}", {"model": "safe", "confidence": confidence}
        rows.append(row(f"{side}{i}", "yes" if right else "no", group=group, **fields))
    return rows


def test_dev_all_right_and_test_all_wrong_names_the_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = written(tmp_path, said("d", BAD["all right"], 80, 40), said("t", BAD["all wrong"], 80, 40))
    assert typed(files) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "plain temperature, seed 0: the temperature reached its bound 0.001" in out
    assert "safe/full, seed 0: n 80 in 40 clusters, slope 0.000, bias 4.394" in out


def test_a_slope_below_0_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(tmp_path, *(said(side, BAD["turned round"], 80, 40) for side in ("d", "t")))
    assert typed(files) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "the slope is below 0, so surer dev answers are wrong more often" in out


def test_what_failed_everywhere_in_dev_is_not_calibrated_and_measured_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = [
        msgspec.structs.replace(r, answer=None, error="out of memory", confidence=None) for r in made("d")
    ]
    assert typed(written(tmp_path, failed, made("t"))) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "safe/full, seed 0: n 240 in 120 clusters, not calibrated" in out
    assert (
        "not calibrated, seed 0: all 240 dev answers under full, seed 0, failed or state no confidence" in out
    )
    (full, _) = report(written(tmp_path, failed, made("t"))).cells
    assert (full.after, full.temperature, full.before.n) == (None, None, 240)
    with pytest.raises(InputError, match="all 480 answers of safe in test failed: no confidence to judge"):
        report(written(tmp_path, made("d"), [msgspec.structs.replace(r, error="x") for r in made("t")]))


def test_whether_confidence_falls_in_silence(files: tuple[Path, Path]) -> None:
    (fall,) = report(files).falls
    full, muted = report(files).cells
    assert (fall.condition, fall.n, fall.clusters) == ("mute_audio", 240, 120)
    assert fall.difference == pytest.approx(full.before.confidence.value - muted.before.confidence.value)
    assert 0 < fall.ci_low < fall.difference < fall.ci_high
    assert fall.p_value < 0.05


def test_whole_distributions_have_classwise_errors_and_a_temperature(files: tuple[Path, Path]) -> None:
    full, muted = report(files).choices
    rows = [r for r in made("t") if r.condition == "full"]
    chances = np.array([[r.choice_probabilities[name] for name in CHOICES] for r in rows])
    labels = np.array([CHOICES.index(r.references[0]) for r in rows])
    assert (full.condition, full.choices, full.n, full.dev_n) == ("full", CHOICES, 240, 240)
    assert full.temperature == pytest.approx(3.0, abs=0.7)
    assert muted.temperature == full.temperature
    found = full.before.classwise_ece
    assert found.value == pytest.approx(classwise_ece(chances, labels))
    assert found.interval.low < found.value < found.interval.high
    assert full.after.classwise_ece.value < found.value
    assert full.after.nll.value < full.before.nll.value


def test_choices_that_few_examples_share_are_left_out(tmp_path: Path) -> None:
    few = report(written(tmp_path, made("d", 60), made("t", 19)))
    assert few.choices == ()
    none = [msgspec.structs.replace(r, choice_probabilities=None) for r in made("d", 60)]
    assert report(written(tmp_path, none, made("t", 40))).choices[0].why_not == (
        "only 0 dev answers have these choices; 20 are needed"
    )


def test_fitting_on_what_is_scored_is_refused_unless_forced(files: tuple[Path, Path]) -> None:
    _, test = files
    with pytest.raises(InputError, match="240 of 240 scored examples are also in dev, for example 'made/t0'"):
        report((test, test))
    forced = report((test, test), force=True)
    assert forced.forced
    assert "forced: 240 scored examples are in dev too" in forced.notes[0]


def test_another_name_for_the_dataset_makes_no_other_examples(tmp_path: Path) -> None:
    renamed = written(tmp_path, made("t", dataset="other"), made("t"))
    with pytest.raises(InputError, match="240 of 240 scored examples are also in dev"):
        report(renamed)
    others = written(tmp_path, made("t", dataset="other", prompt="what is that?"), made("t"))
    assert report(others).cells[0].shared_examples == 0


def test_shared_clusters_are_a_warning(tmp_path: Path) -> None:
    found = report(written(tmp_path, made("d", group="g"), made("t", group="g")))
    assert found.notes == (
        "1 cluster (group) is in dev and in test: the calibrators have seen their like",
        "test: 1 cluster; an interval needs 2",
    )


def test_each_seed_has_its_own_temperature_or_that_of_the_only_dev(tmp_path: Path) -> None:
    both = made("t", 60) + made("t", 60, seed=1)
    alone = report(written(tmp_path, made("d"), both)).cells
    assert [cell.seed for cell in alone] == [0, 0, 1, 1]
    assert len({cell.temperature for cell in alone}) == 1
    own = report(written(tmp_path, made("d") + made("e", seed=1), both)).cells
    assert own[0].temperature != own[2].temperature
    with pytest.raises(InputError, match="dev has no answers of seed 2, only of seeds 0, 1; give those"):
        report(written(tmp_path, made("d") + made("e", seed=1), made("t", 60, seed=2)))


def test_what_cannot_be_calibrated_is_said(tmp_path: Path) -> None:
    silent = [msgspec.structs.replace(r, confidence=None) for r in made("d")]
    with pytest.raises(InputError, match="no row of dev has a 'confidence'; write the probability of being"):
        report(written(tmp_path, silent, made("t")))
    two = written(tmp_path, made("d") + made("d", model="base"), made("t") + made("t", model="base"))
    with pytest.raises(InputError, match=r"in dev and in test: base, safe; choose one with --model NAME"):
        report(two)
    with pytest.raises(InputError, match="model 'sfae' has no confidences in dev and in test; models that"):
        report(two, model="sfae")
    assert report(two, model="base").model == "base"
    muted = [r for r in made("d") if r.condition != "full"]
    with pytest.raises(InputError, match="dev has no confident answers under 'full'"):
        report(written(tmp_path, muted, made("t")))


def test_rows_without_a_confidence_are_counted(tmp_path: Path) -> None:
    test = made("t")
    test[0] = msgspec.structs.replace(test[0], confidence=None)
    found = report(written(tmp_path, made("d"), test))
    assert found.cells[0].before.n == 239
    assert found.notes == ("1 of 480 rows of test failed or state no confidence; they are left out",)


def typed(files: tuple[Path, Path], *options: str) -> int:
    dev, test = map(str, files)
    return main(["calibrate", "--dev", dev, "--test", test, "--resamples", "200", *options])


def test_as_it_is_typed(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    out = files[0].parent / "out"
    assert typed(files, "--out", str(out)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-1])) <= 80  # the path may be long
    assert lines[0].startswith("safe/full, seed 0: n 240 in 120 clusters, temperature ")
    assert any(line.startswith("  full − mute_audio") for line in lines)
    assert lines[-1] == f"wrote {out / 'calibration.json'}"
    content = json.loads((out / "calibration.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert len(content["cells"][0]["before"]["bars"]) == 15
    assert content["dev"]["sha256"] != content["test"]["sha256"]
    assert str(out.parent) not in json.dumps(content)


def test_every_format_holds_the_numbers(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for name in ("json", "markdown", "latex", "csv"):
        table = ["--table", "calibration"] if name == "csv" else []
        assert typed(files, "--format", name, *table) == 0
        shown[name] = capsys.readouterr().out
    document = json.loads(shown["json"])
    ece = document["cells"][0]["before"]["ece"]
    first = next(r for r in csv.DictReader(shown["csv"].splitlines()) if r["metric"] == "ECE, equal width")
    assert float(first["before"]) == ece["value"]
    assert float(first["before_low"]) == ece["interval"]["low"]
    assert "| ECE, equal width" in shown["markdown"]
    assert r"\toprule" in shown["latex"]


def test_refusals_are_one_line_and_3(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert typed((files[1], files[1])) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "give another dev set, or force it" in err
    assert typed((files[1], files[1]), "--force") == 0
    assert "flattered" in capsys.readouterr().out
