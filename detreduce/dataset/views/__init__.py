"""Views of a dataset: pandas frames, HTML for notebooks, figures, thumbnails, and predicted boxes instead of labels."""
