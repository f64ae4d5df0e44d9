"""Names that every room uses: the controls of an experiment, the values of shared options."""
