"""Access to ultralytics: its settings folder, its pretrained weights and its detection heads."""
