"""Features from a proxy training (a short training of a small detector): scores of boxes, and gradients of the loss."""
