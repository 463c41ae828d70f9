"""hftransfer env: what this machine brings."""

from __future__ import annotations

from hftransfer.cli.arguments import AsJson
from hftransfer.cli.console import command, out, print_json


@command
def command_line(as_json: AsJson = False) -> None:
    """Print versions and hardware, as a bug report needs them."""
    import hftransfer
    from hftransfer.recipe import TrainingSection
    from hftransfer.training.compute import describe_machine, make_accelerator

    facts = {"hftransfer": hftransfer.__version__, **describe_machine(make_accelerator(TrainingSection()))}
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            for package, number in value.items():
                out.print(f"{package:<14}{number}", markup=False)
        else:
            out.print(
                f"{name:<14}{', '.join(value) or 'none' if isinstance(value, list) else value}", markup=False
            )
