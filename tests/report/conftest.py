"""One experiment with a hostile dataset for all tests of the report."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up import hostile_experiment, stand_in_train

from detreduce.experiment import run as run_module
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.run import run_experiment


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The finished ledger of 2 methods at 2 keeps with 3 seeds and 2 controls; its trainings are made up."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETREDUCE_CACHE", str(folder / "cache"))
        patch.setattr(run_module, "train", stand_in_train)
        # the made-up trainings must not depend on other trainings on this machine
        patch.setattr(run_module, "present", lambda: nullcontext(SimpleNamespace(overlapped=False)))
        return run_experiment(hostile_experiment(folder), folder / "ledger")


@pytest.fixture(scope="session")
def page(hostile: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on it."""
    from detreduce.report import write_report

    return write_report(hostile, tmp_path_factory.mktemp("page") / "report.html")
