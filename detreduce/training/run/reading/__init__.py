"""Read the images of a training: which images, in which order, and from which file of the dataset."""
