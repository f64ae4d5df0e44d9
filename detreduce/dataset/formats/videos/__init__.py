"""Videos, and folders of videos and images, without labels."""
