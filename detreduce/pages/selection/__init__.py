"""The page of one selection: its pictures, measures, pairs of duplicates and time lines."""
