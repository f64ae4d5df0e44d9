"""The folder of finished cells."""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

__getattr__ = import_at_first_use(__name__, {"Ledger": "detreduce.experiment.ledger.ledger"})
__all__ = ["Ledger"]
