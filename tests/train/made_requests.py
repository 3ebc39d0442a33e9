"""Bodies of requests for completions, with made pictures and sounds."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from safe_eval.models.chat import wav
from safe_train.serve.service import Service

Start = Callable[..., Service]


def question(text: str = "what is there ?", *parts: Any, **fields: Any) -> dict[str, Any]:
    """The body of a request."""
    content = [*parts, {"type": "text", "text": text}]
    return {"model": "safe", "messages": [{"role": "user", "content": content}], **fields}


def picture(side: int = 32, seed: int = 0, kind: str = "png") -> dict[str, Any]:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    url = f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def sound(
    seconds: float = 0.5, seed: int = 0, data: bytes | None = None, kind: str = "wav"
) -> dict[str, Any]:
    samples = np.random.default_rng(seed).normal(0, 0.1, round(8000 * seconds)).astype(np.float32)
    encoded = base64.b64encode(wav(samples, 8000) if data is None else data).decode()
    return {"type": "input_audio", "input_audio": {"data": encoded, "format": kind}}
