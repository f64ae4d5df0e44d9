"""The way into ultralytics: its settings folder, its pretrained weights, its detection heads."""
