"""Two processes hear half a batch each, and write the gradients that DistributedDataParallel averaged.

`python two_processes.py FOLDER` writes FOLDER/0.safetensors and FOLDER/1.safetensors.
"""

import multiprocessing
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_models import PATCHES, awake_pathway, llava_inputs, sounds, tiny_llava
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from safe_train.pathway.model import AudioPathway, SafeModel

ROWS, PROCESSES = 4, 2
GATES, BUDGETS = [1.0, 0.5, 0.0, 1.0], [8, 4, 8, 0]


def pathway() -> AudioPathway:
    """The pathway of both processes."""
    return awake_pathway(tokens=(4, 8))


def answered(logits: Tensor) -> Tensor:
    """What is minimised: a number per row, added up."""
    return logits[:, PATCHES:].square().mean((1, 2)).sum()


def hear(rank: int, folder: Path) -> None:
    """Hear every second row."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=PROCESSES
    )
    model = SafeModel(tiny_llava(), pathway())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += rank  # only those of the first process count
    wrapped = DistributedDataParallel(model)
    mine = slice(rank, None, PROCESSES)
    inputs = {name: value[mine] for name, value in llava_inputs(ROWS).items()}
    with model.fuse(audio=sounds(ROWS)[mine], gate=GATES[mine], tokens=BUDGETS[mine]):
        (answered(wrapped(**inputs).logits) * PROCESSES).backward()
    save_file({n: p.grad for n, p in model.named_parameters()}, folder / f"{rank}.safetensors")
    distributed.destroy_process_group()


def main(folder: Path) -> int:
    """Run both processes; the exit code is 0 if both ended well."""
    context = multiprocessing.get_context("fork")  # the libraries are imported once
    processes = [context.Process(target=hear, args=(rank, folder)) for rank in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return 0 if [process.exitcode for process in processes] == [0] * PROCESSES else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
