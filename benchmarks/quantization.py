"""`safe-train precision`: what each precision of the toy costs, and what it does to a matrix of a real size.

The toy is 64 wide, and its steps take longer than its arithmetic: its times say little about larger models.
So a linear layer as wide as those of a model of 7 billion parameters is timed as well, and one that rounds
its inputs too, which SAFE does not offer.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.predict import make_world
from benchmarks.timing import print_line
from safe_train.base.int8 import to_int8
from safe_train.parity.memory import bytes_of
from safe_train.parity.timing import ratio_of
from safe_train.precision.precision import compare_precisions
from safe_train.precision.precision_text import conclusion, flat_of
from safe_train.profiling.ladder import in_turns
from safe_train.profiling.quantiles import quantile_of

WIDTH, ROWS, REPEATS = 4096, (1, 32), 15


def main() -> None:
    """Measure all precisions on the toy, and then the matrix."""
    print_line(benchmark="quantization", **describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(folder)
        out = folder / "precision"
        found = compare_precisions(world.adapter, world.shards, backbone=world.backbone, out=out)
    for row in found.rows:
        print_line(benchmark="quantization", what="the toy", loads=found.machine.loads, **flat_of(row))
    print_line(benchmark="quantization", exit_code=found.exit_code, says=conclusion(found))
    for rows in ROWS:
        _matrix(rows)


def _matrix(rows: int) -> None:
    """Time a linear layer at each precision, in turns."""
    import torch

    layers = {name: make() for name, make in _LAYERS.items()}
    inputs = torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(0))
    ways = [partial(_multiply, layer, inputs.to(layer.weight.dtype)) for layer in layers.values()]
    for way in ways:
        way()
    taken = dict(zip(layers, in_turns(ways, REPEATS), strict=True))
    first = next(iter(taken.values()))
    for name, seconds in taken.items():
        ratio = ratio_of(list(zip(first, seconds, strict=True)))
        print_line(
            benchmark="quantization",
            what=f"a linear layer {WIDTH} wide, {rows} rows",
            precision=name,
            ms=quantile_of(seconds).scaled(1000).value,
            times_float32=None if seconds is first else [ratio.low, ratio.ratio, ratio.high],
            weight_mb=bytes_of(layers[name]) / 1e6,
        )


def _multiply(layer: Any, inputs: Any) -> None:
    import torch

    with torch.no_grad():
        layer(inputs)


def _linear(dtype: str = "float32") -> Any:
    import torch

    torch.manual_seed(0)
    layer = torch.nn.Linear(WIDTH, WIDTH, bias=False)
    return layer.requires_grad_(False).to(getattr(torch, dtype))


def _int8() -> Any:
    layer = _linear()
    to_int8(layer)
    return layer


def _int8_inputs_too() -> Any:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    layer = _linear()
    quantize_(layer, Int8DynamicActivationInt8WeightConfig(set_inductor_config=False))
    return layer


_LAYERS: dict[str, Callable[[], Any]] = {
    "float32": _linear,
    "bfloat16": partial(_linear, "bfloat16"),
    "float16": partial(_linear, "float16"),
    "int8": _int8,
    "int8, inputs too": _int8_inputs_too,
}
