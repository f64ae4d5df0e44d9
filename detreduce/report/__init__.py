"""The report: one HTML file that shows the results of an experiment. It is made from a ledger."""

from detreduce.report.build import write_report

__all__ = ["write_report"]
