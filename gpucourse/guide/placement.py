"""The placement test: twelve questions before the first lesson, and where to begin by what was known."""

from __future__ import annotations

from collections import Counter

from gpucourse.exercises import outcome
from gpucourse.guide import answering
from gpucourse.guide.course import file_name, lesson
from gpucourse.guide.question import Page, Question, Section

_BROADCASTING = Page("NumPy: broadcasting", "https://numpy.org/doc/stable/user/basics.broadcasting.html")
_BEGINNERS = Page("NumPy: the absolute basics for beginners",
                  "https://numpy.org/doc/stable/user/absolute_beginners.html")  # fmt: skip
_COPIES = Page("NumPy: copies and views", "https://numpy.org/doc/stable/user/basics.copies.html")

AREAS = {"numpy": "NumPy", "numbers": "Floating-point numbers", "math": "Derivatives and chances",
         "gpu": "CUDA kernels", "torch": "PyTorch"}  # fmt: skip

QUESTIONS = (
    Question(
        "start.1", "Two shapes meet",
        "`a` has the shape (3, 1) and `b` has the shape (4,). What is the shape of `a + b`?",
        {"a": "(3, 1)", "b": "(3, 4)", "c": "(4, 3)", "d": "none, it is an error"},
        "b",
        {
            "a": "That would leave `b` out. A length of 1 is stretched to the other's length, so the column becomes 4 "
                 "wide.",
            "c": "Shapes are lined up at their right end: the 4 of `b` meets the 1 of `a`, so 4 is the last length, "
                 "not "
                 "the first.",
            "d": "Different lengths are an error only if neither is 1. Here 1 meets 4, and 3 meets nothing.",
        },
        "Shapes are lined up at the right, and a length of 1 is stretched. This is called broadcasting.",
        (_BROADCASTING,), "numpy",
    ),
    Question(
        "start.2", "A mean along an axis",
        "`x` has the shape (1000, 28). What is the shape of `x.mean(axis=0)`?",
        {"a": "(1000,)", "b": "(), one number", "c": "(28,)", "d": "(1, 28)"},
        "c",
        {
            "a": "`axis=0` is the axis that disappears, not the one that stays. (1000,) is what `axis=1` gives.",
            "b": "One number comes out without `axis`. With it, only that axis is averaged away.",
            "d": "The averaged axis is dropped; it stays, with length 1, only with `keepdims=True`.",
        },
        "The axis you name is the one that goes away: 1000 rows become one mean for each of 28 columns.",
        (_BEGINNERS,), "numpy",
    ),
    Question(
        "start.3", "A loop without a loop",
        """Which expression gives the same `out` as this loop?

```python
out = np.empty(len(x))
for i in range(len(x)):
    out[i] = x[i] * x[i] if x[i] > 0 else 0.0
```""",
        {"a": "`x[x > 0] ** 2`", "b": "`np.where(x > 0, x * x, 0.0)`", "c": "`x * x`", "d": "`(x * x) > 0`"},
        "b",
        {
            "a": "A mask as an index keeps only the positive elements: the result is shorter than `x`, and the zeros "
                 "are "
                 "missing.",
            "c": "It squares the negative elements as well, where the loop writes 0.",
            "d": "That is an array of True and False, not of squares.",
        },
        "`np.where` chooses element by element, and keeps the shape.",
        (_BEGINNERS,), "numpy",
    ),
    Question(
        "start.4", "Whose memory?",
        "What is `a.sum()` at the end?\n\n```python\na = np.zeros((2, 3))\nrow = a[0]\nrow += 1\n```",
        {"a": "0.0", "b": "3.0", "c": "6.0", "d": "an error at `row += 1`"},
        "b",
        {
            "a": "That would need a copy. A slice or a row is a view: it is the same memory under another name.",
            "c": "Only the row `a[0]` has three elements to change; the row `a[1]` stays 0.",
            "d": "Adding in place to a row is allowed, and writes into `a`.",
        },
        "`row` is a view of `a`. What is a copy and what is not will decide how fast a GPU program is.",
        (_COPIES,), "numpy",
    ),
    Question(
        "start.5", "The end of float32",
        "What is `np.float32(16777216) + np.float32(1)`? (16777216 is two to the power of 24.)",
        {"a": "16777217", "b": "inf", "c": "16777216", "d": "an error: it does not fit"},
        "c",
        {
            "a": "float32 has 24 binary digits for a number. 16777217 would need 25.",
            "b": "inf comes only beyond about 3.4e38. The size is no problem here, the number of digits is.",
            "d": "Floating-point sums are rounded, not refused. Nothing warns you.",
        },
        "The nearest float32 to the sum is 16777216 again. A GPU mostly works with float32 or less.",
        (Section("02", "6. Which numbers should I use?"),), "numbers",
    ),
    Question(
        "start.6", "Who asked for float64?",
        "`x` is an array of float32. Which of these is an array of float64?",
        {"a": "`x * 2.0`", "b": "`np.sqrt(x)`", "c": "`x + x`", "d": "`x * np.ones(len(x))`"},
        "d",
        {
            "a": "A plain Python number takes the type of the array that it meets: the result stays float32.",
            "b": "A function of one array keeps its floating type: float32.",
            "c": "Two arrays of the same type give this type: float32.",
        },
        "`np.ones` makes float64 unless told otherwise, and the wider type wins.",
        (Section("02", "6. Which numbers should I use?"),), "numbers",
    ),
    Question(
        "start.7", "A slope",
        "f(w) = (3w - 6)². What is the derivative of f at w = 1?",
        {"a": "-6", "b": "-18", "c": "9", "d": "18"},
        "b",
        {
            "a": "That is 2 · (3w - 6). The inner function 3w - 6 has a slope of its own, 3, which multiplies it.",
            "c": "9 is the value f(1), not its slope.",
            "d": "The size is right, the sign is not: at w = 1 the inside, 3w - 6, is -3.",
        },
        "The chain rule: 2 · (3w - 6) · 3 = -18. So f falls as w grows, and learning will move w up.",
        (Section("10", "5. Which way is down?"), Section("10", "6. How does a gradient pass through a layer?")),
         "math",
    ),
    Question(
        "start.8", "A good test of a rare thing",
        "1 of 100 people is ill. A test finds 90 % of the ill, and calls 10 % of the healthy ill as well. Of those "
        "whom "
        "it calls ill, about how many are ill?",
        {"a": "90 %", "b": "50 %", "c": "8 %", "d": "1 %"},
        "c",
        {
            "a": "90 % is the other direction: of the ill, how many are called ill.",
            "b": "That would hold if as many ill as healthy people were tested. Here 99 healthy people stand beside "
                 "each "
                 "ill one.",
            "d": "1 % is what you knew before the test. A positive test raises it.",
        },
        "Of 1,000 people 9 are called ill rightly and 99 wrongly: 9 of 108. Rare classes return in lesson 15.",
        (Section("15", "6. What if a class is rare?"),), "math",
    ),
    Question(
        "start.9", "Blocks that do not fit",
        "A kernel gives one thread to each of 1,000 elements, in blocks of 256 threads. How many blocks do you start?",
        {"a": "3", "b": "4, and a comparison in the kernel sends 24 threads home", "c": "4, of 250 threads each",
         "d": "1,000, one for each element"},
        "b",
        {
            "a": "3 blocks are 768 threads. The last 232 elements would get none.",
            "c": "That also covers them, but the blocks were to have 256 threads; and 250 is no multiple of 32, so "
                 "in each "
                 "block 6 lanes would idle.",
            "d": "The number you give is of blocks: 1,000 of them would be 256,000 threads.",
        },
        "Round up, and guard: `if (i < n)`.",
        (Section("03", "3. Third rung: blocks of threads"), Section("03", "8. What if the guard is missing?")), "gpu",
    ),
    Question(
        "start.10", "The same work, another order",
        "32 neighboring threads read `x[i]`, float32. Then the kernel is changed, and they read `x[32 * i]`. "
        "How much more must memory move for the same 32 numbers?",
        {"a": "as much as before", "b": "8 times as much", "c": "32 times as much",
         "d": "less: no two threads collide"},
        "b",
        {
            "a": "The same bytes are used, but memory is not handed out by the byte: a piece has 32 bytes.",
            "c": "Each number now needs a piece of its own. But a piece has 32 bytes, not 128: 32 pieces stand "
                 "against 4.",
            "d": "Reading the same piece is no collision. It is what makes neighbors cheap.",
        },
        "Memory hands out 32-byte sectors: 4 of them serve 32 neighbors, 32 of them serve 32 strangers.",
        (Section("04", "3. What does memory hand out?"),), "gpu",
    ),
    Question(
        "start.11", "One line is missing",
        """What does this loop do, after the first step?

```python
for x, y in batches:
    loss = loss_of(model(x), y)
    loss.backward()
    optimizer.step()
```""",
        {"a": "It descends along the sum of all gradients so far", "b": "It stops with an error at `backward`",
         "c": "It works: each `backward` begins anew", "d": "It does not move the weights"},
        "a",
        {
            "b": "A second `backward` of the same graph is an error. But each step builds a new graph.",
            "c": "`backward` adds to `.grad`; it never clears it.",
            "d": "`optimizer.step` moves them, though by a gradient that is not this batch's.",
        },
        "`optimizer.zero_grad()` is missing, and nothing warns you.",
        (Section("13", "4. What belongs to a step?"),), "torch",
    ),
    Question(
        "start.12", "A forgotten word",
        "A model has dropout and batch normalization. You test it without calling `model.eval()`. What happens?",
        {"a": "Nothing, since `backward` is not called", "b": "The weights change during the test",
         "c": "It is an error", "d": "An answer depends on chance and on the other pictures of its batch"},
        "d",
        {
            "a": "Dropout and batch normalization change the forward pass, which a test does use.",
            "b": "Weights change only in `optimizer.step`. (The running means of batch normalization do change.)",
            "c": "Both modes are legal, so nothing warns you.",
        },
        "In training mode dropout throws numbers away, and batch normalization uses this batch's mean.",
        (Section("13", "4. What belongs to a step?"), Section("13", "9. What does batch normalization do?")), "torch",
    ),
)


# -- where to begin ---------------------------------------------------------------------------------

CANNOT_TELL = (
    "What twelve questions cannot tell: a guess hits one in four, to recognize an answer is easier than to write it, "
    "and speed was not asked. So try the first exercise of the lesson named here. If it costs you more than half an "
    "hour, go one lesson back; if it bores you, go one on."
)


def advice(right: set[str], given: set[str]) -> tuple[str, tuple[str, ...]]:
    """Return the lesson to begin with, and the sentences that say why, from the ids answered rightly and at all."""
    score = Counter(question.area for question in QUESTIONS if question.id in right)
    if len(given) < len(QUESTIONS):
        left = len(QUESTIONS) - len(given)
        return "01", (f"{left} of {len(QUESTIONS)} questions are open; with all of them answered this says more. "
                      "(`\"?\"` is an answer.) Without them: begin with lesson 01.",)  # fmt: skip
    if score["numpy"] < 3:
        return "01", ("Some NumPy first: one or two hours with the pages below. Then begin with lesson 01, which "
               "needs "
                      "only a little of it.",)  # fmt: skip
    if score["torch"] == 2 and score["math"] == 2 and score["gpu"] < 2:
        return "01", ("Begin with lesson 01: kernels are new to you, and part II is what other courses lack.",
                      "If you came for training: you know enough PyTorch to begin with lesson 13, and come back to "
                      "lessons 01 to 04 before lesson 14, which asks where the time goes.")  # fmt: skip
    if score["gpu"] == 2:
        return "04", ("You have met kernels: begin with lesson 04, memory. It takes `profile` and `sanitize` as "
               "known: "
                      "skim lesson 03, sections 8 and 11, and lesson 02, section 4, on the way.",)  # fmt: skip
    return "01", ("Begin with lesson 01. You know what it asks for.",)


def where_to_begin() -> None:
    """Show the placement test's result: what was known, the lesson to begin with, what to read, what is not known."""
    right, given = answering.known("start"), set(answering.first_answers("start"))
    number, sentences = advice(right, given)
    headline = f"Begin with lesson {number}, {lesson(number).title}."
    areas = _areas(right) if given else ""
    to_read = answering.unread(q for q in QUESTIONS if q.id in given - right)
    lines = [headline, *sentences, *([areas] if areas else []), *(f"Read: {place.name}." for place in to_read)]
    body = outcome.paragraphs(*sentences, areas) + _open(number) + "".join(map(answering.linked, to_read))
    page = outcome.box(headline, body + outcome.paragraphs(CANNOT_TELL), outcome.TOLD)
    outcome.show("\n".join([*lines, CANNOT_TELL]), page)


def _areas(right: set[str]) -> str:
    """Say for each area how many of its questions were known."""
    of = Counter(question.area for question in QUESTIONS)
    score = Counter(question.area for question in QUESTIONS if question.id in right)
    return "Known at the first answer: " + ", ".join(f"{name} {score[a]} of {of[a]}" for a, name in AREAS.items()) + "."


def _open(number: str) -> str:
    return f'<div style="margin-top:0.3em"><a href="{file_name(number)}">Open lesson {number}</a></div>'
