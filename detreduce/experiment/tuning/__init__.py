"""Tuning: try recipes in rounds of increasing length (rungs) within a budget, and measure the best with fresh seeds."""
