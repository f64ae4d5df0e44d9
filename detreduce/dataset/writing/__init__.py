"""Code that the writers of all formats share: chosen images, staging, links, reports."""
