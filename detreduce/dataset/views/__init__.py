"""What a person sees of a dataset: pandas frames, notebook HTML, figures, thumbnails."""
