"""Names and paths of files: find them, list them, and decide which files may be used."""
