"""Write selections and stream weights for other programs: text lists, CSV, COCO JSON, FiftyOne, LightlyStudio."""

from detreduce.exports.export import FORMS, export_selection
from detreduce.exports.stream_weights import StreamWeights, stream_weights
from detreduce.vocabulary.option_values import ExportForm

__all__ = ["FORMS", "ExportForm", "StreamWeights", "export_selection", "stream_weights"]
