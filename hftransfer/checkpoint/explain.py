"""transformers' loading errors, in the words of this project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hftransfer.errors import CheckpointError


@contextmanager
def explained(name: str, task: str) -> Iterator[None]:
    """transformers' loading errors, in the words of this project."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise CheckpointError(
            f"checkpoint {name}: its weights cannot be read ({error})",
            hint="is the file whole? copy it again",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise explanation(name, task, error) from error


def explanation(name: str, task: str, error: Exception) -> CheckpointError:
    """What an error of transformers means for the user who named the checkpoint."""
    text = str(error)
    if brings_code(text):
        return CheckpointError(
            f"checkpoint {name} brings its own Python code, which is never run",
            hint="choose a checkpoint whose architecture is part of transformers",
        )
    if "does not recognize this architecture" in text or "Unrecognized model" in text:
        return CheckpointError(
            f"checkpoint {name} has an architecture that this transformers does not know: {first_line(text)}",
            hint="is model_type in its config.json right? a newer version may know it: pip install -U transformers",
        )
    if "Unrecognized configuration class" in text:
        return CheckpointError(
            f"checkpoint {name} cannot do {task}: transformers has no such head for its architecture"
        )
    if isinstance(error, OSError) and "model.safetensors" in text:
        return CheckpointError(
            f"checkpoint {name} has no safetensors weights on the Hub; other kinds can run code when they are read",
            hint="choose another revision or checkpoint, or convert it once with transformers: save_pretrained(FOLDER)",
        )
    if isinstance(error, OSError):
        return CheckpointError(
            f"checkpoint {name}: no folder of that name is here, and it could not be had from the Hugging Face Hub "
            f"({first_line(text)})",
            hint="check the name and the network; for a private one log in with `hf auth login`; "
            "for files on disk write the folder's path",
        )
    return CheckpointError(f"checkpoint {name} cannot be loaded: {type(error).__name__}: {first_line(text)}")


def brings_code(text: str) -> bool:
    """Whether transformers refused because the checkpoint comes with code."""
    return "trust_remote_code" in text or "contains custom code" in text


def first_line(text: str) -> str:
    """The first line of a message that may have many."""
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
