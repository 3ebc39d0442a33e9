"""safe-train parity as it is typed: by a preset or a run's options, in 80 columns, with its exit codes."""

from pathlib import Path

import pytest

from safe_train.cli import main
from safe_train.parity import parity_text
from safe_train.parity.timing import TimeRatio

QUICK = ("--samples=6", "--repeats=8", "--quiet", "--seeds", "0", "1")


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which a closed gate takes exactly as long."""
    steady = TimeRatio(1.0, 0.995, 1.004, 3, 0.1)
    monkeypatch.setattr("safe_train.parity.parity.time_ratio", lambda *_, **__: steady)


def typed(vl_only: Path, untaught: Path, *more: str) -> int:
    words = ["parity", "--config", "demo", f"--backbone={untaught}", f"--data={vl_only}"]
    return main([*words, *more, *QUICK])


def test_what_is_printed(
    vl_only: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "parity.json"
    assert typed(vl_only, untaught, f"--out={out}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert lines[0].startswith("LlavaForConditionalGeneration (294,")
    found = {line[2:21].strip(): line[21:36].strip() for line in lines if line[:3].strip() and line[0] == " "}
    names = ("logits", "control", "generations", "checksums", "weights", "time, forward", "time, generation")
    assert found == dict.fromkeys(names, "holds") | {"memory": "no limit"}
    assert "  generations        holds          12 of 12 have the base's tokens" in lines
    assert lines[-2:] == ["The closed gate leaves the base as it was.", f"wrote {out}"]
    assert typed(vl_only, untaught, f"--out={out}") == 3
    assert capsys.readouterr().err.endswith(
        "is there already; name another file, or add --force to replace it\n"
    )


def test_the_options_of_a_run_may_be_given(
    vl_only: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its other sections are passed over, but not what no run would have."""
    options = tmp_path / "options.yaml"
    options.write_text(
        f"data: {{shards: [x]}}\nbackbone: {{source: {untaught}}}\npathway: {{layer: [2], tokens: 3}}\n"
        "run: {out: x, seed: 4}\noptim: {epochs: 2}\n"
    )
    words = ["parity", f"--config={options}", f"--data={vl_only}", *QUICK]
    assert main(words) == 0
    options.write_text(options.read_text().replace("epochs", "epoch"))
    capsys.readouterr()
    assert main(words) == 3
    assert "optim.epoch is no option; did you mean 'epochs'?" in capsys.readouterr().err


def test_noise_is_said_and_strictly_not_judged(
    vl_only: Path, untaught: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = TimeRatio(1.02, 0.97, 1.07, 3, 0.1)
    monkeypatch.setattr("safe_train.parity.parity.time_ratio", lambda *_, **__: noisy)
    assert typed(vl_only, untaught) == 0
    said = capsys.readouterr().out
    assert "pairs; no number would show it)" in " ".join(said.split())
    assert said.endswith(
        "The closed gate leaves the base as it was.\n"
        "Not shown: time, forward and time, generation; more --repeats may.\n"
    )
    assert typed(vl_only, untaught, "--strict-time") == 2
    assert capsys.readouterr().out.endswith(
        "It could not be judged whether the closed gate leaves the base as it was.\n"
    )


def test_sizes() -> None:
    sizes = [parity_text._size(count) for count in (0, 999, 1000, 440_000, 26_100_000_000)]
    assert sizes == ["0 B", "999 B", "1 kB", "440 kB", "26.1 GB"]
