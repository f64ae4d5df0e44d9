"""The results of an experiment as in arXiv 2403.15150: one table for each measure, with one column for each keep."""

from detreduce.report.paper.files import paper_target, write_paper_tables
from detreduce.report.paper.tables import PaperTables, paper_tables

__all__ = ["PaperTables", "paper_tables", "paper_target", "write_paper_tables"]
