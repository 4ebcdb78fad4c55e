"""Mutations of CUDA C and of PTX text for fuzzing, and kernels of random PTX instructions."""

from __future__ import annotations

import random
import re
from collections.abc import Callable


def _words(text: str) -> list[str]:
    return text.split()


# --- mutations of CUDA C -----------------------------------------------------------------------------

_CUDA_TOKEN = re.compile(r"\w+|\s+|<<=|>>=|[-+*/&|^<>=!]=|\+\+|--|&&|\|\||<<|>>|->|::|.", re.DOTALL)
_SWAPS = [pair.split("~") for pair in _words("""
    +~- *~/ <~<= <~> ==~!= &&~|| threadIdx~blockIdx x~y float~int float~double int~unsigned 0~1 32~31 ++~-- __shared__~
    __syncthreads~__syncwarp [~( {~} if~while 1~1000000000 &~* int~char const~ return~break float~float4 *~**""")]


def mutated_cuda(source: str, rng: random.Random) -> str:
    """One to four small changes of tokens or lines."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        source = rng.choice([_token_change, _token_change, _swap, _swap, _line_change])(source, rng)
    return source


def _token_change(source: str, rng: random.Random) -> str:
    tokens = _CUDA_TOKEN.findall(source)
    places = [i for i, token in enumerate(tokens) if not token.isspace()]
    if not places:
        return source
    here, there = rng.choice(places), rng.choice(places)
    match rng.randrange(4):
        case 0:
            del tokens[here]
        case 1:
            tokens.insert(here, tokens[here] + " ")
        case 2:
            tokens[here], tokens[there] = tokens[there], tokens[here]
        case _:
            tokens[here] = rng.choice(["0", "-1", "4096", "threadIdx.x", "x", "1e30f", "0xffffffffu", ";", "(", "asm"])
    return "".join(tokens)


def _swap(source: str, rng: random.Random) -> str:
    tokens = _CUDA_TOKEN.findall(source)
    pairs = {a: b for a, b in [*_SWAPS, *(pair[::-1] for pair in _SWAPS)]}
    places = [i for i, token in enumerate(tokens) if token in pairs]
    if places:
        here = rng.choice(places)
        tokens[here] = pairs[tokens[here]]
    return "".join(tokens)


def _line_change(source: str, rng: random.Random) -> str:
    lines = source.split("\n")
    here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(3):
        case 0:
            del lines[here]
        case 1:
            lines.insert(there, lines[here])
        case _:
            lines[here], lines[there] = lines[there], lines[here]
    return "\n".join(lines)


# --- mutations of PTX --------------------------------------------------------------------------------

TYPE_NAMES = ["b8", "b16", "b32", "b64", *(f"{kind}{size}" for kind in "us" for size in (8, 16, 32, 64)),
              "f16", "f16x2", "f32", "f64", "pred"]  # fmt: skip
MODIFIERS = _words("""
    sat ftz rn rz rm rp rni rzi rmi rpi approx full lo hi wide cc eq ne lt le gt ge lo ls hi hs equ num nan and or xor
    min max add inc dec exch cas global shared local const param volatile relaxed acquire gpu cta sys v2 v4 sync up down
    bfly idx all any uni ballot l r clamp wrap warp aligned to NaN shiftamt generic m0 x""")
ROOTS = _words("""
    add sub mul mad fma div rem min max abs neg and or xor not cnot shl shr shf selp slct set setp mov cvt cvta ld st
    atom red bra bar barrier call ret exit trap shfl vote match activemask popc clz brev bfe bfi bfind prmt lop3 dp4a
    sqrt rsqrt rcp sin cos ex2 lg2 tanh copysign testp sad mul24 mad24 addc subc madc isspacep membar fence nanosleep
    redux elect fns vabsdiff4 tex wmma mma cp prefetch brx szext bmsk dp2a""")
_ODD = _words("""
    0 -1 4294967295 18446744073709551615 0f7FC00000 0d7FF8000000000000 %tid.x %r1 %rd1 %f1 %p1 _ %nosuch WARP_SZ 1.5
    [%rd1] {%r1,%r2} 0x10 %p1|%p2 %laneid %clock64 %envreg3 generic(x)""")
#: Well-formed instructions; {i}, {f}, {n}, {b} are an integer, floating, any or untyped type, `t` a register of it.
TEMPLATES = [line.strip() for line in """
    add.{n} t t t; sub.{n} t t t; mul.{f} t t t; mul.lo.{i} t t t; mul.hi.{i} t t t; mad.lo.{i} t t t t; div.{i} t t t
    fma.rn.{f} t t t t; div.rn.{f} t t t; rem.{i} t t t; min.{n} t t t; max.{n} t t t; abs.{s} t t; neg.{s} t t
    and.{b} t t t; or.{b} t t t; xor.{b} t t t; not.{b} t t; shl.{b} t t r; shr.{i} t t r; shr.{b} t t r; cnot.{b} t t
    setp.lt.{n} p t t; setp.eq.and.{n} p t t p; setp.ne.{b} p t t; setp.gt.{f} p|p t t; selp.{n} t t t p; mov.{n} t t
    slct.{n}.s32 t t t r; slct.{n}.f32 t t t f; set.lt.u32.{n} r t t; set.ge.f32.{n} f t t; set.eq.s32.{f} r t t
    cvt.{n}.{n} t t; cvt.rn.f32.{i} f t; cvt.rzi.s32.{f} r t; cvt.rni.u64.{f} rd t; cvt.sat.u8.{i} r t
    cvt.rn.f16.f32 rs f
    popc.b32 r r; clz.b64 r rd; brev.b32 r r; bfind.{i} r t; bfe.u32 r r r r; bfe.s64 rd rd r r; bfi.b32 r r r r r
    prmt.b32 r r r r; lop3.b32 r r r r #; shf.l.wrap.b32 r r r r; shf.r.clamp.b32 r r r r; dp4a.s32.u32 r r r r
    sqrt.rn.{f} t t; rsqrt.approx.f32 f f; rcp.rn.{f} t t; sin.approx.f32 f f; ex2.approx.f32 f f; lg2.approx.f32 f f
    tanh.approx.f32 f f; copysign.{f} t t t; testp.infinite.{f} p t; sad.{i} t t t t; mul24.lo.s32 r r r; not.pred p p
    add.cc.u32 r r r; addc.cc.u32 r r r; subc.u32 r r r; madc.hi.u32 r r r r; and.pred p p p; xor.pred p p p
    ld.global.{n} t a; st.global.{n} a t; ld.shared.{n} t s; st.shared.{n} s t; ld.{n} t a; st.volatile.global.{n} a t
    ld.global.v2.f32 {f,f} a; st.shared.v4.u32 s {r,r,r,r}; ld.param.u32 r [p3]; ld.global.nc.u8 r a; ld.const.u32 r a
    atom.global.add.u32 r a r; atom.shared.cas.b32 r s r r; atom.global.max.s32 r a r; red.shared.add.f32 s f
    atom.global.exch.b64 rd a rd; atom.global.inc.u32 r a r; red.global.or.b32 a r; atom.global.add.f64 fd a fd
    bar.sync 0; bar.sync # 64; bar.red.popc.u32 r 0 p; bar.arrive 1 64; bar.warp.sync #; membar.gl; fence.acq_rel.gpu
    shfl.sync.idx.b32 r r r 31 #; shfl.sync.up.b32 r|p r 1 0 #; vote.sync.ballot.b32 r p #; vote.sync.any.pred p p #
    match.any.sync.b32 r r #; match.all.sync.b64 r|p rd #; activemask.b32 r; redux.sync.add.s32 r r #; nanosleep.u32 r
    cvta.to.global.u64 rd rd; cvta.shared.u64 rd rd; isspacep.shared p rd; mov.b64 rd {r,r}; mov.b64 {r,r} rd
    mov.b32 r {rs,rs}; mov.u32 r buffer; ret; exit; trap; bra END; bra.uni END
    """.replace("\n", ";").split(";") if line.strip()]
_TYPES = {"i": _words("u16 u32 u64 s16 s32 s64"), "f": _words("f32 f64 f16 f16x2"), "b": _words("b16 b32 b64"),
          "s": _words("s32 s64 f32 f64")}  # fmt: skip
_TYPES["n"] = [*_TYPES["i"], *_TYPES["f"]]
_REGISTER = {"pred": "p", "f32": "f", "f64": "fd", "f16": "rs", "f16x2": "r", "8": "rs", "16": "rs", "64": "rd"}
_MARKS = ["", *";,{}[]@!%.<-9\0"]
_PTX_WORD = re.compile(r"%\w+(?:\.\w+)?|[\w$.]+|\s+|.", re.DOTALL)


def mutated_ptx(ptx: str, rng: random.Random) -> str:
    """One to four changes of opcodes, types, registers, numbers or lines, mostly inside function bodies."""
    lines = ptx.split("\n")
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        code = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith(("//", ".file"))]
        here = rng.choice(code)
        change: Callable[[list[str], int, random.Random], None] = rng.choice(_PTX_CHANGES)
        change(lines, here, rng)
    return "\n".join(lines)


def _opcode(lines: list[str], here: int, rng: random.Random) -> None:
    """Replace, add, drop or swap a part of an opcode."""
    found = re.match(r"(\s*(?:@!?%\w+\s+)?)([a-z][\w.]*)(.*)", lines[here], re.DOTALL)
    if not found:
        return
    parts = found[2].split(".")
    at = rng.randrange(len(parts))
    match rng.randrange(4):
        case 0:
            parts[at] = rng.choice(ROOTS if at == 0 else TYPE_NAMES)
        case 1:
            parts.insert(max(at, 1), rng.choice(MODIFIERS))
        case 2 if len(parts) > 1:
            del parts[max(at, 1)]
        case _:
            parts[-1] = rng.choice(TYPE_NAMES)
    lines[here] = found[1] + ".".join(parts) + found[3]


def _operand(lines: list[str], here: int, rng: random.Random) -> None:
    """Replace a register, number or name by another one of the text."""
    words = _PTX_WORD.findall(lines[here])
    places = [i for i, word in enumerate(words) if re.match(r"%|\d|\w", word)]
    if not places:
        return
    others = [w for w in _PTX_WORD.findall(lines[rng.randrange(len(lines))]) if re.match(r"%|\d|\w", w)]
    words[rng.choice(places)] = rng.choice([*others * 3, rng.choice(_ODD), ""])
    lines[here] = "".join(words)


def _line(lines: list[str], here: int, rng: random.Random) -> None:
    there = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[here]
        case 1:
            lines.insert(there, lines[here])
        case 2:
            lines[here], lines[there] = lines[there], lines[here]
        case _:
            lines[here] = lines[here][: rng.randrange(len(lines[here]) + 1)]


def _mark(lines: list[str], here: int, rng: random.Random) -> None:
    """Delete, insert or replace one character."""
    text = lines[here]
    at = rng.randrange(len(text) + 1)
    lines[here] = text[:at] + rng.choice(_MARKS) + text[at + rng.randrange(2) :]


def _random_line(lines: list[str], here: int, rng: random.Random) -> None:
    """Insert an instruction made of random parts, on registers of the usual names."""
    lines.insert(here, random_instruction(rng))


_PTX_CHANGES = [_opcode, _opcode, _operand, _operand, _line, _mark, _random_line]


def random_instruction(rng: random.Random) -> str:
    """An instruction from a template with random types and registers; one in four is bent in one place."""
    opcode, *operands = rng.choice(TEMPLATES).split()
    while "{" in opcode:
        opcode = re.sub(r"\{(\w)\}", lambda found: rng.choice(_TYPES[found[1]]), opcode, count=1)
    words = [_filled(word, opcode.rpartition(".")[2], rng) for word in operands]
    if rng.random() < 0.25:
        opcode, words = _bent(opcode, words, rng)
    return f"    {rng.choice(['', '', '@%p1 ', '@!%p2 '])}{opcode} {', '.join(words)};"


def _filled(word: str, kind: str, rng: random.Random) -> str:
    """An operand for its place in the template: `t` a register of the type, `a` and `s` addresses, `#` a number."""
    if word.startswith("[") or word == "buffer" or word.isdecimal():
        return word
    own = _REGISTER.get(kind) or _REGISTER.get(kind.lstrip("usb"), "r")
    fixed = {"a": "[%rd1]", "s": "[buffer+8]", "#": rng.choice(["0", "1", "0xffffffff", "-1", "96", "%r3"])}
    fixed |= {mark: mark for mark in ("", "{", "}", "|", ",", "END")}
    registers = {part: f"%{own if part == 't' else part}{rng.randint(1, 4)}" for part in re.split(r"[{}|,]", word)}
    return "".join((registers | fixed)[part] for part in re.split(r"([{}|,])", word))


def _bent(opcode: str, words: list[str], rng: random.Random) -> tuple[str, list[str]]:
    parts = opcode.split(".")
    match rng.randrange(4):
        case 0:
            parts.insert(rng.randint(1, len(parts)), rng.choice(MODIFIERS))
        case 1:
            parts[-1] = rng.choice(TYPE_NAMES)
        case 2 if words:
            words[rng.randrange(len(words))] = rng.choice([*_ODD, "%f2", "%fd2", "%rs2", "%rd2", "%p2", "[buffer+1]"])
        case _:
            words = words[:-1] if rng.random() < 0.5 else [*words, "%r1"]
    return ".".join(parts), words


RANDOM_PTX = """.version 7.5
.target sm_75
.address_size 64
.visible .entry k(.param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u64 p3, .param .u64 p4, .param .u64 p5)
{{
    .reg .pred %p<6>; .reg .b16 %rs<6>; .reg .b32 %r<6>; .reg .b64 %rd<6>; .reg .f32 %f<6>; .reg .f64 %fd<6>;
    .shared .align 16 .b8 buffer[64];
    ld.param.u64 %rd1, [p0];
    ld.param.u64 %rd2, [p1];
    mov.u32 %r1, %tid.x;
    setp.lt.u32 %p1, %r1, 9;
    cvt.rn.f32.u32 %f1, %r1;
    cvt.f64.f32 %fd1, %f1;
    cvt.u16.u32 %rs1, %r1;
{body}
END:
    ret;
}}
"""


def random_ptx(rng: random.Random) -> str:
    """A kernel of one to four random instructions, behind a few that give registers values."""
    return RANDOM_PTX.format(body="\n".join(random_instruction(rng) for _ in range(rng.choice([1, 1, 1, 2, 4]))))
