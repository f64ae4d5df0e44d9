"""Names that the whole package shares: the controls of an experiment, and the allowed values of options."""
