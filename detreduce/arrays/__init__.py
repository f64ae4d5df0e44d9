"""The tables of numbers that features hand to reducers."""
