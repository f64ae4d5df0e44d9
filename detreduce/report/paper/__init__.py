"""The results of an experiment as the tables of arXiv 2403.15150: a table for each measure, a column for each keep."""

from detreduce.report.paper.files import paper_target, write_paper_tables
from detreduce.report.paper.tables import PaperTables, paper_tables

__all__ = ["PaperTables", "paper_tables", "paper_target", "write_paper_tables"]
