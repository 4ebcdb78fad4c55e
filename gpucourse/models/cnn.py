"""Convolutional networks for pictures of 28 x 28 pixels: PyTorch's textbook one, ours, and one with residual blocks.

All take float32 of shape (n, 1, 28, 28) and return scores of shape (n, classes): logits, no softmax, for
`torch.nn.functional.cross_entropy`.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Textbook(nn.Module):
    """The network of PyTorch's MNIST example: two convolutions, one pooling, two linear layers; 1,199,882 parameters.

    64 channels of 12 x 12 pixels are 9,216 numbers. (The example ends with a log-softmax; here cross-entropy has it.)
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout2d(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, (n, classes)."""
        x = F.relu(self.conv1(x))                  # (n, 32, 26, 26)
        x = F.relu(self.conv2(x))                  # (n, 64, 24, 24)
        x = self.dropout1(F.max_pool2d(x, 2))      # (n, 64, 12, 12)
        x = F.relu(self.fc1(x.flatten(1)))         # (n, 128)
        scores: Tensor = self.fc2(self.dropout2(x))
        return scores


def conv_block(channels_in: int, channels: int, norm: bool = True) -> nn.Sequential:
    """Return convolution 3 x 3, batch normalization if `norm`, ReLU: (n, channels_in, h, w) -> (n, channels, h, w)."""
    convolution = nn.Conv2d(channels_in, channels, 3, padding=1, bias=not norm)   # the normalization has a bias
    return nn.Sequential(convolution, *([nn.BatchNorm2d(channels)] if norm else []), nn.ReLU())


class DigitsCNN(nn.Module):
    """Three blocks, each followed by a pooling by 2; then one linear layer. `width` is the first block's channels."""

    def __init__(self, width: int = 16, classes: int = 10, norm: bool = True) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            conv_block(1, width, norm), nn.MaxPool2d(2),              # (n, width, 14, 14)
            conv_block(width, 2 * width, norm), nn.MaxPool2d(2),      # (n, 2 width, 7, 7)
            conv_block(2 * width, 4 * width, norm), nn.MaxPool2d(2),  # (n, 4 width, 3, 3)
        )
        self.head = nn.Linear(9 * 4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, (n, classes)."""
        scores: Tensor = self.head(self.blocks(x).flatten(1))
        return scores


class ResidualBlock(nn.Module):
    """y = ReLU(x + f(x)), where f is two convolutions with batch normalization (He and others, 2015).

    (n, channels, h, w) -> the same shape. The gradient reaches x undiminished through the sum. `shortcut=False`
    leaves the x out, for comparison.
    """

    def __init__(self, channels: int, shortcut: bool = True) -> None:
        super().__init__()
        self.f = nn.Sequential(
            conv_block(channels, channels), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return y of the shape of x."""
        return F.relu(x + self.f(x) if self.shortcut else self.f(x))


class ResidualCNN(nn.Module):
    """Convolution, `depth` residual blocks at 14 x 14, the same at 7 x 7, then the mean of each channel."""

    def __init__(self, width: int = 16, depth: int = 1, classes: int = 10, shortcut: bool = True) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for before, channels in ((1, width), (width, 2 * width)):
            stages += [conv_block(before, channels), nn.MaxPool2d(2)]
            stages += [ResidualBlock(channels, shortcut) for _ in range(depth)]
        self.stages, self.head = nn.Sequential(*stages), nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, (n, classes)."""
        scores: Tensor = self.head(self.stages(x).mean(dim=(2, 3)))
        return scores
