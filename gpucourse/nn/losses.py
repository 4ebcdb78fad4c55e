"""Losses: one number that says how wrong a batch of outputs is, and its gradient."""

from __future__ import annotations

from collections.abc import Iterable

from gpucourse.nn.layer import Array, Parameter, module_of


def softmax(logits: Array) -> Array:
    """Return exp(x) / sum(exp(x)) along the last axis, of the same shape.

    The row's maximum is subtracted first, which changes nothing but keeps exp from overflowing.
    """
    xp = module_of(logits)
    powers = xp.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class SoftmaxCrossEntropy:
    """The mean of -log p[label] over the batch, where p = softmax(logits).

    Logits are the raw outputs, (n, classes); labels are class numbers, integers of shape (n,).
    """

    def forward(self, logits: Array, labels: Array) -> float:
        """Return the loss, a Python float."""
        xp = module_of(logits)
        self.labels, self.rows = labels, xp.arange(len(labels))
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
        self.p = xp.exp(log_p)
        return -float(log_p[self.rows, labels].mean())

    def backward(self) -> Array:
        """Return dL/dlogits = (p - y) / n, (n, classes): y is 1 at the label, else 0."""
        gradient = self.p.copy()
        gradient[self.rows, self.labels] -= 1
        return gradient / len(self.labels)

    __call__ = forward


class SquaredError:
    """The mean of (y - target)² over all elements; y and target have the same shape."""

    def forward(self, y: Array, target: Array) -> float:
        """Return the loss, a Python float. Raises ValueError for different shapes, which would broadcast silently."""
        if y.shape != target.shape:
            raise ValueError(f"outputs have the shape {y.shape}, targets {target.shape}; they must be the same")
        self.difference = y - target
        return float((self.difference**2).mean())

    def backward(self) -> Array:
        """Return dL/dy = 2 (y - target) / elements."""
        return 2 * self.difference / self.difference.size

    __call__ = forward


def l2_penalty(parameters: Iterable[Parameter], strength: float) -> float:
    """Add strength/2 · the sum of squares of the parameters to the loss: return it, and add its gradient, strength · p.

    Call it after `backward`, which overwrites the gradients. It is what `weight_decay=strength` does in `SGD`.
    """
    total = 0.0
    for parameter in parameters:
        parameter.gradient = parameter.gradient + strength * parameter.value
        total += float((parameter.value**2).sum())
    return strength / 2 * total
