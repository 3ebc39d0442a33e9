"""The commands that bring a checkpoint to others: precision, export, serve."""

from pathlib import Path

from safe_data.core.command import HOLDS
from safe_data.core.errors import require_extra
from safe_data.core.terminal import say, wrote
from safe_train.settings.export import ExportConfig
from safe_train.settings.precision import PrecisionConfig
from safe_train.settings.serve import ServeConfig


def precision(checkpoint: Path, shards: Path, *, backbone: str, out: Path, config: PrecisionConfig) -> int:
    """Measure what a checkpoint's answers, time and memory cost at each precision that runs here.

    Exit code 0 if a closed gate leaves each base as it is at its precision, to the bit; 1 if not, 2 if that
    is not known. A precision that cannot run here has a row that says why.

    Args:
        checkpoint: folder written by `safe-train stage-a`
        shards: folder of the dataset that is asked
        backbone: model the checkpoint was trained for, as a directory or a hub id; any other is refused
        out: folder of precision.json, precision.md and precision.csv

    Examples:
        safe-train precision runs/mine/adapter runs/mine/shards --backbone runs/base --out runs/precision
        safe-train precision runs/mine/adapter runs/mine/shards --backbone runs/base --out runs/int8 \
--precision bfloat16 int8
    """
    from safe_train.precision.precision import CSV, TABLES, compare_precisions
    from safe_train.precision.precision_text import precision_lines
    from safe_train.precision.result import PRECISION

    found = compare_precisions(checkpoint, shards, backbone=backbone, out=out, config=config)
    say(precision_lines(found))
    wrote([out / PRECISION, out / TABLES, out / CSV])
    return found.exit_code


def export(checkpoint: Path, *, out: Path, config: ExportConfig) -> None:
    """Write a checkpoint's pathway as a folder for others, with a model card; load_safe loads it again.

    Its weights, configuration and gate are there, and nothing of this machine. No code is.

    Args:
        checkpoint: folder written by `safe-train stage-a`
        out: folder to publish, such as the repository of a model on the Hugging Face Hub

    Examples:
        safe-train export runs/mine/adapter --out runs/export --license apache-2.0
        safe-train export runs/mine/adapter --out runs/published --scores runs/mine --base-model ORG/BASE
    """
    from safe_train.export.export import export_checkpoint

    wrote(export_checkpoint(checkpoint, out, config))


def serve(checkpoint: Path, *, backbone: str, config: ServeConfig) -> int:
    """Answer OpenAI's chat completions with a checkpoint, and say what its gate decided.

    Ctrl-C and SIGTERM stop it when it has answered what it accepted. SAFE_SERVE_API_KEY in the environment is
    the key that requests must send (default: none).

    Args:
        checkpoint: folder written by `safe-train stage-a`
        backbone: model the checkpoint was trained for, as a directory or a hub id; any other is refused

    Examples:
        safe-train serve runs/mine/adapter --backbone runs/base --port 8000
        safe-train serve runs/mine/adapter --backbone runs/base --gate always --tokens 4 --batch-size 16
    """
    # The command line has checked the libraries of `train`.
    require_extra("safe-train serve", "train,serve", "fastapi", "uvicorn", "prometheus_client")
    from safe_train.serve.server import serve_checkpoint

    serve_checkpoint(checkpoint, backbone=backbone, config=config)
    return HOLDS
