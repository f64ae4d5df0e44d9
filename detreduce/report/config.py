"""The configuration of an experiment, as its ledger stores it."""

from __future__ import annotations

from typing import Any

import yaml

from detreduce.experiment.ledger.ledger import Ledger
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, read_text


def read_config(ledger: Ledger) -> dict[str, Any]:
    """Return the configuration that the ledger stores, or an empty dict if it cannot be read."""
    try:
        content = load_yaml(read_text(ledger.path / "config.yaml", YAMLS))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}
