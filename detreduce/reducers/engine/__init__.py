"""What methods share: seats, groups, orders, greedy search, kernels, checks."""
