"""Selections as other programs read them: a list, a table, COCO, and folders that FiftyOne and LightlyStudio import."""

from detreduce.exports.export import FORMS, export_selection
from detreduce.vocabulary.option_values import ExportForm

__all__ = ["FORMS", "ExportForm", "export_selection"]
