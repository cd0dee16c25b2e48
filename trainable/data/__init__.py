"""Data sets: images, labels, label noise, splits, augmentation."""
