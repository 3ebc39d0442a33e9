"""How many parameters the audio pathway has, by preset and design, beside LLaVA-1.5: counted, not computed.

Modules are made on the meta device, so nothing is allocated. An embedding has 512 numbers, as CLAP's.
"""

from dataclasses import replace
from pathlib import Path

from benchmarks.timing import print_line
from safe_train.audit.blueprint import count_pathway
from safe_train.presets import preset_config
from safe_train.settings.pathway import PathwayConfig

EMBEDDING = (512,)
LLAVA = {"llava-1.5-7b": (4096, 32, 7_063_427_072), "llava-1.5-13b": (5120, 40, 13_351_494_656)}
PLAIN = {"input_norm": False, "hidden_norm": False, "token_norm": False, "residual_scale": None}
WITHIN_BUDGET = {
    "16 tokens, bottleneck 256": {"tokens": 16, "bottleneck": 256},
    "8 tokens, bottleneck 1024": {"tokens": 8, "bottleneck": 1024},
    "32 tokens, bottleneck 256": {"tokens": 32, "bottleneck": 256},
}


def main() -> None:
    """Print the counts of the presets, of the two designs, and of shapes within 10 to 50 million."""
    for base, (width, layers, base_parameters) in LLAVA.items():
        for preset in ("baseline", "phase1", "phase2"):
            config = preset_config(preset, shards=(Path("s"),), backbone="b", out=Path("o")).pathway
            config = replace(config, layers=tuple(n for n in config.layers if n <= layers))
            _print(base, preset, config, width, base_parameters)
    width, layers, base_parameters = LLAVA["llava-1.5-13b"]
    published = PathwayConfig(layers=(8, 16, 24, 32), rank=64, heads=8, **PLAIN)
    for tokens in (16, 32):
        for design in ("low_rank", "lora"):
            name = f"{tokens} tokens, rank 64, {design}, no norms"
            _print(
                "llava-1.5-13b",
                name,
                replace(published, tokens=tokens, design=design),
                width,
                base_parameters,
            )
    for name, shape in WITHIN_BUDGET.items():
        config = PathwayConfig(layers=(6, 12, 24), rank=8, heads=8, **shape)
        _print("llava-1.5-13b", name, config, width, base_parameters)


def _print(base: str, name: str, config: PathwayConfig, width: int, base_parameters: int) -> None:
    projector, fusion = count_pathway(config, width=width, shapes=[EMBEDDING])
    total = projector + sum(fusion.values())
    print_line(
        benchmark="sizes",
        base=base,
        pathway=name,
        projector=projector,
        fusion=total - projector,
        total=total,
        percent_of_base=round(100 * total / base_parameters, 3),
    )
