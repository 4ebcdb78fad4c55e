"""Random well-formed CUDA C programs for fuzzing.

A program is free of races and of undefined behavior by construction: each thread writes its own elements,
barriers and shuffles stand where all threads pass, signed sums wrap through unsigned ones, shifts and divisors are
bounded. So every schedule and every level of optimization must give the same bits.
"""

from __future__ import annotations

import random

HEAD = """
#define WRAP(a, op, b) ((int)((unsigned)(a) op (unsigned)(b)))
#define WRAP64(a, op, b) ((long long)((unsigned long long)(a) op (unsigned long long)(b)))
#define DIVISOR(b) (((b) & 15) + 1)
__device__ int clamped(float x) { return (int)fminf(fmaxf(x, -1e6f), 1e6f); }
__device__ int mixed(int a, unsigned b) { return WRAP(a, *, 31) ^ (int)(b >> 3); }
__device__ float curve(float x, int n) { for (int k = 0; k < (n & 3); k++) x = x * 0.5f + 1.0f; return x; }
__device__ __noinline__ int kept(int a, int* held) {
    held[a & 7] = WRAP(held[a & 7], +, a);
    return held[(a + 3) & 7];
}
__device__ __noinline__ int descends(int n, int a) { return n <= 0 ? a : WRAP(descends(n - 1, a ^ n), +, n); }
"""
FRAME = """
extern "C" __global__ void k(int* oi, long long* ol, float* of, double* od, const int* x, const float* y) {{
    __shared__ int si[{threads}];
    __shared__ float sf[{threads}];
    __shared__ unsigned counter;
    int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    int held[8] = {{1, 2, 3, 4, 5, 6, 7, t}};
    const int table[16] = {{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}};
    float f = 1.0f;
    double d = 1.0;
{body}
    oi[i] = {ints};
    ol[i] = {longs};
{floats}
{doubles}
    of[i] = f;
    od[i] = d;
}}
"""
TYPES = {"int": "i", "unsigned": "u", "long long": "l", "float": "f", "double": "d"}
_LETTER_TYPES = {letter: name for name, letter in TYPES.items()}


def _table(text: str) -> list[str]:
    """The entries of a table, which stand between bars."""
    return [entry.strip() for entry in text.split("|")]


# {0} and {1} are operands of the letter's type
_BINARY = {
    "i": _table("""WRAP({0}, +, {1}) | WRAP({0}, -, {1}) | WRAP({0}, *, {1}) | ({0} & {1}) | ({0} ^ {1})
        | ({0} / DIVISOR({1})) | ({0} % DIVISOR({1})) | ({0} >> ({1} & 31)) | WRAP({0}, <<, ({1} & 31)) | min({0}, {1})
        | max({0}, {1}) | __mulhi({0}, {1}) | ({0} < {1} ? {0} : 7) | mixed({0}, {1}) | kept({0} & 63, held)
        | __hadd({0}, {1}) | ({0} == {1}) | ~(~{0} & ~{1})"""),
    "u": _table("""({0} + {1}) | ({0} - {1}) | ({0} * {1}) | ({0} & {1}) | ({0} ^ {1}) | ({0} / DIVISOR({1}))
        | ({0} % DIVISOR({1})) | ({0} >> ({1} & 31)) | ({0} << ({1} & 31)) | min({0}, {1}) | __umulhi({0}, {1})
        | __byte_perm({0}, {1}, 0x2705) | __funnelshift_l({0}, {1}, 5) | ({0} > {1}) | __usad({0}, {1}, 3u)"""),
    "l": _table("""WRAP64({0}, +, {1}) | WRAP64({0}, -, {1}) | WRAP64({0}, *, {1}) | ({0} ^ {1}) | ({0} / DIVISOR({1}))
        | ({0} % DIVISOR({1})) | ({0} >> ({1} & 63)) | WRAP64({0}, <<, ({1} & 63)) | ({0} > {1} ? {1} : {0})
        | __mul64hi({0}, {1})"""),
    "f": _table("""({0} + {1}) | ({0} - {1}) | ({0} * {1}) | ({0} / {1}) | ({0} < {1} ? {0} : {1})
        | __fmaf_rn({0}, {1}, 2.5f) | __fadd_rz({0}, {1}) | __fmul_ru({0}, {1}) | copysignf({0}, {1})
        | fmaxf({0}, {1} + 1.0f)"""),
    "d": _table("""({0} + {1}) | ({0} - {1}) | ({0} * {1}) | ({0} / {1}) | ({0} < {1} ? {1} : {0}) | __dadd_rd({0}, {1})
        | fma({0}, {1}, 0.125) | __dmul_rz({0}, {1})"""),
}  # fmt: skip
_UNARY = {
    "i": _table("""(~{0}) | __clz({0}) | __popc({0}) | __ffs({0}) | ((int)(short){0}) | (!{0}) | ((int)(signed char){0})
        | descends({0} & 3, {0}) | clamped((float){0}) | table[{0} & 15] | WRAP(0, -, {0})"""),
    "u": _table("(~{0}) | __brev({0}) | (unsigned)__popc({0}) | ((unsigned)(unsigned char){0}) | (unsigned)__clz({0})"),
    "l": _table("(~{0}) | (long long)__popcll({0}) | (long long)__clzll({0}) | ((long long)(int){0}) | __brevll({0})"),
    "f": _table("(-{0}) | fabsf({0}) | sqrtf(fabsf({0})) | floorf({0}) | rintf({0}) | truncf({0}) | curve({0}, t)"),
    "d": _table("(-{0}) | fabs({0}) | sqrt(fabs({0})) | ceil({0}) | (double)(float){0}"),
}  # fmt: skip
_CONSTANTS = {
    "i": _table("0 | 1 | (-1) | 2147483647 | (-2147483647 - 1) | 255 | (-129) | 65536"),
    "u": _table("0u | 1u | 4294967295u | 2147483648u | 31u"),
    "l": _table("0ll | (-1ll) | 4294967296ll | 9223372036854775807ll"),
    "f": _table("0.0f | 1.0f | (-2.5f) | 1e30f | 3e-38f | 0.1f"),   # NVRTC folds a subnormal constant without the flush
    "d": _table("0.0 | 1.0 | (-0.75) | 1e300 | 1e-310"),
}  # fmt: skip


def converted(text: str, source: str, to: str) -> str:
    """`text` of type `source` as `to`; floating values become integers only after clamping."""
    if source in "fd" and to in "iul":
        text = f"clamped((float){text})"
    return f"(({_LETTER_TYPES[to]}){text})"


_SHUFFLES = _table("""__shfl_xor_sync(0xffffffffu, {0}, {1}) | __shfl_sync(0xffffffffu, {0}, (t + {1}) & 31)
    | __shfl_up_sync(0xffffffffu, {0}, {1}) | __shfl_down_sync(0xffffffffu, {0}, {1}, 16)""")


class ProgramWriter:
    """Writes one random kernel `k(int*, long long*, float*, double*, const int*, const float*)`."""

    def __init__(self, rng: random.Random, threads: int) -> None:
        self.rng, self.threads = rng, threads
        self.names: dict[str, list[str]] = {letter: [] for letter in TYPES.values()}
        self.lines: list[str] = []
        self.fresh = 0

    def text(self) -> str:
        """The whole source."""
        for letter in TYPES.values():
            for _ in range(2):
                self.declare(letter, self.seed_value(letter))
        for _ in range(self.rng.randint(4, 9)):
            self.rng.choices([self.statement, self.meeting], [4, 1])[0](1, 3)
        return HEAD + self.frame("\n".join(self.lines))

    def frame(self, body: str) -> str:
        """The kernel around `body`: every variable goes into what the thread writes."""
        names = self.names
        ints = " ^ ".join([*names["i"], *(f"(int){name} * 3" for name in names["u"]), "held[0] ^ held[5]"])
        floats = "\n".join(f"    f = f * 0.5f + {name};" for name in names["f"])
        doubles = "\n".join(f"    d = d * 0.5 + {name};" for name in names["d"])
        return FRAME.format(
            threads=self.threads, body=body, ints=ints, longs=" ^ ".join(names["l"]), floats=floats, doubles=doubles)

    def seed_value(self, letter: str) -> str:
        floats = letter in "fd"
        return self.rng.choice([f"y[i] + {self.rng.randint(0, 9)}", "y[i] * t"] if floats else
                               [f"x[i] ^ {self.rng.randint(0, 1000)}", "t * 77 + x[i]", "x[i] >> 3"])  # fmt: skip

    def declare(self, letter: str, value: str) -> str:
        self.fresh += 1
        name = f"{letter}{self.fresh}"
        self.names[letter].append(name)
        self.lines.append(f"    {_LETTER_TYPES[letter]} {name} = {value};")
        return name

    def letter(self) -> str:
        return self.rng.choice("iiiiuulffd")

    def variable(self, letter: str) -> str:
        return self.rng.choice(self.names[letter])

    def expression(self, letter: str, depth: int) -> str:
        rng = self.rng
        if depth <= 0 or rng.random() < 0.15:
            return rng.choice([self.variable(letter)] * 4 + [rng.choice(_CONSTANTS[letter])])
        kind = rng.choices(["binary", "unary", "convert", "choose"], [6, 3, 2, 1])[0]
        if kind == "binary":
            return rng.choice(_BINARY[letter]).format(*(self.expression(letter, depth - 1) for _ in range(2)))
        if kind == "unary":
            return rng.choice(_UNARY[letter]).format(self.expression(letter, depth - 1))
        if kind == "convert":
            source = self.letter()
            return converted(self.expression(source, depth - 1), source, letter)
        return f"({self.condition(depth - 1)} ? {self.variable(letter)} : {self.expression(letter, depth - 1)})"

    def condition(self, depth: int) -> str:
        letter = self.letter()
        compare = self.rng.choice(["<", "<=", "==", "!=", ">", ">="])
        return f"({self.variable(letter)} {compare} {self.expression(letter, depth)})"

    def add(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def statement(self, indent: int, depth: int) -> None:
        kinds = [self.assign] * 5 + ([self.branch, self.loop, self.countdown, self.switch] if depth > 0 else [])
        self.rng.choice([*kinds, self.array])(indent, depth)

    def assign(self, indent: int, depth: int) -> None:
        letter = self.letter()
        self.add(indent, f"{self.variable(letter)} = {self.expression(letter, 3)};")

    def array(self, indent: int, depth: int) -> None:
        self.add(indent, f"held[{self.variable('i')} & 7] ^= {self.expression('i', 2)};")

    def body(self, indent: int, depth: int) -> None:
        for _ in range(self.rng.randint(1, 3)):
            self.statement(indent, depth - 1)

    def branch(self, indent: int, depth: int) -> None:
        self.add(indent, f"if ({self.condition(2)}) {{")
        self.body(indent + 1, depth)
        if self.rng.random() < 0.5:
            self.add(indent, "} else {")
            self.body(indent + 1, depth)
        self.add(indent, "}")

    def most(self, indent: int) -> int:
        """Rounds of a loop at most: nested ones multiply."""
        return {1: 7, 2: 3}.get(indent, 1)

    def loop(self, indent: int, depth: int) -> None:
        self.fresh += 1
        bound = self.rng.choice(["3", f"({self.variable('i')} & {self.most(indent)})", f"({self.variable('u')} % 3)"])
        self.add(indent, f"for (int n{self.fresh} = 0, m = {bound}; n{self.fresh} < m; n{self.fresh}++) {{")
        self.body(indent + 1, depth)
        if self.rng.random() < 0.4:
            self.add(indent + 1, f"if ({self.condition(1)}) {self.rng.choice(['break', 'continue'])};")
        self.add(indent, "}")

    def countdown(self, indent: int, depth: int) -> None:
        self.fresh += 1
        self.add(indent, f"int w{self.fresh} = {self.variable('i')} & {self.most(indent)};")
        self.add(indent, f"while (w{self.fresh}-- > 0) {{")
        self.body(indent + 1, depth)
        self.add(indent, "}")

    def switch(self, indent: int, depth: int) -> None:
        self.add(indent, f"switch ({self.variable('i')} & 7) {{")
        for value in range(self.rng.randint(3, 7)):
            self.add(indent, f"case {value}:")
            self.body(indent + 1, min(depth, 1))
            if self.rng.random() < 0.7:
                self.add(indent + 1, "break;")
        self.add(indent, "}")

    def meeting(self, indent: int, depth: int) -> None:
        """Something that all threads do together; only at the outermost level."""
        whole_warps = [self.shuffle, self.vote] if self.threads % 32 == 0 else []
        self.rng.choice([self.exchange, self.count, *whole_warps])(indent)

    def exchange(self, indent: int) -> None:
        letter, array = self.rng.choice([("i", "si"), ("f", "sf")])
        self.add(indent, f"{array}[t] = {self.expression(letter, 2)}; __syncthreads();")
        other = f"(t + {self.rng.randint(1, self.threads)}) % {self.threads}"
        self.add(indent, f"{self.variable(letter)} = {array}[{other}]; __syncthreads();")

    def count(self, indent: int) -> None:
        """Atomics that commute; what they return is not used."""
        operation = self.rng.choice(["atomicAdd", "atomicMax", "atomicXor", "atomicMin", "atomicOr", "atomicAnd"])
        self.add(indent, "if (t == 0) counter = 1000u; __syncthreads();")
        self.add(indent, f"if {self.condition(1)} {operation}(&counter, {self.expression('u', 2)}); __syncthreads();")
        self.add(indent, f"{self.variable('u')} ^= counter; __syncthreads();")

    def shuffle(self, indent: int) -> None:
        letter, by = self.rng.choice("iulfd"), self.rng.randint(1, 15)
        how = self.rng.choice(_SHUFFLES).format(self.variable(letter), by)
        self.add(indent, f"{self.variable(letter)} = {how};")

    def vote(self, indent: int) -> None:
        vote = self.rng.choice(["ballot", "any", "all"])
        self.add(indent, f"{self.variable('u')} ^= __{vote}_sync(0xffffffffu, {self.condition(1)});")
