"""The boxes that a detector predicts: run the detector, store its boxes, and compute scores of images from them."""
