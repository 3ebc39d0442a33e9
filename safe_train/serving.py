"""Serving: the command that answers chat completions with a checkpoint."""

from pathlib import Path

from safe_data.core.command import HOLDS
from safe_data.core.errors import require_extra
from safe_train.settings.serve import ServeConfig


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
