"""Tuning: try recipes in rungs of growing length within a budget, and measure the best recipe with fresh seeds."""
