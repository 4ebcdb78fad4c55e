"""The quiz of part II: sectors, banks, barriers, divergence, atomics, tiles, and numbers that are too large."""

from __future__ import annotations

from gpucourse.guide.question import Question, Section

QUESTIONS = (
    Question(
        "part2.1", "Every second float",
        "A warp loads `x[2 * i + 1]`, float32, with i from 0 to 31. `x` begins at a multiple of 128 bytes. How many "
        "32-byte sectors does the request touch?",
        {"a": "4", "b": "8", "c": "9", "d": "32"},
        "b",
        {
            "a": "4 sectors hold 32 floats side by side. These are spread over twice the space.",
            "c": "A shifted piece often adds a sector. Here it does not: elements 1 to 63 still lie in the first "
                 "256 bytes.",
            "d": "32 sectors are needed when no two lanes share one. Here four lanes share each.",
        },
        "Elements 1 to 63 lie in 256 bytes: 8 sectors, of which every second float is used.",
        (Section("04", "4. How much does a stride cost?"), Section("04", "5. Must an access be aligned?")),
    ),
    Question(
        "part2.2", "Which declaration?",
        "Each warp reads a *column* of a tile in shared memory: lane t reads `tile[t][c]`, float32. Which declaration "
        "lets the 32 lanes read at once?",
        {"a": "`float tile[32][32]`", "b": "`float tile[32][33]`", "c": "`float tile[33][32]`",
         "d": "`float tile[32][64]`"},
        "b",
        {
            "a": "Neighbors in a column are 32 words apart, so all 32 of them lie in the same bank, and take turns.",
            "c": "One more row changes nothing: neighbors in a column are still 32 words apart.",
            "d": "64 words from lane to lane: a multiple of 32 again, and the same bank for all.",
        },
        "With rows of 33 words each lane's word lies one bank further: 32 lanes, 32 banks.",
        (Section("05", "8. What does shared memory hand out?"), Section("05", "9. How do you get rid of a conflict?")),
    ),
    Question(
        "part2.3", "Where does a barrier belong?",
        """Each block smooths 64 elements. Where is a `__syncthreads()` needed?

```c
__shared__ float tile[64];
int t = threadIdx.x, i = blockIdx.x * 64 + t;
tile[t] = x[i];                                  // 1
float left = tile[t > 0 ? t - 1 : 0];            // 2
out[i] = 0.5f * (left + tile[t]);                // 3
```""",
        {"a": "nowhere: the threads of a block run together", "b": "between 1 and 2", "c": "between 2 and 3",
         "d": "after 3"},
        "b",
        {
            "a": "Not even the threads of a *warp* are promised to. And 64 threads are two warps: thread 32 reads what "
                 "the other warp has to write.",
            "c": "That is too late: line 2 has already read the neighbor's element. Line 3 uses only the thread's "
                 "own.",
            "d": "Nothing of the tile is used after line 3, so nobody there has to wait.",
        },
        "Line 2 reads what another thread writes in line 1. Between them all must arrive.",
        (Section("05", "3. Is my neighbor ready?"), Section("05", "4. One barrier or two?")),
    ),
    Question(
        "part2.4", "Which `if` is expensive?",
        "In a block of 256 threads one half of the threads runs loop A, the other half loop B, equally long. Which "
        "choice costs about twice the time of the other?",
        {"a": "`threadIdx.x % 2`", "b": "`threadIdx.x < 128`", "c": "`threadIdx.x / 32 % 2`",
         "d": "none: an `if` costs the same in each case"},
        "a",
        {
            "b": "128 is a multiple of 32: warps 0 to 3 run A only, the others B only. No warp runs both.",
            "c": "It is the number of the warp that decides. All lanes of a warp agree, so no warp runs both.",
            "d": "What counts is whether the lanes of one warp disagree.",
        },
        "In every warp 16 lanes want A and 16 want B: the warp runs both, each with half of its lanes.",
        (Section("06", "4. Does every `if` cost that much?"), Section("06", "3. Who works, and who waits?")),
    ),
    Question(
        "part2.5", "The sum that changes",
        "A kernel adds ten million floats to one sum by `atomicAdd`. On the GPU its last two digits differ from "
        "run to "
        "run. What is the reason?",
        {"a": "a race: some additions are lost", "b": "the order of the additions differs",
         "c": "`out` was not set to zero", "d": "the GPU rounds less exactly than a CPU"},
        "b",
        {
            "a": "`atomicAdd` is indivisible: it loses none. Lost additions would also change more than the last "
                 "digits.",
            "c": "Then the sum would be wrong by what lay there before, not in its last two digits.",
            "d": "Each float32 addition is rounded as IEEE 754 says, on both, and always in the same way.",
        },
        "Each addition is rounded, and other orders round other numbers. Whoever comes first adds first.",
        (Section("06", "12. Can't they just all add to one place?"),),
    ),
    Question(
        "part2.6", "A larger tile",
        "A tiled matrix product takes tiles of 16 x 16 from both matrices into shared memory. Now the tiles become 32 "
        "x 32. What happens to the floats that are loaded from *global* memory?",
        {"a": "they stay as many: each element is needed as often", "b": "half as many", "c": "a quarter as many",
         "d": "twice as many: a tile is larger"},
        "b",
        {
            "a": "It is needed as often, but from shared memory. One global load of it now serves 32 threads, not 16.",
            "c": "The tile's area is four times as large, but an element is shared along one side of it: 32 threads "
                 "instead of 16.",
            "d": "A tile has four times the elements. But there are an eighth as many pairs of tiles to load.",
        },
        "An element is loaded once for each tile that needs it: n / 32 times instead of n / 16.",
        (Section("07", "3. Who loads the same element?"),),
    ),
    Question(
        "part2.7", "Right for small arrays",
        """A kernel copies every third float. It is right for small arrays. With 800 million threads it reads at
negative places. Which line is to blame?

```c
int i = blockIdx.x * blockDim.x + threadIdx.x;   // A
if (i < n) {                                     // B
    int from = i * 3;                            // C
    out[i] = x[from];                            // D
}
```""",
        {"a": "A", "b": "B", "c": "C", "d": "D"},
        "c",
        {
            "a": "i goes up to 800 million, and an int holds 2,147 million.",
            "b": "The guard keeps i below n, and is right. It says nothing about `i * 3`.",
            "d": "D is where it shows. The place it is given was wrong before.",
        },
        "3 · 800 million is more than 2,147,483,647. The product must be computed in 64 bits: `3LL * i`.",
        (Section("08", "6. Case 5: the second second"),),
    ),
    Question(
        "part2.8", "What would you look at first?",
        "A kernel's results are right in all tests, and `sanitize` finds nothing. It is four times as slow as a copy "
        "of the same arrays, and does two operations an element. What do you look at first?",
        {"a": "the theoretical occupancy", "b": "sectors per request, line by line",
         "c": "how to use tensor cores", "d": "the number of threads: it must be larger"},
        "b",
        {
            "a": "Occupancy helps to hide waiting. It does not reduce the bytes, and a copy of the same arrays waits "
                 "for the same memory.",
            "c": "They speed up matrix products. With two operations an element, arithmetic is not what is slow.",
            "d": "More threads move the same bytes. First find out whether more bytes move than are used.",
        },
        "Little arithmetic, so memory; slower than a copy, so probably more bytes move than are used. The profile "
        "says "
        "in which line.",
        (Section("04", "3. What does memory hand out?"), Section("08", "13. A checklist")),
    ),
)
