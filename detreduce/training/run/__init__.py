"""Run one training with ultralytics: the run folder, data, arguments and trainer, without network access."""
