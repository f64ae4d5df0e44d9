"""Label Studio: its JSON and JSON-MIN exports."""
