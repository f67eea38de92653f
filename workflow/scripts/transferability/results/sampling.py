"""What the choice of validation images adds to the uncertainty of a result."""

import math


def error_of_difference(accuracy: float, images: float) -> float:
    """The largest standard error that a sample of validation images gives the difference between two networks.

    With equal accuracies p and independent errors, the difference of two accuracies on N images has the variance
    2 p (1 - p) / N; it is smaller the more often two networks err on the same images.

    Args:
        accuracy: the accuracy of both networks, 0 to 1; the error is largest at one half.
        images: the number of validation images.
    """
    return math.sqrt(2 * accuracy * (1 - accuracy) / images)
