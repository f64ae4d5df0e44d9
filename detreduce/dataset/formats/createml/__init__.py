"""CreateML: one JSON list for each folder of images."""
