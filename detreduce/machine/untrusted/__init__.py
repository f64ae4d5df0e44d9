"""Read files from untrusted sources, with limits on size and content."""
