"""Print the next commands for images that were chosen for labelling."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from detreduce.cli.show.terminal import show_text
from detreduce.dataset.paths.output_name import free_name, output_name
from detreduce.dataset.writing.dataset_yaml import FRAMES_TABLE
from detreduce.machine.untrusted.regular_files import is_regular

OTHERS = "For other tools: --as cvat, labelme or roboflow in place of label-studio."


def show_labelling(out: Console, output: Path) -> None:
    """Print how to label the images in the folder `output`: the commands for tasks of a labelling tool and for a list.

    For videos, the path of the table of frames is printed too.
    """
    chosen = shlex.quote(str(output / "selection.json"))
    tasks, names = (shlex.quote(name) for name in (output_name(output, "tasks"), free_name("to-label.txt")))
    # print each command on one line, so that it can be copied
    out.print(f"Next: label the images in {output}", soft_wrap=True)
    out.print(f"Tasks for Label Studio: detreduce export {chosen} --as label-studio --output {tasks}", soft_wrap=True)
    show_text(out, OTHERS)
    out.print(f"A list of them: detreduce export {chosen} --as list --output {names}", soft_wrap=True)
    if is_regular(table := output / FRAMES_TABLE):
        out.print(f"Their videos and times: {table}", soft_wrap=True)
