"""Write selections for other programs: a list, a table, COCO JSON, and folders for FiftyOne and LightlyStudio."""

from detreduce.exports.export import FORMS, export_selection
from detreduce.vocabulary.option_values import ExportForm

__all__ = ["FORMS", "ExportForm", "export_selection"]
