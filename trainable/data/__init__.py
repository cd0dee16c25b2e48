"""Images, labels, noise, augmentation."""
