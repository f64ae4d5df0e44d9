"""One run of ultralytics: its folder and data, its arguments, its trainer, and how it is kept off the network."""
