"""Building blocks that several methods share: quotas, groups, orders, greedy search, kernels, checks."""
