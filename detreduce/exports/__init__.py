"""Write selections for other programs: as a list, a table, a COCO JSON, or a folder for FiftyOne or LightlyStudio."""

from detreduce.exports.export import FORMS, export_selection
from detreduce.vocabulary.option_values import ExportForm

__all__ = ["FORMS", "ExportForm", "export_selection"]
