"""Statistics over finished cells: pure functions of tidy rows and arrays.

A tidy row is a flat mapping that describes one finished cell, as `Ledger.rows` returns it. A control is a cell that
methods are compared with, such as the training on all images.
"""

from detreduce.experiment.statistics.summary import MEASURES, Summary, summarise_cells

__all__ = ["MEASURES", "Summary", "summarise_cells"]
