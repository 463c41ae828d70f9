"""Devices, processes and precision, all through Accelerate; seeds; memory."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs

from hftransfer.errors import InputError
from hftransfer.recipe import TrainingSection

CPU_THREADS = torch.get_num_threads()
"""Of everything but heads that are trained on features: see `threads`."""

# What a run's numbers depend on, as its environment.json names them.
PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "datasets",
    "tokenizers",
    "safetensors",
    "numpy",
    "scikit-learn",
    "pillow",
)


def make_accelerator(training: TrainingSection) -> Accelerator:
    """Accelerate as the recipe and the launcher (none, torchrun, accelerate launch) want it.

    `precision: auto` is bf16 where the GPU computes in it, else fp32.
    """
    capable = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if training.precision == "bf16" and torch.cuda.is_available() and not capable:
        raise InputError(
            "training.precision is bf16, which this GPU does not compute in", hint="write fp32 or auto"
        )
    _keep_freed_memory()
    bf16 = training.precision == "bf16" or (training.precision == "auto" and capable)
    if AcceleratorState._shared_state:
        # A second run in one Python process may want another precision; Accelerate keeps the first one's otherwise.
        AcceleratorState._reset_state()
    # Some architectures hold weights that a forward pass does not reach (DINOv2's mask token).
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    compute = Accelerator(
        mixed_precision="bf16" if bf16 else "no",
        # Without this, Accelerate starts no process group on a machine that has only CPUs.
        cpu=not torch.accelerator.is_available(),
        kwargs_handlers=[unused],
    )
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if compute.num_processes != started:
        raise InputError(
            f"{started} processes were started, but Accelerate has joined {compute.num_processes}",
            hint="start them with `hftransfer run --processes N`, torchrun or accelerate launch",
        )
    return compute


def _keep_freed_memory() -> None:
    """Tell the C library to reuse large freed blocks instead of giving each back to the system at once.

    A CPU training step frees and asks for the same hundreds of megabytes again; fetched anew from the system they
    cost a page fault every 4 KiB. MobileNetV2 trains at 28 images/s instead of 14 with this, BERT as before.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it; musl does not
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)


def seed_everything(*key: int) -> None:
    """Seed torch (every device) and numpy's global generator with a pure function of the key.

    Called with (seed, rank, step) before every optimizer step, it makes dropout independent of what ran before:
    a resumed run needs no saved random state. numpy's is what wav2vec2 and its kin draw masks of spans from.
    """
    seeds = np.random.SeedSequence(key)
    seed = int(seeds.generate_state(1, np.uint64)[0])
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        # Without a device, torch.manual_seed notes for every kind of it that it is to be seeded once there is one,
        # with a traceback: a millisecond and a few kilobytes more at every step.
        torch.default_generator.manual_seed(seed)
    np.random.seed(seeds.generate_state(4))


def forget_peak_memory() -> bool:
    """Let `peak_memory` tell of what comes from here on, and give freed memory back. False where that cannot be done,
    and it goes on telling of all that was."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return True
    if sys.platform != "linux":
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak of the resident set
    except OSError:
        return False
    return True


def peak_memory() -> int:
    """The most memory used so far, in bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    with suppress(OSError):  # rusage keeps the peak of before `forget_peak_memory`
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def describe_machine(compute: Accelerator) -> dict[str, Any]:
    """What a run is made with: the versions and hardware that its numbers depend on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": compute.device.type,
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "processes": compute.num_processes,
        "precision": "bf16" if compute.mixed_precision == "bf16" else "fp32",
        "cpu_cores": os.cpu_count(),
        "cpu_threads": CPU_THREADS,
    }


@contextmanager
def threads(count: int) -> Iterator[None]:
    """torch computes on so many threads of the CPU meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
