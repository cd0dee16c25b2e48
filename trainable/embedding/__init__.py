"""Features of images by a fixed network or transformation, written to a file."""
