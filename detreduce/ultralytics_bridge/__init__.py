"""The parts of ultralytics that detreduce uses: its settings folder, its pretrained weights and its detection heads."""
