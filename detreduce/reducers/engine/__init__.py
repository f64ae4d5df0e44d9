"""Code that several methods share: quotas, groups, orders, greedy search, kernels and checks."""
