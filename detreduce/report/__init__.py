"""The report: one HTML file that shows the results of an experiment, from its ledger."""

from detreduce.report.build import write_report

__all__ = ["write_report"]
