"""Two processes train as one does: the same losses, one set of files, one set of printed lines."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tiny_runs import differing, files_of, lines_of

from safe_train.presets import preset_config
from safe_train.stages.stage_a import stage_a

OPTIONS = {"steps": 8, "batch_size": 21, "rows_per_forward": 4, "eval_steps": 4, "checkpoint_steps": 3}
SCRIPT = "import sys\nfrom safe_train.cli import main\nsys.exit(main())\n"


class Processes:
    """Two processes that train together, by torchrun on the CPU."""

    def __init__(
        self, shards: tuple[Path, ...], backbone: Path, out: Path, script: Path, **options: object
    ) -> None:
        script.write_text(SCRIPT)
        chosen = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        words = ["stage-a", *map(str, shards), "--config=demo", f"--backbone={backbone}", f"--out={out}"]
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        self._process = subprocess.Popen(
            [*launcher, str(script), *words, *chosen],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: the exit code, and what was printed as output and as errors."""
        try:
            printed, errors = self._process.communicate(timeout=120)
        finally:
            self._process.terminate()
        return self._process.returncode, printed, errors

    def stop(self, number: signal.Signals, log: Path, lines: int) -> str:
        """Send a signal to all processes when a log has so many lines; return the errors."""
        deadline = time.monotonic() + 90
        while self._process.poll() is None and time.monotonic() < deadline:
            if log.is_file() and log.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.005)
        if number == signal.SIGKILL:
            workers = psutil.Process(self._process.pid).children()  # torchrun forwards other signals
            self._process.kill()
            for worker in workers:
                worker.kill()
        else:
            self._process.send_signal(number)
        return self.end()[2]


def test_two_processes_train_as_one(audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path) -> None:
    both, one, two = (audio_only, vl_only), tmp_path / "one", tmp_path / "two"
    options = OPTIONS | {"tokens": [2, 4]}
    processes = Processes(both, untaught, two, tmp_path / "run.py", **options)
    stage_a(preset_config("demo", shards=both, backbone=untaught, out=one, quiet=True, **options))
    code, printed, errors = processes.end()
    assert code == 0, errors
    starts = (f"{two}: 108,928 parameters", "  last batch, in nats", "  last evaluation, on the")
    starts += ("  VL, an irrelevant sound  ", "  VL, silence  ", "  16 questions cannot show")
    for line, start in zip(printed.splitlines(), starts, strict=True):
        assert line.startswith(start)
    assert len(re.findall(r"stage A 8/8 ", errors)) == 1
    assert set(files_of(two)) == set(files_of(one))
    assert (two / "run/tensorboard/safe").is_dir()
    alone, together = (lines_of(folder / "losses.jsonl") for folder in (one, two))
    assert len(together) == 8
    for first, second in zip(alone, together, strict=True):
        for name in ("loss", "cross_entropy", "distillation", "gradient_norm"):
            assert second[name] == pytest.approx(first[name], rel=1e-5, abs=1e-5)
        assert second["counts"] == first["counts"]
        assert second["audio_tokens"] == first["audio_tokens"]
    assert {line["audio_tokens"] for line in together} == {2, 4}
    assert (one / "epochs.jsonl").read_bytes() == (two / "epochs.jsonl").read_bytes()
    for first, second in zip(*(lines_of(out / "evaluations.jsonl") for out in (one, two)), strict=True):
        assert second == pytest.approx(first, abs=1e-5)


@pytest.mark.slow  # twenty seconds each; two processes that train a pathway are tried every time
@pytest.mark.parametrize("preset", ["lora_only", "full_finetune"])
def test_two_processes_train_a_base_as_one(
    preset: str, audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    """With passes that have no picture, where the projector of pictures has no part."""
    both, one, two = (audio_only, vl_only), tmp_path / "one", tmp_path / "two"
    options = OPTIONS | {"kl_weight": 1.0, "lora_dropout": 0.0, "base_lr": 0.001, "tracker": "none"}
    processes = Processes(both, untaught, two, tmp_path / "run.py", config=preset, **options)
    known = options | {"tracker": ("none",), "quiet": True}
    stage_a(preset_config("demo", preset, shards=both, backbone=untaught, out=one, **known))
    code, _, errors = processes.end()
    assert code == 0, errors
    assert set(files_of(two)) == set(files_of(one))
    alone, together = (lines_of(folder / "losses.jsonl") for folder in (one, two))
    for first, second in zip(alone, together, strict=True):
        for name in ("loss", "cross_entropy", "distillation", "gradient_norm"):
            assert second[name] == pytest.approx(first[name], rel=1e-5, abs=1e-5)
        assert second["gradient_norms"]["base"] == pytest.approx(first["gradient_norms"]["base"], rel=1e-4)
        assert first["gradient_norms"]["base"] > 0
    for first, second in zip(*(lines_of(out / "evaluations.jsonl") for out in (one, two)), strict=True):
        assert second == pytest.approx(first, abs=1e-5)


@pytest.mark.slow
def test_stopped_processes_go_on_together(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    options = OPTIONS | {"steps": 40, "dropout": 0.2, "tracker": "none"}

    def processes(name: str) -> Processes:
        return Processes((audio_only, vl_only), untaught, tmp_path / name, tmp_path / "run.py", **options)

    code, _, errors = processes("whole").end()
    assert code == 0, errors
    log = tmp_path / "parts/losses.jsonl"
    processes("parts").stop(signal.SIGKILL, log, 8)
    assert not (tmp_path / "parts/config.json").exists()
    errors = processes("parts").stop(signal.SIGTERM, log, 16)
    assert "safe-train stage-a: interrupted; run the same command again" in errors
    reached = len(lines_of(log))
    assert 16 <= reached < 40
    assert (tmp_path / f"parts/run/step-{reached}").is_dir()
    ranks = {file.stem.partition("-")[2] for file in (tmp_path / "parts/run/teacher").iterdir()}
    assert ranks == {"0", "1"}
    code, _, errors = processes("parts").end()
    assert code == 0, errors
    assert differing(tmp_path / "whole", tmp_path / "parts") == []
