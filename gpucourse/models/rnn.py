"""Recurrent networks in PyTorch: a forecaster of a series, and a model of text letter by letter."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpucourse.errors import CourseError

CELLS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def _recurrent(cell: str, inputs: int, size: int) -> nn.RNNBase:
    if cell not in CELLS:
        raise CourseError(f"there is no cell {cell!r}; there are {', '.join(CELLS)}")
    return CELLS[cell](inputs, size, batch_first=True)


class Forecaster(nn.Module):
    """Reads a window (n, steps, features) hour by hour and returns the next `horizon` values, (n, horizon)."""

    def __init__(self, features: int, size: int = 32, horizon: int = 1, cell: str = "gru") -> None:
        super().__init__()
        self.rnn, self.head = _recurrent(cell, features, size), nn.Linear(size, horizon)

    def forward(self, x: Tensor) -> Tensor:
        """Return the forecast, made from the state after the last step."""
        states, _ = self.rnn(x)
        forecast: Tensor = self.head(states[:, -1])
        return forecast


class Alphabet:
    """The characters of a text, each with a number: `encode` text to int64 (n,), `decode` back."""

    def __init__(self, text: str) -> None:
        self.letters = "".join(sorted(set(text)))
        self._numbers = {letter: number for number, letter in enumerate(self.letters)}

    def __len__(self) -> int:
        return len(self.letters)

    def encode(self, text: str) -> Tensor:
        """Return the numbers. Raises CourseError for a character that the text did not have."""
        unknown = sorted(set(text) - set(self.letters))
        if unknown:
            raise CourseError(f"{unknown[0]!r} is not among the {len(self)} characters that the model knows")
        return torch.tensor([self._numbers[letter] for letter in text], dtype=torch.int64)

    def decode(self, numbers: Tensor) -> str:
        """Return the text."""
        return "".join(self.letters[number] for number in numbers.tolist())


class CharacterModel(nn.Module):
    """Reads characters, int64 (n, steps), and returns at each step the scores of the next one, (n, letters, steps).

    This is the order of axes that `cross_entropy(scores, targets)` with targets (n, steps) expects.
    """

    def __init__(self, letters: int, size: int = 128, embedding: int = 32, cell: str = "gru") -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(letters, embedding), _recurrent(cell, embedding, size)
        self.head = nn.Linear(size, letters)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        return self.step(x)[0].transpose(1, 2)

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scores (n, steps, letters) and the last state, to go on from."""
        states, state = self.rnn(self.embedding(x), state)
        return self.head(states), state

    @torch.inference_mode()
    def sample(self, start: Tensor, length: int, temperature: float = 1.0, seed: int | None = None) -> Tensor:
        """Return `start`, int64 (steps,), and `length` further characters, drawn one by one.

        The chances are softmax(scores / temperature): below 1 the likely ones are favored; at 0 the likeliest is taken.
        """
        generator = None if seed is None else torch.Generator(start.device).manual_seed(seed)
        found, state, part = [start], None, start[None]
        for _ in range(length):
            scores, state = self.step(part, state)
            last = scores[0, -1]
            if temperature > 0:
                part = torch.multinomial((last / temperature).softmax(0), 1, generator=generator)[None]
            else:
                part = last.argmax()[None, None]
            found.append(part[0])
        return torch.cat(found)
