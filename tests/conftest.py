"""Shared fixtures, and the surroundings every test runs in: no hub, one thread, no progress bars."""

from __future__ import annotations

import os

# Before torch and transformers are imported anywhere. One thread: CPU results depend on how many there are.
os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
)

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import make_checkpoint

pytest_plugins = ["hub.fixture"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--network", action="store_true", help="run the tests that need the real Hugging Face hub"
    )
    parser.addoption("--long", action="store_true", help="run every combination of task, strategy and family")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--network"):
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            del os.environ[name]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_network = pytest.mark.skip(reason="needs the Hugging Face hub: run with --network")
    no_gpu = pytest.mark.skip(reason="needs a CUDA device, and this machine has none")
    gpu_tests = [item for item in items if "gpu" in item.keywords]
    if gpu_tests and not _has_gpu():
        for item in gpu_tests:
            item.add_marker(no_gpu)
    if not config.getoption("--long"):
        long = pytest.mark.skip(reason="one of many combinations like it: run with --long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(long)
    if not config.getoption("--network"):
        for item in items:
            if "network" in item.keywords:
                item.add_marker(no_network)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test finds what another program, or the user, has kept."""
    os.environ["HFTRANSFER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """tiny_checkpoint(family, **options of make_checkpoint) -> its folder, made once and only to be read."""
    root = tmp_path_factory.mktemp("checkpoints")
    made: dict[str, Path] = {}

    def get(family: str, **options: object) -> Path:
        key = "-".join([family, *(f"{name}={options[name]}" for name in sorted(options))])
        if key not in made:
            made[key] = make_checkpoint(family, root / key.replace("/", "_"), **options)  # type: ignore[arg-type]
        return made[key]

    return get
