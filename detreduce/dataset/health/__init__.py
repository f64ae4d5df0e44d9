"""The health check of a dataset: findings, each with a verdict, and the numbers behind the verdicts."""
