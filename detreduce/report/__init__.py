"""The report: one HTML file that shows what an experiment found, from its ledger."""

from detreduce.report.build import write_report

__all__ = ["write_report"]
