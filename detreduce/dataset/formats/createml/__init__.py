"""CreateML: one JSON list per folder of images."""
