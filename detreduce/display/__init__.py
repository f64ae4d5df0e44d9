"""How numbers, names, tables and progress are shown in the terminal, in notebooks and in reports."""
