"""Every block of README.md, CONTRIBUTING.md and docs/ runs unchanged, in order, in one folder per page.

The package makes small versions of the reader's own files: `data.yaml`, `detector.pt` if a page uses it, and
`proxy.npz` if a page uses one without making it. `datasets/demo.yaml` gets fewer and smaller images.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from blocks import Block, blocks, commands, shows, texts_of
from made_detector import make_detector

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
SMALL = {"scenes": 40, "size": 64}
RUN = ("bash", "python", "yaml")
LANGUAGES = (*RUN, "toml", "text")
PROXY = "proxy data.yaml --model yolov8n.yaml --output proxy.npz epochs=2 imgsz=64"
# a YAML without `name` is a part of an experiment
AROUND = "name: page\ndataset: data.yaml\nreduce: {methods: [srs], keep: [0.25]}\n"
READ = {
    "experiment": "from detreduce.experiment.config import load_config as read",
    "data": "from detreduce.dataset import load_dataset as read",
    "recipe": "from detreduce.training.recipes.reading import read_recipe as read",
    "categories": "from detreduce.cli.values import read_categories as read",
}
READING = """
import sys
from detreduce.errors import DetreduceError
try:
    read({file!r})
except DetreduceError as error:
    sys.exit(str(error))
"""


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@dataclass
class Runner:
    """Runs blocks in a folder. Blocks without a shell run in forks of a process that has imported everything."""

    server: subprocess.Popen[str]
    environment: dict[str, str]
    folder: Path = Path()
    count: int = field(default=0)

    def job(self, **what: object) -> tuple[int, str]:
        output = self.folder / ".output"
        job = {"folder": str(self.folder), "environment": self.environment, "output": str(output), **what}
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps(job) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline()), output.read_text(encoding="utf-8", errors="replace")

    def script(self, code: str) -> tuple[int, str]:
        self.count += 1
        file = self.folder / f".block{self.count}.py"
        file.write_text(code, encoding="utf-8")
        return self.job(script=str(file))

    def shell(self, code: str) -> tuple[int, str]:
        """Run a script line by line until one fails; lines share files, but no variables."""
        printed, status = "", 0
        for line in commands(code):
            plain = re.fullmatch(r"detreduce [^|&;<>$`]*", line)
            status, output = self.job(arguments=shlex.split(line)[1:]) if plain else self.bash(line)
            printed += output
            if status:
                break
        return status, printed

    def bash(self, line: str) -> tuple[int, str]:
        environment = {**os.environ, **self.environment}
        call = ["bash", "-euo", "pipefail", "-c", line]
        pipe = subprocess.PIPE
        done = subprocess.run(
            call, cwd=self.folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True, timeout=1800
        )
        return done.returncode, done.stdout

    def read(self, kind: str, file: str) -> tuple[int, str]:
        return self.script(READ[kind] + READING.format(file=file))

    def run(self, block: Block) -> tuple[int, str]:
        if block.title:
            file = self.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.code, encoding="utf-8")
            kind = next((kind for kind in READ if file.stem.startswith(kind)), None)
            # a later block uses a named program or package file
            return self.read(kind, block.title) if block.language == "yaml" and kind else (0, "")
        if block.language == "yaml":
            content = {**yaml.safe_load(AROUND), **yaml.safe_load(block.code)}
            (self.folder / "experiment-part.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
            return self.read("experiment", "experiment-part.yaml")
        return self.script(block.code) if block.language == "python" else self.shell(block.code)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    base = tmp_path_factory.getbasetemp()
    site = tmp_path_factory.mktemp("site")
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "DETREDUCE_CACHE": str(base / "cache"),
        "YOLO_CONFIG_DIR": str(base),
        "YOLO_OFFLINE": "true",
        "COLUMNS": "120",
        # `pip install .` of a page installs into its own folder, without an index
        **{"PIP_TARGET": str(site), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"},
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(REPOSITORY)])
    command = [sys.executable, str(Path(__file__).with_name("warm.py"))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env={**os.environ, **environment}, stdin=pipe, stdout=pipe, text=True) as server:
        yield Runner(server, environment)
        assert server.stdin
        server.stdin.close()


@pytest.fixture(scope="module")
def sample(warm: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small dataset and its data.yaml."""
    warm.folder = tmp_path_factory.mktemp("sample")
    status, output = warm.script(f"from detreduce.dataset.demo import make_demo; make_demo('demo', **{SMALL})")
    assert status == 0, output
    content = yaml.safe_load((warm.folder / "demo" / "data.yaml").read_text(encoding="utf-8"))
    content = {"path": str(warm.folder / "demo"), **content}
    (warm.folder / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return warm.folder


@pytest.fixture(scope="module")
def proxy_log(warm: Runner, sample: Path) -> Path:
    warm.folder = sample
    status, output = warm.job(arguments=shlex.split(PROXY))
    assert status == 0, output
    return sample / "proxy.npz"


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "detector.pt")


def furnish(folder: Path, sample: Path) -> None:
    """Put the files of a reader into the folder of a page."""
    (folder / "data.yaml").write_bytes((sample / "data.yaml").read_bytes())
    shutil.copytree(REPOSITORY / "datasets", folder / "datasets")
    demo = yaml.safe_load((folder / "datasets" / "demo.yaml").read_text(encoding="utf-8"))
    demo["make"] |= SMALL
    (folder / "datasets" / "demo.yaml").write_text(yaml.safe_dump(demo, sort_keys=False), encoding="utf-8")


@pytest.mark.train
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, warm: Runner, sample: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = page.read_text(encoding="utf-8")
    furnish(tmp_path, sample)
    if "--proxy proxy.npz" in text and "--output proxy.npz" not in text:
        log = request.getfixturevalue("proxy_log")
        for file in log.parent.glob("proxy.*"):
            shutil.copy(file, tmp_path)
    if "detector.pt" in text:
        shutil.copy(request.getfixturevalue("detector"), tmp_path)
    warm.folder = tmp_path
    output = ""
    for block in blocks(text):
        where = f"{name_of(page)}:{block.line}"
        if block.mark in ("not run", "message"):
            output = ""
        elif block.language == "text":
            assert shows(block.code, output), f"{where}: not what the block above prints:\n{output[-3000:]}"
        else:
            status, output = warm.run(block)
            failed = status != 0
            assert failed == (block.mark == "fails"), f"{where}: exit code {status}\n{output[-3000:]}"
            assert "Traceback" not in output, f"{where}:\n{output[-3000:]}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_kind_that_is_run_or_says_why_not(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = blocks(text)
    assert text.count("```") == 2 * len(found), "a fence that is not closed, or not at the start of a line"
    for block in found:
        where = f"{name_of(page)}:{block.line}"
        assert block.language in LANGUAGES and not block.odd, f"{where}: {block.language!r} {block.odd!r}"
        assert block.mark != "not run" or len(block.reason.split()) >= 3, f"{where}: without a reason"
        assert block.mark != "message" or block.language == "text", where
        if block.language == "yaml" and block.title:
            assert Path(block.title).stem.startswith(tuple(READ)), f"{where}: nothing says how to check {block.title}"


def test_marks_are_where_a_block_is() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        marks = len(re.findall(r"<!-- *(?:not run|fails|message)", text))
        assert marks == sum(bool(block.mark) for block in blocks(text)), name_of(page)


def messages() -> list[tuple[str, str]]:
    return [
        (f"{name_of(page)}:{block.line}", block.code)
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.mark == "message"
    ]


def test_messages_that_are_quoted_are_the_programs_own() -> None:
    texts = texts_of(REPOSITORY / "detreduce")
    for where, code in messages():
        for part in code.split("..."):
            words = " ".join(part.split())
            assert words in texts, f"{where}: detreduce has no message {words!r}"


def test_commands_that_are_not_run_name_what_there_is() -> None:
    from detreduce.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    for page in PAGES:
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.language == "bash" and block.mark == "not run":
                for line in commands(block.code):
                    check_words(shlex.split(line), known, f"{name_of(page)}:{block.line}")


def check_words(words: Sequence[str], known: set[str], where: str) -> None:
    if words[0] == "detreduce":
        assert words[1] in known, f"{where}: {words[1]}"
    for word in words:
        if word.startswith(("scripts/", "configs/", "datasets/")):
            assert (REPOSITORY / word).exists(), f"{where}: {word}"


class TestBlocks:
    def test_a_block_knows_its_language_title_and_mark(self) -> None:
        text = 'a\n\n<!-- not run: takes\nhours -->\n```bash\nx\n```\n\n```yaml title="data.yaml"\ny: 1\n```\n'
        one, two = blocks(text)
        assert (one.language, one.code, one.mark, one.reason) == ("bash", "x\n", "not run", "takes\nhours")
        assert (two.language, two.title, two.code, two.mark) == ("yaml", "data.yaml", "y: 1\n", "")

    def test_a_mark_is_of_the_next_block_only(self) -> None:
        text = "<!-- fails -->\n```bash\nx\n```\n```bash\ny\n```\n<!-- fails -->\nwords\n```bash\nz\n```\n"
        assert [block.mark for block in blocks(text)] == ["fails", "", ""]
        text = "<!-- not run: takes hours -->\n```bash\nx\n```\n<!-- fails -->\n```bash\ny\n```\n"
        assert [(block.mark, block.reason) for block in blocks(text)] == [("not run", "takes hours"), ("fails", "")]

    def test_output_is_compared_without_line_breaks(self) -> None:
        assert shows("a b ... d", "x a\nb c\n d y") and shows("...\na", "a")
        assert not shows("a b ... d", "d a b") and not shows("a.b", "aXb")

    def test_lines_are_put_together(self) -> None:
        assert commands("# no\na \\\n  b  # why\n\nc\n") == ["a    b", "c"]
