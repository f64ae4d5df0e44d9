"""Compare images by their pixels: signatures, descriptors, alignment in eight orientations, and matching."""
