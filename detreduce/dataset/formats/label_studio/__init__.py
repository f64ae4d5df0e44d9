"""Label Studio: JSON and JSON-MIN exports."""
