"""The quiz of part I: speed-up, honest times, hidden transfers, break-even, and what limits a computation."""

from __future__ import annotations

from gpucourse.guide.question import Question, Section

QUESTIONS = (
    Question(
        "part1.1", "Twenty times faster",
        "A program takes 100 s. A GPU does four fifths of its work 20 times as fast; the rest stays as it is. How "
        "many "
        "times as fast is the whole program?",
        {"a": "20 times", "b": "16 times", "c": "about 4 times", "d": "5 times"},
        "c",
        {
            "a": "Only 80 s of the 100 s become shorter. The other 20 s are still there.",
            "b": "Times add, speed-ups do not: four fifths of 20 has no meaning. Add the seconds that are left of "
                 "each part.",
            "d": "That is the limit, if the 80 s took no time at all. They still take 4 s.",
        },
        "20 s stay and 80 s become 4 s: 100 / 24. What stays behind soon decides.",
        (Section("01", "6. What do more workers bring?"),),
    ),
    Question(
        "part1.2", "What was timed?",
        """On a machine with a GPU, the program prints a time of 20 µs for a square root of 100 million elements.

```python
start = time.perf_counter()          # 1
y = cp.sqrt(x)                       # 2
stop = time.perf_counter()           # 3
print(stop - start, float(y[0]))     # 4
```

What have the 20 µs measured?""",
        {"a": "the square roots: a GPU is that fast", "b": "how long it takes to hand the work over",
         "c": "the copy of `y` to the host", "d": "the compilation of the kernel"},
        "b",
        {
            "a": "100 million floats are 400 MB to read and 400 MB to write. In 20 µs that would be 40,000 GB a "
                 "second, "
                 "more than any memory does.",
            "c": "Nothing is copied between lines 1 and 3. The copy is in line 4, where somebody asks for a value.",
            "d": "A compilation takes milliseconds at least, and happens only at the first call.",
        },
        "Line 2 only puts the work into a queue and returns. Wait for the device before you read the clock.",
        (Section("02", "4. When is a line finished?"), Section("02", "5. Can a GPU be 216,000 times faster?")),
    ),
    Question(
        "part1.3", "Find the line that copies",
        """Which line makes the host wait for the device and copies something back, in *each* of the 1,000 passes?

```python
x = cp.asarray(host)                 # A
for _ in range(1000):
    x = x - x.mean()                 # B
    if x.max() < 1e-6:               # C
        break
    x = cp.sqrt(cp.abs(x))           # D
```""",
        {"a": "A", "b": "B", "c": "C", "d": "D"},
        "c",
        {
            "a": "A copies all of `host`, but it stands before the loop: once, not 1,000 times.",
            "b": "`x.mean()` is an array on the device, with one element, and the difference is computed there. "
                 "Nobody in "
                 "Python needs its value.",
            "d": "Two kernels are put into the queue, on device arrays. Nothing comes back.",
        },
        "An `if` needs to know a truth value, now, in Python. One byte is copied, after a wait for all that is "
        "queued.",
        (Section("02", "3. What does a copy cost?"),),
    ),
    Question(
        "part1.4", "From which size on?",
        "A CPU takes 1 ns an element. A GPU takes 45 µs to get going, and then 0.1 ns an element. From how many "
        "elements "
        "on is the GPU faster?",
        {"a": "from 1 element on", "b": "from 45,000 on", "c": "from 50,000 on", "d": "from 450,000 on"},
        "c",
        {
            "a": "The 45 µs come before the first element. In that time the CPU has done 45,000.",
            "b": "At 45,000 elements the CPU has taken 45 µs, and the GPU 45 µs and 4.5 µs more for its elements.",
            "d": "That divides the start by the GPU's 0.1 ns. What makes up for it is the difference: 0.9 ns an "
                 "element.",
        },
        "The GPU gains 0.9 ns with each element: 45 µs / 0.9 ns = 50,000.",
        (Section("01", "7. From which size on does it pay?"),),
    ),
    Question(
        "part1.5", "What would help?",
        "`y = 2 * x + 1` runs as one kernel, on float32. The GPU does 10 trillion operations a second, and its "
        "memory moves "
        "500 billion bytes a second. Which GPU would run it about twice as fast?",
        {"a": "one with twice the operations", "b": "one with twice the bytes a second",
         "c": "one with twice the memory", "d": "none, it is at the limit of operations"},
        "b",
        {
            "a": "Two operations for 8 bytes moved: the memory brings work for 125 billion operations a second. The "
                 "other "
                 "9,875 billion wait already.",
            "c": "A larger memory holds more. It moves no more in a second.",
            "d": "It does 125 billion operations a second, a little over 1 % of the limit.",
        },
        "At 0.25 operations a byte the memory is the limit, so the memory's rate is what counts.",
        (Section("01", "8. What limits a computation?"),),
    ),
    Question(
        "part1.6", "A formula's traffic",
        "`x` is a device array of n floats. How many floats move between memory and chip for `cp.sqrt(x * x + 1)`? "
        "(Every "
        "operation is a kernel of its own; `x * x` reads `x` once.)",
        {"a": "2 n", "b": "3 n", "c": "4 n", "d": "6 n"},
        "d",
        {
            "a": "2 n would do if it were one kernel: read x, write the result. Here the results in between are "
                 "written, "
                 "and read again.",
            "b": "You have counted one array for each operation. Each of them reads one *and* writes one.",
            "c": "There are two arrays in between, `x * x` and that plus 1, not one. Each is written and read.",
        },
        "Three kernels, each with n floats read and n written. Fused into one they would move 2 n.",
        (Section("02", "9. Where does the memory go?"),),
    ),
)
