"""The command `methods`: list the methods that choose images."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from detreduce.cli import completion
from detreduce.cli.options import Json
from detreduce.cli.output import print_json


def methods(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=completion.methods,
            help="Show all facts about this method, with its parameters and an example.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the methods that choose images, with the recommended methods first. With a name, show everything about one
    method.

    Example: detreduce methods
    detreduce methods herding
    """
    from detreduce.reducers import list_reducers
    from detreduce.reducers.catalogue import described

    found = [described(known) for known in ([name] if name is not None else list_reducers())]
    if as_json:
        print_json(asdict(found[0]) if name is not None else [method.declared() for method in found])
        return
    from detreduce.cli.show.methods import show_method, show_methods

    if name is None:
        show_methods(found)
    else:
        show_method(found[0])
