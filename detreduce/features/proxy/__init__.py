"""Features from a proxy training: scores of boxes, and gradients of its detector."""
