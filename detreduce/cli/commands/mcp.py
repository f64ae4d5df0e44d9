"""The command `mcp`: serve four commands to agents over the Model Context Protocol."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli.help import DATA, OUTPUT
from detreduce.cli.options import Cache, Json
from detreduce.cli.output import begin_output, print_json
from detreduce.errors import InputError


def mcp(
    root: Annotated[
        Path,
        typer.Option(
            "--root",
            metavar="FOLDER",
            help="Folder of the datasets. The server reads and writes only below this folder.",
            rich_help_panel=DATA,
        ),
    ],
    cache: Cache = None,
    allow_weights: Annotated[
        bool,
        typer.Option(
            "--allow-weights",
            help="Load weights below the root if a client names them. Weights can run code.",
            rich_help_panel=DATA,
        ),
    ] = False,
    allow_overwrite: Annotated[
        bool,
        typer.Option(
            "--allow-overwrite",
            help="Replace output folders that detreduce wrote and nobody changed.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Serve inspect, reduce, explain and plan to agents over the Model Context Protocol (MCP), on stdin and stdout.

    A client starts this command, for instance an editor or a program with a language model. With --json, print the
    tools with their inputs, and do not serve.

    Example: detreduce mcp --root datasets/
    """
    from detreduce.cli.server.limits import Limits

    limits = Limits.of(root, overwrite=allow_overwrite, weights=allow_weights, cache=cache)
    if find_spec("mcp") is None:
        raise InputError('The package mcp is not installed: pip install "detreduce[mcp]".')
    from detreduce.cli.server.tools import make_server

    server = make_server(limits)
    if as_json:
        import anyio

        tools = anyio.run(server.list_tools)
        print_json({"root": str(limits.root), "tools": [tool.model_dump(mode="json", by_alias=True) for tool in tools]})
        return
    begin_output()
    server.run("stdio")
