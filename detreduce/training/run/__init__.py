"""Run one training with ultralytics: run folder, data, arguments, trainer, and no network access."""
