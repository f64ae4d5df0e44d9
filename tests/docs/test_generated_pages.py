"""Generated pages are up to date, and the names on them exist."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import detreduce
from detreduce.experiment.config import ExperimentConfig
from detreduce.reducers import reducer_class
from detreduce.reducers.registry import BUILT_IN

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCS = REPOSITORY / "docs"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", REPOSITORY / "scripts" / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def methods() -> ModuleType:
    return load("methods")


@pytest.fixture(scope="module")
def experiment() -> ModuleType:
    return load("experiment")


class TestMethods:
    def test_texts_are_those_that_the_classes_give(self, methods: ModuleType) -> None:
        texts = methods.texts()
        assert {file for file in texts if file.parent == methods.PAGES} == set((DOCS / "methods").glob("*.md"))
        assert REPOSITORY / "mkdocs.yml" in texts
        stale = [file.name for file, text in texts.items() if file.read_text(encoding="utf-8") != text]
        assert stale == [], "run python scripts/methods.py"

    def test_the_list_has_what_each_class_declares(self, methods: ModuleType) -> None:
        rows = re.findall(
            r"^\| \[!\[.*?\]\((\w+)\.png\)\]\(\1\.md\) \| \[`(\w+)`\]\(\2\.md\)"
            r" \| (.+?) \| (.+?) \| `(.+?)` \| (.+?) \|$",
            (DOCS / "methods" / "index.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        assert [name for _, name, *_ in rows] == list(BUILT_IN)
        for picture, name, keeps, needs, cost, fails in rows:
            cls = reducer_class(name)
            assert picture == name and keeps == f"**{cls.keeps}**: {cls.summary}"
            assert (cost, fails) == (cls.cost, cls.fails)
            words = ", ".join(methods.SHORT_NEEDS[need] for need in cls.needs)
            assert needs == (words or "a list of images")

    def test_only_the_lines_between_the_markers_change(self, methods: ModuleType) -> None:
        markers = ("<!-- begin -->", "<!-- end -->")
        assert methods.between("a\n<!-- begin -->\nold\n<!-- end -->\nb\n", markers, "new") == (
            "a\n<!-- begin -->\nnew\n<!-- end -->\nb\n"
        )
        with pytest.raises(SystemExit, match="begin"):
            methods.between("no markers", markers, "new")

    def test_every_method_has_its_picture(self) -> None:
        for name in BUILT_IN:
            assert (DOCS / "methods" / f"{name}.png").is_file()

    @pytest.mark.parametrize("name", BUILT_IN)
    def test_a_page_has_every_part(self, name: str, methods: ModuleType) -> None:
        page = methods.page(name)
        for part in (
            f"({name}.png)",
            "**Needs**",
            "**Cost**",
            "**When it fails**",
            "```bash",
            "```python",
            "## Source",
        ):
            assert part in page
        links = re.findall(r"\]\(<?https://(?:arxiv|doi)\.org/", "".join(page.split()))
        # common practice has no paper
        assert bool(links) == bool(re.search(r"\bdoi\b|\barXiv\b", reducer_class(name).source))

    def test_sources_become_links(self, methods: ModuleType) -> None:
        text = methods.linked("A (doi 10.1016/0304-3975(85)90224-5); cf. arXiv 2403.15150, B")
        assert "[doi 10.1016/0304-3975(85)90224-5](<https://doi.org/10.1016/0304-3975(85)90224-5>));" in text
        assert "[arXiv 2403.15150](https://arxiv.org/abs/2403.15150), B" in text


class TestExperiment:
    def test_the_reference_is_that_of_the_models(self, experiment: ModuleType) -> None:
        page = experiment.PAGE.read_text(encoding="utf-8")
        expected = experiment.with_reference(page, experiment.reference(experiment.schema()))
        assert page == expected, "run python scripts/docs/experiment.py"
        assert experiment.SCHEMA.read_text(encoding="utf-8") == experiment.schema_text()

    def test_every_key_is_explained(self, experiment: ModuleType) -> None:
        found = experiment.schema()
        sections = [found, *found["$defs"].values()]
        missing = [
            f"{section['title']}.{name}"
            for section in sections
            for name, entry in section["properties"].items()
            if not entry.get("description")
        ]
        assert missing == []

    def test_the_tables_have_every_key(self, experiment: ModuleType) -> None:
        text = experiment.reference(experiment.schema())
        for name, entry in ExperimentConfig.model_fields.items():
            assert f"| `{name}` |" in text
            for key in getattr(entry.annotation, "model_fields", {}):
                assert f"| `{key}` |" in text, f"{name}.{key}"

    @pytest.mark.parametrize("file", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda file: file.stem)
    def test_the_schema_takes_what_ships(self, file: Path, experiment: ModuleType) -> None:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        # pyyaml reads YAML 1.1, in which the key `on` means true; editors read YAML 1.2
        evaluate = content.get("evaluate", {})
        if True in evaluate:
            evaluate["on"] = evaluate.pop(True)
        assert [error.message for error in Draft202012Validator(experiment.schema()).iter_errors(content)] == []

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"reduse": {}}, "reduse"),
            ({"reduce": {"methods": ["srs"], "keep": [0.5], "kep": 1}}, "kep"),
            ({"reduce": {"methods": "srs", "keep": [0.5]}}, "srs"),
            ({"reduce": {"methods": ["srs"], "keep": "half"}}, "half"),
            ({"controls": ["ful"]}, "ful"),
        ],
    )
    def test_the_schema_refuses_mistakes(self, change: dict[str, Any], what: str, experiment: ModuleType) -> None:
        good = {"name": "a", "dataset": "data.yaml", "reduce": {"methods": ["srs", {"name": "mms"}], "keep": 0.5}}
        validator = Draft202012Validator(experiment.schema())
        assert validator.is_valid(good)
        assert any(what in error.message for error in validator.iter_errors({**good, **change}))

    def test_the_schema_is_json_that_editors_read(self, experiment: ModuleType) -> None:
        Draft202012Validator.check_schema(json.loads(experiment.SCHEMA.read_text(encoding="utf-8")))


class TestCommands:
    def test_the_pages_are_those_of_the_program(self) -> None:
        commands = load("commands")
        assert commands.PAGE.read_text(encoding="utf-8") == commands.page(), "run python scripts/docs/commands.py"
        assert commands.INDEX.read_text(encoding="utf-8") == commands.index(), "run python scripts/docs/commands.py"

    def test_every_command_has_its_contract(self) -> None:
        from detreduce.cli.contracts import CONTRACTS

        assert [name for name, _ in load("commands").commands()] == list(CONTRACTS)

    def test_the_index_has_the_form_of_llmstxt_org(self) -> None:
        lines = (DOCS / "llms.txt").read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# ") and lines[2].startswith("> ")
        before, *sections = "\n".join(lines[3:]).split("\n## ")
        assert sections and "\n#" not in before
        for section in sections:
            for line in section.splitlines()[1:]:
                link = re.match(r"- \[[^\]]+\]\(([\w/-]+\.md)(?:#([\w-]+))?\)(: .+)?$", line)
                assert not line or link, line
                if link:
                    page = (DOCS / link[1]).read_text(encoding="utf-8")
                    assert link[2] is None or f"## {link[2].replace('-', ' ')}\n" in page

    def test_required_inputs_are_named(self) -> None:
        commands = load("commands")
        found = {name: commands.inputs(command) for name, command in commands.commands()}
        assert found["reduce"] == ["DATA", "--output FOLDER"]
        assert found["next"] == ["POOL", "--after ROUND", "--count NUMBER", "--output FOLDER"]
        assert found["methods"] == []


def test_the_reference_of_the_api_has_every_public_name() -> None:
    from detreduce import representativeness
    from detreduce.reducers import __all__ as reducers

    named = set(re.findall(r"^::: [\w.]+\.(\w+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE))
    public = {*detreduce.__all__, *reducers, *representativeness.__all__} - {"__version__"}
    assert public - named == set()


def test_the_navigation_has_every_page() -> None:
    text = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md", text)) == pages
