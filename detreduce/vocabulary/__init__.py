"""Names that the whole package uses: the controls of an experiment and the values of shared options."""
