"""Arrays that `features` and proxy trainings produce and that the reducers use: box tables, proxy logs, scores."""
