"""The tools of the server: each of them checks its paths, and then runs one command of detreduce."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field, ValidationError

from detreduce.cli.contracts import CONTRACTS
from detreduce.cli.exit_codes import BAD_INPUT
from detreduce.cli.server.child import Answer, run_command
from detreduce.cli.server.limits import BACKBONE, Limits
from detreduce.errors import InputError, MissingFileError, nearest
from detreduce.version import __version__

Result = Annotated[CallToolResult, dict[str, Any]]
Value = TypeVar("Value")

Data = Annotated[
    str, Field(description="The dataset: a data.yaml, an annotation file or a folder of any format, below the root.")
]
Images = Annotated[
    str | None, Field(description="For COCO, CVAT and Label Studio: the folder of images, if it is not found.")
]
Split = Annotated[str | None, Field(description="train (the default), val, test or another split.")]
Every = Annotated[str | None, Field(description="For videos: one frame every 0.5s (seconds) or every 10 (frames).")]
Keep = Annotated[
    str | float | int,
    Field(description="A fraction (0.25), a number of images (500), or all (all except near-duplicates)."),
]
Method = Annotated[str, Field(description="auto, or a method that `detreduce methods` lists.")]
Parameters = Annotated[
    dict[str, str | float | int | bool] | None, Field(description='Parameters of the method: {"start": "center"}.')
]
Floors = Annotated[
    list[str] | None,
    Field(description="Images to keep at least: 3 for every class, or bus=10 for one class."),
]
_INSTRUCTIONS = """Clean and reduce datasets for object detection. Paths are relative to {root}, and nothing outside it
is read or written. No tool changes a dataset: reduce writes a new folder. Call inspect first, then reduce. Lists with
more than 100 entries are cut, and left_out says by how many. {overwrite} {weights}"""


class Server(MCPServer):
    """A server whose errors about arguments are one sentence, in the same form as other errors."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool. Unknown and wrong arguments give an error, not an exception."""
        known = next(
            (list(tool.input_schema["properties"]) for tool in await self.list_tools() if tool.name == name), None
        )
        if known is None:
            tools = [tool.name for tool in await self.list_tools()]
            return _refuse(f"There is no tool {name!r}.{nearest(name, tools)} Tools: {', '.join(tools)}.")
        if unknown := [argument for argument in arguments if argument not in known]:
            return _refuse(
                f"The tool {name} has no argument {unknown[0]!r}.{nearest(unknown[0], known)} "
                f"Arguments: {', '.join(known)}."
            )
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            wrong = error.__cause__.errors()[0]
            return _refuse(f"The argument {str(wrong['loc'][0])!r} of {name} is wrong: {wrong['msg']}.")


def make_server(limits: Limits) -> MCPServer:
    """Return the server with its tools. It does not serve yet."""
    instructions = _INSTRUCTIONS.format(
        root=limits.root,
        overwrite="Outputs of detreduce may be replaced." if limits.overwrite else "An existing output is an error.",
        weights="Weights below the root may be loaded." if limits.weights else "No weights are loaded.",
    )
    server = Server("detreduce", version=__version__, instructions=" ".join(instructions.split()), log_level="WARNING")
    for add in (_add_inspect, _add_reduce, _add_explain, _add_plan):
        add(server, limits)
    return server


def _add_inspect(server: MCPServer, limits: Limits) -> None:
    @server.tool(description=_describe("inspect"), annotations=_hints("inspect"))
    async def inspect(
        context: Context,
        data: Data,
        split: Split = None,
        images: Images = None,
        every: Every = None,
        check_images: Annotated[
            bool, Field(description="Open every image: damage, duplicates, leaks. Slower.")
        ] = False,
        epochs: Annotated[int | None, Field(description="Planned number of epochs, for the advice.", ge=1)] = None,
    ) -> Result:
        """Run ``detreduce inspect``."""

        def words() -> list[str]:
            """Return the command line, after its paths were checked."""
            options = {"split": split, "every": every, "epochs": epochs, **_images(limits, images)}
            flags = ["--check-images"] * check_images
            return ["inspect", str(limits.find_input(data, "dataset")), *_options(options), *flags]

        return await _call(words, limits, context)


def _add_reduce(server: MCPServer, limits: Limits) -> None:
    @server.tool(description=_describe("reduce"), annotations=_hints("reduce", limits))
    async def reduce(
        context: Context,
        data: Data,
        output: Annotated[str, Field(description="A new folder below the root.")],
        keep: Keep = 0.25,
        method: Method = "auto",
        parameters: Parameters = None,
        seed: Annotated[int, Field(description="Seed of every random choice.", ge=0)] = 0,
        split: Split = None,
        images: Images = None,
        every: Every = None,
        categories: Annotated[
            str, Field(description="How to group images: rarest, dominant, combination, none or video.")
        ] = "rarest",
        backbone: Annotated[
            str, Field(description=f"{BACKBONE}, file:VECTORS, or with --allow-weights yolo:WEIGHTS.")
        ] = BACKBONE,
        drop_duplicates: Annotated[
            bool | None, Field(description="Leave out near-duplicates first. Default: only with the method auto.")
        ] = None,
        drop_leaked: Annotated[bool, Field(description="Leave out images that are also in val or test.")] = False,
        class_floor: Floors = None,
        link: Annotated[
            Literal["hardlink", "symlink", "copy", "list"], Field(description="How to put images into the output.")
        ] = "hardlink",
        page: Annotated[bool, Field(description="Write selection.html with pictures into the output.")] = True,
    ) -> Result:
        """Run ``detreduce reduce``."""

        def words() -> list[str]:
            """Return the command line, after its paths were checked."""
            options = {
                "output": limits.find_output(output), "keep": keep, "method": method, "seed": seed, "split": split,
                "every": every, "categories": _rule(categories), "backbone": limits.find_backbone(backbone),
                "link": link, **_images(limits, images),
            }  # fmt: skip
            found = ["reduce", str(limits.find_input(data, "dataset")), *_parameters(parameters or {})]
            found += _options(options) + [f"--class-floor={floor}" for floor in class_floor or []]
            found += [] if drop_duplicates is None else [f"--{'drop' if drop_duplicates else 'keep'}-duplicates"]
            found += ["--drop-leaked"] * drop_leaked + ["--no-page"] * (not page)
            return [*found, *["--overwrite"] * limits.overwrite]

        return await _call(words, limits, context)


def _add_explain(server: MCPServer, limits: Limits) -> None:
    @server.tool(description=_describe("explain"), annotations=_hints("explain"))
    async def explain(
        context: Context,
        selection: Annotated[str, Field(description="A selection.json, or the folder that contains it.")],
        image: Annotated[str, Field(description="Name or id of the image, or the end of its path.", min_length=1)],
        data: Annotated[str | None, Field(description="The dataset, if it was moved after the selection.")] = None,
        images: Images = None,
    ) -> Result:
        """Run ``detreduce explain``."""

        def words() -> list[str]:
            """Return the command line, after its paths were checked."""
            place = None if data is None else limits.find_input(data, "dataset")
            options = {"image": image, "data": place, **_images(limits, images)}
            return ["explain", str(limits.find_input(selection, "selection")), *_options(options)]

        return await _call(words, limits, context)


def _add_plan(server: MCPServer, limits: Limits) -> None:
    @server.tool(description=_describe("plan"), annotations=_hints("plan"))
    async def plan(
        context: Context,
        ledger: Annotated[str, Field(description="Folder with the results of an experiment, for instance runs/demo.")],
        target: Annotated[float | None, Field(description="Target mAP, as a fraction of the mAP of full.")] = None,
        target_map: Annotated[float | None, Field(description="Target mAP itself, from 0 to 1.")] = None,
        budget_wh: Annotated[float | None, Field(description="Energy budget in watt-hours.")] = None,
        budget_tflops: Annotated[float | None, Field(description="Budget of one training in TFLOPs.")] = None,
        minutes: Annotated[float | None, Field(description="Time budget in minutes.")] = None,
        measure: Annotated[Literal["mAP50", "mAP50_95"], Field(description="Which mAP to plan for.")] = "mAP50_95",
        confidence: Annotated[float, Field(description="Least probability of reaching the target, 0 to 1.")] = 0.5,
    ) -> Result:
        """Run ``detreduce plan``."""

        def words() -> list[str]:
            """Return the command line, after its paths were checked."""
            options = {
                "target": target, "target_map": target_map, "budget_wh": budget_wh, "budget_tflops": budget_tflops,
                "minutes": minutes, "measure": measure, "confidence": confidence,
            }  # fmt: skip
            return ["plan", str(limits.find_input(ledger, "ledger")), *_options(options)]

        return await _call(words, limits, context)


async def _call(words: Callable[[], Sequence[str]], limits: Limits, context: Context) -> CallToolResult:
    """Check the paths of a call, run its command, and return the result. Each line of progress is a notification."""
    try:
        command = words()
    except InputError as error:
        return _refuse(str(error), "missing_file" if isinstance(error, MissingFileError) else "input")
    return _result(await run_command(command, limits, _reporter(context)))


def _refuse(message: str, kind: str = "usage") -> CallToolResult:
    """Return an error as the result of a tool."""
    return _result(Answer({"error": {"kind": kind, "message": message, "exit_code": BAD_INPUT}}))


def _reporter(context: Context) -> Callable[[str], Awaitable[None]]:
    """Return a function that sends a line as a notification of progress."""
    sent = 0

    async def report(line: str) -> None:
        """Send a line."""
        nonlocal sent
        sent += 1
        await context.report_progress(sent, message=line)

    return report


def _result(answer: Answer) -> CallToolResult:
    """Return the answer of a command as the result of a tool: as text, and as structured content.

    The text of an error is its message.
    """
    text = answer.content["error"]["message"] if answer.failed else json.dumps(answer.content, ensure_ascii=False)
    lines = [text, *answer.warnings]
    return CallToolResult(
        content=[TextContent(type="text", text=line) for line in lines],
        structured_content=answer.content,
        is_error=answer.failed,
    )


def _options(values: Mapping[str, Any]) -> list[str]:
    """Return options of the command line. Values that are None are left out."""
    # with an equals sign, a value that begins with a dash is no option
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value is not None]


def _parameters(values: Mapping[str, Any]) -> list[str]:
    """Return the parameters of a method as arguments. Raise InputError if a name is not a name."""
    for name in values:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise InputError(f"{name!r} is not the name of a parameter.")
    return [f"{name}={json.dumps(value) if isinstance(value, bool) else value}" for name, value in values.items()]


def _images(limits: Limits, images: str | None) -> dict[str, Any]:
    """Return the option for the folder of images, or no option."""
    return {} if images is None else {"images": limits.find_input(images, "folder of images")}


def _rule(categories: str) -> str:
    """Return a rule for categories. Raise InputError if it is the path of a file."""
    if not re.fullmatch(r"\w+", categories):
        raise InputError(
            f"{categories!r} is not a rule for categories. Use rarest, dominant, combination, none or video."
        )
    return categories


def _describe(name: str) -> str:
    """Return the description of a tool: the contract of its command."""
    contract = CONTRACTS[name]
    keys = "; ".join(f"{key}: {words}" for key, words in contract.prints.items())
    return f"{_SUMMARIES[name]} Never changes {contract.keeps}. Result: {keys}."


_SUMMARIES = {
    "inspect": "Check the health of a dataset: what is good, what to look at, and what is wrong.",
    "reduce": "Choose the images to keep, and write the smaller dataset into a new folder.",
    "explain": "Explain why a selection kept or dropped an image.",
    "plan": "Recommend the cheapest training that reaches a target, or the best training for a budget.",
}


def _hints(name: str, limits: Limits | None = None) -> ToolAnnotations:
    """Return the hints for clients. `limits` is given for a tool that writes."""
    return ToolAnnotations(
        title=f"detreduce {name}",
        read_only_hint=limits is None,
        destructive_hint=limits is not None and limits.overwrite,
        idempotent_hint=limits is None,
        open_world_hint=False,
    )
