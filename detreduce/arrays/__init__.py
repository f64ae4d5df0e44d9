"""Arrays that features and proxy trainings produce and reducers use: box tables, proxy logs, distances, scores."""
