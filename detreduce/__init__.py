"""detreduce: train object detectors on fewer images, and know what it costs."""
