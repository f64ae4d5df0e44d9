"""The methods. Each file contains one method."""
