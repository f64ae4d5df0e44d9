"""The tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from detreduce.errors import InputError
from detreduce.report.paper import PaperTables, write_paper_tables
from detreduce.report.paper.tables import PaperCell, PaperTable

TABLES = PaperTables(
    name="a_b & <c>",
    keeps=("all images", "50 %"),
    tables=(
        PaperTable("mAP50", "", {"full": [PaperCell(0.9331, 0.004, 2), PaperCell()]}),
        PaperTable(
            "epsilon",
            "",
            {
                "=mms(a|b)": [PaperCell(), PaperCell(math.inf, math.nan, 1)],
                "x": [PaperCell(), PaperCell(0.5, math.nan, 1)],
            },
        ),
    ),
    notes=("One % of it.",),
)


def test_csv_has_numbers_and_no_formula(tmp_path: Path) -> None:
    with write_paper_tables(TABLES, tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["measure (detreduce)", "unit", "method", "all images", "all images, sd", "50 %", "50 %, sd"],
        ["mAP50", "", "full", "0.9331", "0.004", "", ""],
        ["epsilon", "", "'=mms(a|b)", "", "", "inf", ""],
        ["epsilon", "", "x", "", "", "0.5", ""],
    ]


def test_markdown_keeps_its_columns(tmp_path: Path) -> None:
    text = write_paper_tables(TABLES, tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| `full` | 0.933 ± 0.004 | - |" in text and "# a_b & &lt;c>" in text
    assert r"| `=mms(a\|b)` | - | not covered |" in text


def test_latex_escapes(tmp_path: Path) -> None:
    text = write_paper_tables(TABLES, tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"\caption{a\_b \& \textless{}c\textgreater{}: $\varepsilon$}" in text
    assert r"full & 0.933 $\pm$ 0.004 & - \\" in text and r"method & all images & 50 \% \\" in text
    assert text.count("% One % of it.") == 1


@pytest.mark.parametrize("suffix", ["csv", "md", "tex"])
def test_our_own_file_is_written_again_and_another_is_not(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"t.{suffix}"
    write_paper_tables(TABLES, target)
    write_paper_tables(TABLES, target)
    target.write_text("method,mine\n")
    with pytest.raises(InputError, match="not overwritten"):
        write_paper_tables(TABLES, target)
    assert target.read_text() == "method,mine\n"


def test_an_unknown_suffix_is_refused_and_a_folder_gets_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv, \.md, \.tex"):
        write_paper_tables(TABLES, tmp_path / "t.docx")
    assert write_paper_tables(TABLES, tmp_path) == tmp_path / "paper.md"
