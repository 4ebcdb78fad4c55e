"""The quiz of part IV: leaks, luck, waiting, rare classes, memory over time, several processes, other frameworks."""

from __future__ import annotations

from gpucourse.guide.question import Question, Section

QUESTIONS = (
    Question(
        "part4.1", "The leak",
        """A program forecasts the hour after each window of 24 hours. Its error is suspiciously small. Which line is to
blame? (`windows` has a row for every hour, `targets` the hour after it; `order` is a random order.)

```python
windows, targets = cut(series, length=24)                # A
order = rng.permutation(len(windows))
train, test = order[:8000], order[8000:]                 # B
mean = windows[train].mean()                             # C
model = fit(windows[train] - mean, targets[train])       # D
```""",
        {"a": "A", "b": "B", "c": "C", "d": "D"},
        "b",
        {
            "a": "Overlapping windows are all right as such. It matters which of them fall into the same part.",
            "c": "The mean comes from the training windows alone, as it should.",
            "d": "The model is shown training windows only. The question is what they have in common with the test's.",
        },
        "Neighboring windows share 23 of 24 hours, so nearly every test window has a twin in training. Split by time.",
        (Section("16", "5. Two roads"), Section("15", "4. Which settings, and who chose them?")),
    ),
    Question(
        "part4.2", "0.2 points better",
        "Network A reaches 98.1 % in one training, network B 98.3 % in one training. With five other seeds A has "
        "reached "
        "97.8 to 98.4 %. What may you say?",
        {"a": "B is better", "b": "B is better, since its test set is the same",
         "c": "nothing yet: B must be trained with several seeds too", "d": "they are equally good"},
        "c",
        {
            "a": "98.3 % lies inside of what chance alone makes of A.",
            "b": "The same test set makes them comparable. It does not make one training of B typical of B.",
            "d": "That is not known either. B's spread may lie above or below A's.",
        },
        "State a median with its smallest and largest. One run is one throw of the dice.",
        (Section("13", "11. The result"), Section("15", "4. Which settings, and who chose them?")),
    ),
    Question(
        "part4.3", "99 % right",
        "1 % of the pictures show a defect. A network is right in 99 % of all cases. How many of the defects does "
        "it find?",
        {"a": "99 %", "b": "at least half", "c": "anything from none to all of them", "d": "none, surely"},
        "c",
        {
            "a": "99 % is over all pictures, of which nearly all have no defect.",
            "b": "Nothing forces it: who always says *no defect* is right in 99 % as well, and finds none.",
            "d": "It may be so, since always *no* gives 99 %. But half of the defects found, and as many false "
                 "alarms, "
                 "gives 99 % too.",
        },
        "The accuracy cannot tell. Ask for precision and recall of the rare class.",
        (Section("15", "6. What if a class is rare?"), Section("13", "6. Which mistakes does it make?")),
    ),
    Question(
        "part4.4", "Who waits?",
        """On a GPU this loop keeps the device idle for part of each step. Which line makes the host wait in every step?

```python
for x, y in batches:                                   # x, y are on the GPU
    loss = F.cross_entropy(model(x), y)                # A
    optimizer.zero_grad()                              # B
    loss.backward()                                    # C
    optimizer.step()
    total += loss.item()                               # D
```""",
        {"a": "A", "b": "B", "c": "C", "d": "D"},
        "d",
        {
            "a": "The forward pass is put into the queue. Nobody in Python asks for its numbers.",
            "b": "Clearing gradients asks the device for nothing.",
            "c": "The backward pass is long, but it runs on the device while Python goes on.",
        },
        "`item` wants a Python number, so it waits until all is done. Add up `loss.detach()` on the device.",
        (Section("14", "4. Who waits for whom?"), Section("02", "4. When is a line finished?")),
    ),
    Question(
        "part4.5", "A hundred steps back",
        "A recurrent network multiplies its gradient by 0.9 at each step back in time. What is left of it after "
        "100 steps?",
        {"a": "a tenth", "b": "about 10 %, as 0.9 is close to 1", "c": "some 0.003 %", "d": "exactly 0"},
        "c",
        {
            "a": "A tenth is lost at *each* step: factors multiply, they do not add.",
            "b": "That is left after 22 steps. 100 steps are more than four times as many, and each takes its tenth.",
            "d": "It never becomes 0 by multiplication, only too small to be noticed among the other gradients.",
        },
        "0.9 to the power of 100 is 0.0000266. A gate that can stay at 1 is what LSTM and GRU add.",
        (Section("16", "3. How far back does it reach?"),),
    ),
    Question(
        "part4.6", "Louder, brighter, warmer",
        "A network is trained to tell happy from sad music. All happy pieces in the data were recorded in one "
        "studio, all "
        "sad ones in another. It is right in 97 % of the test pieces, drawn at random from the same data. What is "
        "known?",
        {"a": "it hears the mood, the test is independent", "b": "it hears the studio or the mood, or both",
         "c": "it hears the studio, not the mood", "d": "nothing, 97 % is chance"},
        "b",
        {
            "a": "The test comes from the same two studios, so the studio gives the answer there as well.",
            "c": "It may. This test cannot tell: for that you need happy and sad pieces from both studios.",
            "d": "Chance would be near 50 %. It does hear something.",
        },
        "What goes together in all data cannot be told apart by a test on the same data. Change one, keep the other.",
        (Section("15", "Claim check"), Section("17", "8. What can mel not see?")),
    ),
    Question(
        "part4.7", "Two processes",
        "Two processes train copies of one network, each on half of every batch, and average their gradients "
        "before each "
        "step. The loss is a mean, the halves are equal. Compared with one process and whole batches, the weights are",
        {"a": "different: each has seen only half of the data", "b": "the same but for rounding, without exception",
         "c": "the same but for rounding, unless a layer computes over the batch", "d": "half as far along"},
        "c",
        {
            "a": "Each has computed on one half only. But the average of both halves' gradients is the whole batch's.",
            "b": "Batch normalization uses the mean and spread of the half it sees: that is not the whole batch's.",
            "d": "That would be so if the gradients were averaged over four halves. Two means of halves, averaged, "
                 "make "
                 "the mean of the whole.",
        },
        "The mean of two equal halves' means is the mean of all. Batch normalization needs a whole batch, or "
        "synchronizing.",
        (Section("18", "1. What if the batch does not fit?"), Section("13", "9. What does batch normalization do?")),
    ),
    Question(
        "part4.8", "Two softmaxes",
        "A published Keras program has ten classes. It ends in a softmax layer and trains with "
        "`CategoricalCrossentropy(from_logits=True)`. What happens?",
        {"a": "an error: probabilities are no logits", "b": "nothing: softmax of a softmax is the same",
         "c": "it trains, but the loss never falls below about 1.46", "d": "the loss becomes nan"},
        "c",
        {
            "a": "Probabilities are numbers, and numbers pass for logits. Nothing is raised.",
            "b": "The second one turns probabilities from 0 to 1 into much more even ones: e¹ against e⁰ at most.",
            "d": "All numbers stay between 0 and 1, so nothing overflows.",
        },
        "The best it can say is e / (e + 9), a probability of 0.23: a loss of 1.46, and gradients that are far too "
        "small.",
        (Section("19", "4. What is wrong with this program?"), Section("13", "4. What belongs to a step?")),
    ),
)
