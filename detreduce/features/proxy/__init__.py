"""Features from a proxy training, a short training of a small detector: box scores and gradients of its loss."""
