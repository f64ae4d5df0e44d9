"""How things are shown in every place: numbers, names, HTML fragments, progress."""
