"""Features of images and boxes: decode, backbone, annotations, kept on disk under content keys."""
