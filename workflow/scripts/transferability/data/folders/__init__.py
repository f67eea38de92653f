"""Data sets of image files: which files count, how they are read, and which class each belongs to."""
