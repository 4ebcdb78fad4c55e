"""Neural networks from the ground up: layers, losses and optimizers in array code that NumPy and CuPy run alike.

Reading order: `layer.py` (what a layer owes), `dense.py`, `activations.py`, `losses.py`, `gradients.py`,
`optimizers.py`, `regularize.py`, `convolution.py`, `pooling.py`; then `cuda_ops.py`, where our own CUDA kernels stand
behind PyTorch's autograd. Rows are examples: a batch has the shape (examples, features) or (examples, channels, h, w).
"""

from gpucourse.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from gpucourse.nn.convolution import Conv2d
from gpucourse.nn.dense import Linear
from gpucourse.nn.gradients import finite_difference, gradient_error
from gpucourse.nn.layer import Layer, Parameter, Sequential
from gpucourse.nn.losses import SoftmaxCrossEntropy, SquaredError, l2_penalty, softmax
from gpucourse.nn.optimizers import SGD, AdaGrad, Adam, RMSprop
from gpucourse.nn.pooling import AvgPool2d, Flatten, MaxPool2d
from gpucourse.nn.regularize import Dropout

__all__ = [
    "SGD", "AdaGrad", "Adam", "AvgPool2d", "Conv2d", "Dropout", "Flatten", "Layer", "LeakyReLU", "Linear", "MaxPool2d",
    "Parameter", "RMSprop", "ReLU", "Sequential", "Sigmoid", "SoftmaxCrossEntropy", "SquaredError", "Tanh",
    "finite_difference", "gradient_error", "l2_penalty", "softmax",
]  # fmt: skip
