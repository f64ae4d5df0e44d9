"""Images: decode and resize them, read them ahead, and store the vectors that are computed from them."""
