"""The ledger, which is a folder of finished cells: read and write it, export it, merge it, and show it in a
notebook.
"""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

__getattr__ = import_at_first_use(__name__, {"Ledger": "detreduce.experiment.ledger.ledger"})
__all__ = ["Ledger"]
