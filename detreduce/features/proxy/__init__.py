"""What a proxy training gives: scores of boxes, and gradients of its detector."""
