"""Write selections and weights for other programs: lists, tables, a COCO JSON, folders of FiftyOne or LightlyStudio."""

from detreduce.exports.export import FORMS, export_selection
from detreduce.exports.stream_weights import StreamWeights, stream_weights
from detreduce.vocabulary.option_values import ExportForm

__all__ = ["FORMS", "ExportForm", "StreamWeights", "export_selection", "stream_weights"]
