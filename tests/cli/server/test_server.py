"""The server, driven by the client of the official SDK: in this process, and over stdio in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from invocation import detreduce
from PIL import Image

from detreduce.cli.contracts import CONTRACTS
from detreduce.experiment.ledger.ledger import Ledger

mcp = pytest.importorskip("mcp", reason="the mcp extra is not installed")
anyio = pytest.importorskip("anyio")

from detreduce.cli.server.child import MOST, shorten  # noqa: E402
from detreduce.cli.server.limits import Limits  # noqa: E402
from detreduce.cli.server.tools import make_server  # noqa: E402

pytestmark = pytest.mark.long
ENVIRONMENT = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}


def talk(limits: Limits, conversation: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run a conversation with a client of a server in this process."""

    async def run() -> Any:
        async with mcp.Client(make_server(limits)) as client:
            return await conversation(client)

    return anyio.run(run)


def call(limits: Limits, tool: str, **arguments: Any) -> Any:
    """Return the result of one call."""
    return talk(limits, lambda client: client.call_tool(tool, arguments))


def content(result: Any) -> dict[str, Any]:
    """Return the structured content of a result without an error. The text is the same."""
    assert not result.is_error, result
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def message(result: Any) -> str:
    """Return the message of a result with an error."""
    assert result.is_error
    (error,) = result.structured_content.values()
    assert set(error) == {"kind", "message", "exit_code"}
    assert result.content[0].text == error["message"] and "\n" not in error["message"]
    return error["message"]


@pytest.fixture
def limits(yolo_folder: Path, tmp_path: Path) -> Limits:
    """The root `tmp_path/set` has a dataset with problems. A second dataset is outside the root."""
    outside = tmp_path / "outside"
    for folder in ("images", "labels"):
        (outside / folder).mkdir(parents=True)
    for row in range(4):
        Image.new("RGB", (64, 48), (row * 60, 0, 0)).save(outside / "images" / f"secret{row}.jpg")
        (outside / "labels" / f"secret{row}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (outside / "data.yaml").write_text("train: images\nval: images\nnames: [cat]\n")
    return Limits.of(yolo_folder.parent)


class TestTools:
    def test_there_are_four_and_hints_say_which_write(self, limits: Limits) -> None:
        tools = {tool.name: tool for tool in talk(limits, lambda client: client.list_tools()).tools}
        assert list(tools) == ["inspect", "reduce", "explain", "plan"]
        assert [name for name, tool in tools.items() if not tool.annotations.read_only_hint] == ["reduce"]
        assert tools["reduce"].annotations.destructive_hint is False
        assert set(tools["reduce"].input_schema["required"]) == {"data", "output"}

    def test_inspect_prints_what_the_command_prints(self, limits: Limits) -> None:
        found = content(call(limits, "inspect", data="data.yaml"))
        assert found == json.loads(detreduce("inspect", limits.root / "data.yaml", "--json").stdout)
        assert found["images"] == 8
        (problem,) = found["problems"]
        assert (Path(problem["file"]).name, problem["line"]) == ("3.txt", 2)

    def test_reduce_and_explain(self, limits: Limits) -> None:
        arguments = {"data": ".", "output": "kept", "keep": 3, "method": "mms", "parameters": {"start": "center"}}
        found = content(call(limits, "reduce", **arguments, seed=1))
        assert set(CONTRACTS["reduce"].prints) <= set(found)
        made = json.loads((limits.root / "kept" / "selection.json").read_text())
        assert (len(made["indices"] if "indices" in made else made["images"]), made["method"]) == (3, "mms")
        assert (limits.root / "kept" / "selection.html").is_file()
        why = content(call(limits, "explain", selection="kept", image="1.jpg"))
        assert set(CONTRACTS["explain"].prints) <= set(why) and why["name"].endswith("1.jpg")
        again = call(limits, "reduce", **arguments)
        assert "kept" in message(again)
        allowed = Limits.of(limits.root, overwrite=True)
        assert content(call(allowed, "reduce", **{**arguments, "keep": 4}, page=False))
        assert not (limits.root / "kept" / "selection.html").exists()

    def test_plan(self, ledger: Ledger) -> None:
        result = call(Limits.of(ledger.path.parent), "plan", ledger="x", target=0.9)
        told = detreduce("plan", ledger.path, "--target", "0.9", "--json")
        assert result.structured_content == json.loads(told.stdout)
        assert result.is_error == (told.exit_code != 0)


class TestErrors:
    def test_wrong_paths(self, limits: Limits) -> None:
        result = call(limits, "inspect", data="nowhere")
        assert result.structured_content["error"]["kind"] == "missing_file" and "nowhere" in message(result)
        (limits.root / "x.txt").write_text("x")
        assert "x.txt" in message(call(limits, "inspect", data="x.txt"))
        assert message(call(limits, "plan", ledger="images"))

    @pytest.mark.parametrize("data", ["..", "../outside", "{outside}/data.yaml", "/etc/passwd"])
    def test_inputs_outside_the_root(self, limits: Limits, data: str) -> None:
        outside = limits.root.parent / "outside"
        assert "outside" in message(call(limits, "inspect", data=data.format(outside=outside)))

    def test_outputs_outside_the_root(self, limits: Limits, tmp_path: Path) -> None:
        (limits.root / "link").symlink_to(tmp_path / "outside")
        before = sorted(tmp_path.rglob("*"))
        for output in ("../new", str(tmp_path / "new"), "link/new", "."):
            assert message(call(limits, "reduce", data="data.yaml", output=output, keep=3, method="srs"))
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize(
        ("tool", "arguments"),
        [
            ("inspect", {"data": "data.yaml", "epochs": "x"}),
            ("inspect", {"data": "data.yaml", "splt": "val"}),
            ("inspect", {"data": "data.yaml", "split": "--version"}),
            ("inspect", {}),
            ("inspekt", {"data": "data.yaml"}),
            ("reduce", {"data": "data.yaml", "output": "o", "method": "mmz"}),
            ("reduce", {"data": "data.yaml", "output": "o", "keep": 90}),
            ("reduce", {"data": "data.yaml", "output": "o", "parameters": {"--overwrite": 1}}),
            ("reduce", {"data": "data.yaml", "output": "o", "categories": "../outside/data.yaml"}),
            ("reduce", {"data": "data.yaml", "output": "o", "backbone": "yolo:w.pt"}),
        ],
    )
    def test_wrong_arguments(self, limits: Limits, tool: str, arguments: dict[str, Any]) -> None:
        assert message(call(limits, tool, **arguments))
        assert not (limits.root / "o").exists()


def _named_by_yaml(root: Path, outside: Path) -> None:
    (root / "data.yaml").write_text(f"path: {outside}\ntrain: images\nval: images\nnames: [cat]\n")


def _split_above(root: Path, outside: Path) -> None:
    (root / "data.yaml").write_text("train: ../outside/images\nval: ../outside/images\nnames: [cat]\n")


def _linked_folder(root: Path, outside: Path) -> None:
    (root / "far").symlink_to(outside)
    (root / "data.yaml").write_text("train: far/images\nval: far/images\nnames: [cat]\n")


def _linked_files(root: Path, outside: Path) -> None:
    (root / "own" / "images").mkdir(parents=True)
    for file in (outside / "images").iterdir():
        (root / "own" / "images" / file.name).symlink_to(file)
    (root / "data.yaml").write_text("train: own/images\nval: own/images\nnames: [cat]\n")


def _linked_labels(root: Path, outside: Path) -> None:
    (root / "labels" / "0.txt").unlink()
    (root / "labels" / "0.txt").symlink_to(outside / "labels" / "secret0.txt")


def _listed(root: Path, outside: Path) -> None:
    (root / "train.txt").write_text("".join(f"{file}\n" for file in (outside / "images").iterdir()))
    (root / "data.yaml").write_text("train: train.txt\nval: images\nnames: [cat]\n")


def _coco(root: Path, outside: Path) -> None:
    images = [{"id": 1, "file_name": "../outside/images/secret0.jpg", "width": 64, "height": 48}]
    found = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    (root / "data.yaml").unlink()
    (root / "coco.json").write_text(json.dumps(found))


class TestEscapes:
    @pytest.mark.parametrize(
        "escape",
        [_named_by_yaml, _split_above, _linked_folder, _linked_files, _linked_labels, _listed, _coco],
        ids=lambda escape: escape.__name__.strip("_"),
    )
    def test_a_dataset_cannot_lead_out_of_the_root(
        self, limits: Limits, tmp_path: Path, escape: Callable[[Path, Path], None]
    ) -> None:
        escape(limits.root, tmp_path / "outside")
        data = "coco.json" if escape is _coco else "data.yaml"
        result = call(limits, "reduce", data=data, output="o", keep="all", method="srs", page=False)
        written = [file for file in (limits.root / "o").rglob("*") if file.is_file()]
        secret = {file.stat().st_ino for file in (tmp_path / "outside").rglob("*") if file.is_file()}
        assert not {file.stat().st_ino for file in written} & secret
        assert not [file for file in written if file.name.startswith("secret")]
        assert result.is_error or escape is _linked_labels
        shown = call(limits, "inspect", data=data, check_images=True)
        assert shown.is_error or shown.structured_content["images"] <= (8 if escape is _linked_labels else 1)

    def test_a_link_in_a_folder_to_a_selection(self, limits: Limits, tmp_path: Path) -> None:
        secret = tmp_path / "outside" / "selection.json"
        secret.write_text('{"password": "swordfish"}')
        (limits.root / "made").mkdir()
        (limits.root / "made" / "selection.json").symlink_to(secret)
        assert "swordfish" not in message(call(limits, "explain", selection="made", image="1"))
        assert "outside" in message(call(limits, "explain", selection="made/selection.json", image="1"))

    def test_a_dataset_cannot_show_the_environment(self, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("A_TOKEN", "swordfish")
        (limits.root / "data.yaml").write_text("path: ${A_TOKEN}\ntrain: images\nnames: [cat]\n")
        assert "swordfish" not in message(call(limits, "inspect", data="data.yaml"))

    def test_no_module_of_the_root_is_imported(self, limits: Limits) -> None:
        for name in ("numpy.py", "detreduce.py", "sitecustomize.py"):
            (limits.root / name).write_text("raise SystemExit(9)")
        assert content(call(limits, "inspect", data="data.yaml"))["images"] == 8


def test_over_stdio_in_a_process_of_its_own(limits: Limits) -> None:
    """Only messages of the protocol are on stdout: the client fails at any other line."""
    parameters = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "detreduce", "mcp", "--root", str(limits.root)],
        env={**ENVIRONMENT, "DETREDUCE_CACHE": os.environ["DETREDUCE_CACHE"]},
    )
    strange: list[Any] = []

    async def note(item: Any) -> None:
        if isinstance(item, Exception):
            strange.append(item)

    async def run() -> tuple[Any, ...]:
        async with mcp.Client(mcp.stdio_client(parameters), message_handler=note) as client:
            named = [tool.name for tool in (await client.list_tools()).tools]
            inspected = await client.call_tool("inspect", {"data": "data.yaml", "check_images": True})
            reduced = await client.call_tool("reduce", {"data": "data.yaml", "output": "o", "keep": 4})
            escaped = await client.call_tool("inspect", {"data": "../outside"})
            return named, inspected, reduced, escaped

    named, inspected, reduced, escaped = anyio.run(run)
    assert named == ["inspect", "reduce", "explain", "plan"] and strange == []
    assert content(inspected)["images_checked"]
    assert Path(content(reduced)["data"]).is_relative_to(limits.root)
    assert "outside" in message(escaped)


def test_lines_of_progress_are_notifications(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.cli.server import child

    told: list[str] = []
    script = "import sys; print('Reading: 1/2', file=sys.stderr); print('Warning: odd', file=sys.stderr); print('{}')"
    monkeypatch.setattr(child.sys, "executable", sys.executable)
    started = anyio.open_process
    monkeypatch.setattr(anyio, "open_process", lambda _, **more: started([sys.executable, "-c", script], **more))

    async def note(progress: float, total: float | None, text: str | None) -> None:
        told.append(f"{progress:g} {text}")

    result = talk(limits, lambda client: client.call_tool("inspect", {"data": "data.yaml"}, progress_callback=note))
    assert told == ["1 Reading: 1/2"]
    assert [part.text for part in result.content] == ["{}", "Warning: odd"]


def test_a_cancelled_call_ends_its_process(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    started, found = anyio.open_process, []

    async def slow(_: Any, **more: Any) -> Any:
        found.append(await started([sys.executable, "-c", "import time; time.sleep(600)"], **more))
        return found[0]

    monkeypatch.setattr(anyio, "open_process", slow)

    async def conversation(client: Any) -> None:
        with anyio.move_on_after(1):
            await client.call_tool("inspect", {"data": "data.yaml"})

    talk(limits, conversation)
    assert found[0].returncode not in (None, 0)


def test_a_command_without_an_answer_is_an_error(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    started = anyio.open_process
    monkeypatch.setattr(anyio, "open_process", lambda _, **more: started([sys.executable, "-c", "x"], **more))
    assert "NameError" in message(call(limits, "inspect", data="data.yaml"))


def test_long_lists_are_cut() -> None:
    rows = list(range(MOST + 5))
    assert shorten({"a": rows, "b": {"c": rows}, "d": rows[:3]}) == {
        "a": rows[:MOST],
        "b": {"c": rows[:MOST], "left_out": {"c": 5}},
        "d": rows[:3],
        "left_out": {"a": 5},
    }


def test_the_command_lists_its_tools(limits: Limits) -> None:
    found = json.loads(detreduce("mcp", "--root", limits.root, "--json").stdout)
    assert found["root"] == str(limits.root) and [tool["name"] for tool in found["tools"]][:2] == ["inspect", "reduce"]
    assert detreduce("mcp", "--root", limits.root / "nowhere", "--json").exit_code == 2
