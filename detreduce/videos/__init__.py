"""Videos: which frames they have, at what times, and their pixels."""
