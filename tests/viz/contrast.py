"""How much one color stands out from another, as WCAG 2.1 counts it."""

import numpy as np
from matplotlib.colors import to_rgb


def luminance(color):
    """Relative luminance of a color that matplotlib knows (https://www.w3.org/TR/WCAG21/#dfn-relative-luminance)."""
    channels = np.asarray(to_rgb(color), float)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    """The ratio of two colors' luminances, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
