"""Selections as other programs read them: a list, a table, COCO, and folders that FiftyOne and LightlyStudio import."""

from detreduce.exports.export import FORMS, Form, export_selection

__all__ = ["FORMS", "Form", "export_selection"]
