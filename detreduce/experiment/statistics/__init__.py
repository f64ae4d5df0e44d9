"""Statistics over finished cells: pure functions on tidy rows and arrays."""

from detreduce.experiment.statistics.summary import MEASURES, Summary, summarise_cells

__all__ = ["MEASURES", "Summary", "summarise_cells"]
