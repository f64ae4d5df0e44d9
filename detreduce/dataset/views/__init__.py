"""Views of a dataset: pandas frames, notebook HTML, figures and thumbnails."""
