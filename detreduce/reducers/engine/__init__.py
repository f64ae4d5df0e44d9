"""What methods share: seats, groups, greedy search, kernels, validation."""
