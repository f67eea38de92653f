"""Every figure, and the style that they share."""
