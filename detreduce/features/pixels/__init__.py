"""Compute vectors of images and boxes: run a backbone on the pixels, pool its feature map, store the vectors."""
