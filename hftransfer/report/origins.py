"""What a model was made from, by the names that others can know it by: Hub ids, and of what is here its last name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from hftransfer.checkpoint import find_checkpoint
from hftransfer.errors import InputError
from hftransfer.locate import MODEL_CARD, PREFIX
from hftransfer.recipe import MEMORY, read_recipe
from hftransfer.report.markdown import Markdown, escaped
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

HUB = "https://huggingface.co/"


@dataclass(frozen=True)
class Origin:
    """name: short. hub: its id, where it is on the Hub. told: what it is, in a few words of Markdown."""

    name: str
    hub: str | None
    told: Markdown


def hub_id(name: Any) -> str | None:
    """The name, where it is one of the Hub: in a finished run, those of files and folders are absolute."""
    if not isinstance(name, str) or Path(name).is_absolute():
        return None
    try:
        validate_repo_id(name)
    except HFValidationError:
        return None
    return name


def checkpoint_origin(checkpoint: Mapping[str, Any]) -> Origin:
    """checkpoint: as result.json has it."""
    if checkpoint.get("random_weights"):
        origin = checkpoint_origin({**checkpoint, "random_weights": False})
        return replace(origin, told=Markdown(f"random weights in the architecture of {origin.told}"))
    name = str(checkpoint["name"])
    if hub := hub_id(name):
        return Origin(name, hub, Markdown(f"[{hub}]({HUB}{hub})"))
    if name.startswith(PREFIX):
        return Origin(name, None, Markdown(f"{escaped(name)}, which lies inside a Python package"))
    what = "the model of another run" if "from" in checkpoint else "a local folder"
    return Origin(Path(name).name, None, Markdown(f"{escaped(Path(name).name)}, {what}"))


def chain(checkpoint: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The runs that a checkpoint comes from, the last one first; each as `checkpoint.made_by` has it."""
    while made_by := checkpoint.get("from"):
        yield made_by
        checkpoint = made_by["checkpoint"]


def base_model(checkpoint: Mapping[str, Any]) -> str | None:
    """The Hub id that a model descends from, by no other model or by those of local runs."""
    every = [checkpoint, *(one["checkpoint"] for one in chain(checkpoint))]
    kept = takewhile(
        lambda one: not one.get("random_weights"), every
    )  # of what has none of its weights it is no model
    return next((hub for one in kept if (hub := hub_id(one["name"]))), None)


def data_origin(result: Result) -> Origin:
    """Where the rows come from. Those that were in memory have no name."""
    source = read_recipe(RunDirectory(result.run_dir).recipe).value["data"]["source"]
    if hub := hub_id(source):
        return Origin(hub, hub, Markdown(f"[{hub}]({HUB}datasets/{hub})"))
    if isinstance(source, str) and source.startswith(MEMORY):
        rows = escaped(source.removeprefix(MEMORY))
        return Origin("rows in memory", None, Markdown(f"rows that were in memory ({rows}) and have no name"))
    names = ", ".join(dict.fromkeys(_last_names(source)))
    many = "local files" if isinstance(source, list | dict) else "a local file or folder"
    return Origin(names, None, Markdown(f"{escaped(names)}, {many}"))


def _last_names(source: Any) -> Iterator[str]:
    parts = source.values() if isinstance(source, Mapping) else source if isinstance(source, list) else None
    if parts is None:
        yield Path(str(source)).name
    for part in parts or ():
        yield from _last_names(part)


def without_places(text: str, result: Result) -> str:
    """Text with the folders of this machine left out: what lies in them is called by its last name."""
    document = read_recipe(RunDirectory(result.run_dir).recipe).value
    every = [result.checkpoint, *(one["checkpoint"] for one in chain(result.checkpoint))]
    places = [str(one["name"]) for one in every] + [*_places(document["data"]["source"])]
    for place in sorted((one for one in places if Path(one).is_absolute()), key=len, reverse=True):
        text = text.replace(place, Path(place).name)
    return text.replace(f"{Path.home()}/", "~/")


def _places(source: Any) -> Iterator[str]:
    if isinstance(source, str):
        yield source
    for part in (
        source.values() if isinstance(source, Mapping) else source if isinstance(source, list) else ()
    ):
        yield from _places(part)


def said_by_checkpoint(result: Result) -> dict[str, Any]:
    """The front matter of the checkpoint's own card; nothing where it has none, or is no longer here."""
    section = result.recipe.checkpoint
    try:
        location = find_checkpoint(section)
    except InputError:
        return {}
    if Path(location).is_dir():
        return _front_matter(Path(location) / MODEL_CARD)
    return _front_matter(try_to_load_from_cache(location, MODEL_CARD, revision=section.revision))


def said_by_dataset(result: Result) -> dict[str, Any]:
    """The same of a Hub dataset's card, which `datasets` fetches with the rows."""
    hub = data_origin(result).hub
    if hub is None:
        return {}
    where = try_to_load_from_cache(hub, MODEL_CARD, repo_type="dataset", revision=result.recipe.data.revision)
    return _front_matter(where)


def _front_matter(file: Any) -> dict[str, Any]:
    """file: a path, or what huggingface_hub says where there is none. A card that cannot be read says nothing."""
    import yaml
    from huggingface_hub.repocard import metadata_load

    if not isinstance(file, str | Path) or not Path(file).is_file():
        return {}
    try:
        return metadata_load(file) or {}
    except (ValueError, OSError, yaml.YAMLError):  # somebody else's file, and not what the run is about
        return {}
