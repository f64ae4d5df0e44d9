"""Train a detector, meter its energy and evaluate it. This package does not use features or reducers."""
