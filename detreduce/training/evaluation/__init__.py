"""The figures of a trained detector: by ultralytics, by pycocotools, and of resampled images."""
