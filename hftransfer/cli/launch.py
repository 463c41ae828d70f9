"""Several training processes on this machine, each running this same command line."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

import typer

from hftransfer.cli.console import INTERRUPTED, err
from hftransfer.errors import InputError
from hftransfer.locate import importing_alike


def launch(
    arguments: Sequence[str], folder: Path, *, resume: bool, processes: int, accelerate_config: Path | None
) -> None:
    """Run `hftransfer run` in several processes and wait. Raises typer.Exit with the code of the one that failed."""
    os.environ.update(importing_alike(os.environ))
    module = [
        "-m",
        "hftransfer",
        "run",
        *arguments,
        "--output",
        str(folder),
        *(["--resume"] if resume else []),
        "--json",
    ]
    if accelerate_config is not None:
        count = ["--num_processes", str(processes)] if processes > 1 else []
        with_accelerate = [
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            "--config_file",
            str(accelerate_config),
        ]
        code = _waited_for([*with_accelerate, *count, *module])
        if code:
            raise typer.Exit(code if code in (1, 2, INTERRUPTED) else 1)
        return
    check_devices(processes)
    # As torchrun does: without a bound every process would start a thread for every core.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    code = _torchrun(module, processes)
    if code:
        raise typer.Exit(code)


def _waited_for(command: Sequence[str]) -> int:
    """The exit code of a command that is sent the SIGTERM that this process gets."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


def check_devices(processes: int) -> None:
    """Raises InputError where there are GPUs, and fewer than processes."""
    import torch

    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise InputError(
            f"{processes} processes are asked for, and this machine has {gpus} GPUs",
            hint=f"give at most {gpus}",
        )


def _torchrun(module: Sequence[str], processes: int) -> int:
    """The exit code of the processes: 0, or that of the first that failed."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed").setLevel(
        logging.CRITICAL
    )  # what failed is said by the process itself
    with tempfile.TemporaryDirectory(prefix="hftransfer-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            monitor_interval=0.1,
            logs_specs=DefaultLogsSpecs(log_dir=logs, redirects=Std.OUT),
        )
        # The result is shown by the process that was asked for it, not by the first of those it starts.
        try:
            elastic_launch(config, sys.executable)(*module)
        except ChildFailedError as error:
            codes = [failure.exitcode for _, failure in sorted(error.failures.items())]
            return next((code for code in codes if code in (1, 2, INTERRUPTED)), 1)
        except (SignalException, KeyboardInterrupt):
            err.print("interrupted", style="bold yellow")
            return INTERRUPTED
    return 0
