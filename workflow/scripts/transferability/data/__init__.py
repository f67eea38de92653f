"""From images to stores, splits of their classes, and batches for training."""
