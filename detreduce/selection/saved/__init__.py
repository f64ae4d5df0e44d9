"""The file of a selection: its fields, reading, writing, and finding its dataset again."""
