"""Views of a dataset: pandas frames, HTML for notebooks, figures and thumbnails."""
