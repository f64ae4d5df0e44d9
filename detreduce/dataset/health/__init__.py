"""The health check of a dataset: findings with a verdict each, and the numbers behind the verdicts."""
