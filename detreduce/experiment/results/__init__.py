"""The results of an experiment: the outcome, its table, the conclusion and the advice."""
