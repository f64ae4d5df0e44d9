"""Code that the writers of all formats share: choice, staging, links, reports."""
