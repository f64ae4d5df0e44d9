"""Train a detector, meter its energy and evaluate it."""
