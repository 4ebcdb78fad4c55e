"""Optimizers: rules that turn gradients into steps. Each gives what `torch.optim` gives, to rounding.

All take the parameters once, keep what they remember of each (arrays of its shape), and change the values in place
by `step()`. `weight_decay` w adds w · p to the gradient of p, the gradient of w/2 · p².
"""

from __future__ import annotations

from collections.abc import Iterable

from gpucourse.nn.layer import Array, Parameter, module_of


class Optimizer:
    """What all optimizers share: the parameters, the learning rate, and a step for each parameter."""

    def __init__(self, parameters: Iterable[Parameter], lr: float, weight_decay: float = 0.0) -> None:
        self.parameters, self.lr, self.weight_decay, self.steps = list(parameters), lr, weight_decay, 0
        if not self.parameters:
            raise ValueError("there is no parameter to optimize: pass net.parameters()")

    def step(self) -> None:
        """Change every parameter a little; its gradient must have been computed."""
        self.steps += 1
        for number, p in enumerate(self.parameters):
            if p.gradient is None:
                raise ValueError(f"parameter {number} of shape {p.value.shape} has no gradient: call backward first")
            penalized = p.gradient + self.weight_decay * p.value if self.weight_decay else p.gradient
            self.update(number, p.value, penalized)

    def update(self, number: int, value: Array, gradient: Array) -> None:
        """Change `value`, parameter `number`, in place."""
        raise NotImplementedError

    def zeros(self) -> list[Array]:
        """Return an array of zeros for each parameter."""
        return [module_of(p.value).zeros_like(p.value) for p in self.parameters]


class SGD(Optimizer):
    """v = momentum · v + g; p -= lr · v. With momentum 0 plain gradient descent. `nesterov`: looks a step ahead."""

    def __init__(
        self, parameters: Iterable[Parameter], lr: float, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum, self.nesterov, self.velocity = momentum, nesterov, self.zeros()

    def update(self, number: int, value: Array, gradient: Array) -> None:
        """One step."""
        v = self.velocity[number]
        v *= self.momentum
        v += gradient
        value -= self.lr * (gradient + self.momentum * v if self.nesterov else v)


class AdaGrad(Optimizer):
    """s += g²; p -= lr · g / (√s + eps): each number has its own rate, which only falls (Duchi et al., 2011)."""

    def __init__(
        self, parameters: Iterable[Parameter], lr: float = 0.01, eps: float = 1e-10, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.eps, self.squares = eps, self.zeros()

    def update(self, number: int, value: Array, gradient: Array) -> None:
        """One step."""
        s = self.squares[number]
        s += gradient**2
        value -= self.lr * gradient / (module_of(s).sqrt(s) + self.eps)


class RMSprop(Optimizer):
    """s = decay · s + (1 - decay) g²; p -= lr · g / (√s + eps): as AdaGrad, but it forgets (Hinton, lecture 6e)."""

    def __init__(
        self, parameters: Iterable[Parameter], lr: float = 0.01, decay: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.decay, self.eps, self.squares = decay, eps, self.zeros()

    def update(self, number: int, value: Array, gradient: Array) -> None:
        """One step."""
        s = self.squares[number]
        s *= self.decay
        s += (1 - self.decay) * gradient**2
        value -= self.lr * gradient / (module_of(s).sqrt(s) + self.eps)


class Adam(Optimizer):
    """m = b1 · m + (1 - b1) g; s = b2 · s + (1 - b2) g²; p -= lr · m̂ / (√ŝ + eps) (Kingma and Ba, 2015).

    m̂ = m / (1 - b1ᵗ) and ŝ = s / (1 - b2ᵗ) after t steps: m and s begin at zero and would be too small at first.
    `decoupled`: the weight decay shrinks p directly, by lr · w · p (AdamW; Loshchilov and Hutter, 2019).
    """

    def __init__(
        self, parameters: Iterable[Parameter], lr: float = 0.001, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, decoupled: bool = False,
    ) -> None:
        super().__init__(parameters, lr, 0.0 if decoupled else weight_decay)
        self.decoupled = weight_decay if decoupled else 0.0
        self.betas, self.eps, self.means, self.squares = betas, eps, self.zeros(), self.zeros()

    def update(self, number: int, value: Array, gradient: Array) -> None:
        """One step."""
        m, s, (b1, b2) = self.means[number], self.squares[number], self.betas
        if self.decoupled:
            value *= 1 - self.lr * self.decoupled
        m *= b1
        m += (1 - b1) * gradient
        s *= b2
        s += (1 - b2) * gradient**2
        root = module_of(s).sqrt(s / (1 - b2**self.steps)) + self.eps
        value -= self.lr / (1 - b1**self.steps) * m / root
