"""Array types: box tables, distances, and the logs and scores of proxy trainings.

`features` and proxy trainings produce these arrays, and the reducers use them.
"""
