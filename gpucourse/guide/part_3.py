"""The quiz of part III: layers, gradients, rates, Adam, and the sizes and costs of a convolution."""

from __future__ import annotations

from gpucourse.guide.question import Question, Section

QUESTIONS = (
    Question(
        "part3.1", "Ten layers",
        "Somebody stacks ten linear layers of 100 units, each y = x Wᵀ + b, one after the other, with nothing between "
        "them. What can this network do that one such layer cannot?",
        {"a": "separate classes by curved borders", "b": "nothing", "c": "nothing until the biases are removed",
         "d": "ten times as much, it has ten times the parameters"},
        "b",
        {
            "a": "A straight line of a straight line is straight. A border bends only where a function between the "
                 "layers "
                 "bends.",
            "c": "Biases do not matter here: with them the result is still x times one matrix plus one row.",
            "d": "It has more parameters, and they describe one matrix. Parameters alone are no power.",
        },
        "Ten products are one product. What makes layers more than one is the function between them.",
        (Section("10", "2. What does one layer do?"),),
    ),
    Question(
        "part3.2", "The wrong line",
        """A linear layer y = x Wᵀ + b has x (n, inputs), W (outputs, inputs), b (outputs,). The loss has divided by n
already, before it hands over `dy`. The finite differences disagree with one of these lines. With which?

```python
def backward(self, dy):
    dW = dy.T @ self.x               # A
    db = dy.mean(axis=0)             # B
    dx = dy @ self.W                 # C
    return dx                        # D
```""",
        {"a": "A", "b": "B", "c": "C", "d": "D"},
        "b",
        {
            "a": "(outputs, n) times (n, inputs) has the shape of W, and sums over the examples. It is right.",
            "c": "(n, outputs) times (outputs, inputs) has the shape of x: what each input contributed. It is right.",
            "d": "The layer below needs dL/dx, not dL/dy or dL/dW. It is right.",
        },
        "b takes part in all n rows, so its gradient is their sum. The mean divides by n a second time.",
        (Section("10", "6. How does a gradient pass through a layer?"), Section("10",
         "7. How do you know that it is right?")),
    ),
    Question(
        "part3.3", "All alike",
        "All weights of a network with one hidden layer begin at the same number, 0.1, and all biases at 0. It is "
        "trained "
        "for an hour. What have the hidden units learned?",
        {"a": "the same as from random weights, only later", "b": "nothing: no gradient arrives",
         "c": "all the same: they are still equal to each other", "d": "it has diverged"},
        "c",
        {
            "a": "Time does not help: equal units get equal gradients in each step.",
            "b": "With weights of 0 no gradient would arrive at the hidden layer. With 0.1 it does, the same one "
                 "at each "
                 "unit.",
            "d": "Nothing makes the steps grow. It learns, as far as one unit can.",
        },
        "Equal units compute the same, get the same gradient, and stay equal. Chance at the start tells them apart.",
        (Section("10", "10. Why does a network not learn?"),),
    ),
    Question(
        "part3.4", "The largest rate",
        "Plain gradient descent on L(w) = 10 w², from w = 1. With which learning rate does it converge?",
        {"a": "0.5", "b": "0.2", "c": "0.11", "d": "0.09"},
        "d",
        {
            "a": "The gradient is 20 w, so a step takes w to (1 - 0.5 · 20) w = -9 w.",
            "b": "The gradient is 20 w, so a step takes w to (1 - 0.2 · 20) w = -3 w.",
            "c": "A step takes w to (1 - 0.11 · 20) w = -1.2 w: it jumps over the valley and lands higher up.",
        },
        "A step takes w to (1 - 20 · 0.09) w = -0.8 w: it jumps from side to side, and comes down.",
        (Section("11", "2. What does a loss look like from above?"), Section("11",
         "8. How large should the rate be, and when?")),
    ),
    Question(
        "part3.5", "Adam's first step",
        "Two weights have the gradients 1000 and 0.001. Adam, with bias correction and a rate of 0.01, takes its "
        "first "
        "step. How far do they move?",
        {"a": "10 and 0.00001", "b": "both by 0.01", "c": "the first by 0.01, the second hardly",
         "d": "both by 0.001: the means begin at 0"},
        "b",
        {
            "a": "That is plain descent: rate times gradient. Adam divides by the size of the gradient.",
            "c": "Each weight is divided by the size of its own gradient, so the second one moves as far.",
            "d": "Both means begin at 0, but bias correction makes up for it: they are 1000 and 1000² at once.",
        },
        "A gradient divided by its own size is 1 or -1. So the first step is as long as the rate says.",
        (Section("11", "5. What does Adam add?"),),
    ),
    Question(
        "part3.6", "How large is the answer?",
        "A convolution with a kernel of 5 x 5, a padding of 2 and a stride of 2 runs over pictures of 28 x 28. How "
        "large "
        "are the results?",
        {"a": "28 x 28", "b": "12 x 12", "c": "13 x 13", "d": "14 x 14"},
        "d",
        {
            "a": "A padding of 2 would keep 28 with a stride of 1. The stride leaves out every second place.",
            "b": "That is without the padding: (28 - 5) / 2, rounded down, and 1.",
            "c": "You have counted the steps from place to place. There is one place more than there are steps.",
        },
        "(28 + 4 - 5) / 2 = 13.5: 13 steps, so 14 places.",
        (Section("12", "3. How large is the answer?"),),
    ),
    Question(
        "part3.7", "What does im2col cost?",
        "A 3 x 3 convolution with padding 1 and stride 1 is computed by im2col and one matrix product. How large "
        "is the "
        "matrix that im2col makes, compared with the picture?",
        {"a": "as large", "b": "3 times", "c": "9 times", "d": "a ninth"},
        "c",
        {
            "a": "Each place needs a column of its own with the 9 pixels it sees, and places overlap.",
            "b": "The window is 3 wide *and* 3 high: a pixel is seen by 9 windows.",
            "d": "The matrix repeats pixels. It leaves none out.",
        },
        "As many places as pixels, and 9 pixels at each: the picture is written 9 times.",
        (Section("12", "5. Can it be one matrix product?"),),
    ),
)
