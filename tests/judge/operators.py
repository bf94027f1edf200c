#!/usr/bin/env python3
"""ONNX Runtime as the outside judge of kernels of com.microsoft and of operators that the standard has given up.

    operators.py BIN [NAME...]

Every case is a model of one node, as text, with inputs from a seed; onnx-run and ONNX Runtime run it and their outputs are compared. A
case says how inputs are drawn where "normal floats, small integers" will not do. Exit 1 when outputs differ or one side cannot run.
"""
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import onnxruntime as ort

HEAD = '<ir_version: 10, opset_import: ["": %d, "com.microsoft": 1]> g (%s) => (%s) { %s = %s }'
TYPES = {"float": "float32", "double": "float64"}
CASES = []


def case(name, inputs, outputs, call, loose=1e-4, opset=21, off=0, part=None, **draw):
    """inputs: "float[2,3] x, int32 n"; outputs: "float y"; call: "com.microsoft.Gelu (x)"; draw: input -> array or (low, high) or values.
    off: steps that results of integers may be apart; part: output -> what of it is defined."""
    CASES.append((name, inputs, outputs, call, loose, opset, off, part or {}, draw))


def split(text):
    """Type, shape and name of each value of a list."""
    depth, start, found = 0, 0, []
    for i, c in enumerate(text + ","):
        depth += (c == "[") - (c == "]")
        if c == "," and depth == 0 and text[start:i].strip():
            kind, name = text[start:i].split()
            base, _, shape = kind.rstrip("]").partition("[")
            found.append((base, [int(d) for d in shape.split(",") if d], name))
            start = i + 1
    return found


def draw_input(rng, base, shape, how):
    kind = np.dtype(TYPES.get(base, base if base != "string" else "object"))
    if isinstance(how, tuple):
        low, high = how
        value = rng.uniform(low, high, shape) if kind.kind == "f" else rng.integers(low, high, shape)
    elif how is not None:
        value = np.asarray(how, object if base == "string" else None)
        value = np.full(shape, value.item()) if value.size == 1 else value.reshape(shape)
    elif kind.kind == "f":
        value = rng.standard_normal(shape)
    elif kind.kind == "b":
        value = rng.integers(0, 2, shape)
    elif kind.itemsize == 1:
        value = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, endpoint=True)
    else:
        value = rng.integers(0, 4, shape)
    return np.asarray(value).astype(kind)


def runtime(path, given):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, given)


def difference(want, got, loose, off):
    if want.shape != got.shape or want.dtype != got.dtype:
        return f"{want.dtype}{list(want.shape)} became {got.dtype}{list(got.shape)}"
    if want.dtype.kind in "OSU":
        return None if (want == got).all() else f"{got.tolist()} instead of {want.tolist()}"
    a, b = want.astype(np.float64), got.astype(np.float64)
    if want.dtype.kind != "f":
        return None if abs(a - b).max(initial=0) <= off else f"off by {abs(a - b).max():g}"
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return "NaN or infinity in other places"
    a, b = (np.nan_to_num(v, posinf=0, neginf=0) for v in (a, b))
    over = abs(a - b) - loose * (abs(a) + 0.1 * max(abs(a).max(initial=0), 1e-2))
    return None if over.max(initial=0) <= 0 else f"off by {abs(a - b).max():.3g} of {abs(a).max():.3g}"


def judge(program, folder, entry):
    name, inputs, outputs, call, loose, opset, off, part, draw = entry
    results = split(outputs)
    head = HEAD % (opset, inputs, ", ".join(f"{base}[] {n}" for base, _, n in results), ", ".join(n for _, _, n in results), call)
    text, model = folder / "case.txt", folder / "case.onnx"
    text.write_text(head)
    done = subprocess.run([program / "onnx-run", "parse", text, "-o", model], capture_output=True, text=True)
    if done.returncode:
        return f"is no model: {done.stderr.strip()[-300:]}"
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    given = {n: draw_input(rng, base, shape, draw.get(n)) for base, shape, n in split(inputs)}
    command = [program / "onnx-run", "run", model, "-o", folder / "out.npz"]
    for n, value in given.items():
        np.save(folder / f"{n}.npy", value.astype("U") if value.dtype.kind == "O" else value)
        command.append(f"--input={n}={folder / n}.npy")
    try:
        want = runtime(model, given)
    except Exception as e:      # the runtime has no common class of errors
        return f"ONNX Runtime: {str(e)[:300]}"
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()[-300:]
    with np.load(folder / "out.npz") as got:
        for (_, _, n), expected in zip(results, want, strict=True):
            keep = part.get(n, lambda x: x)
            actual = got[n]
            why = difference(keep(np.asarray(expected)), keep(actual.astype(object) if expected.dtype.kind == "O" else actual), loose, off)
            if why:
                return f"{n}: {why}"
    return None


# ---- attention
QKV = "float[2,5,12] x, float[12,24] w, float[24] b"
case("Attention", QKV, "float y", "com.microsoft.Attention <num_heads = 2> (x, w, b)")
case("Attention causal", QKV, "float y", "com.microsoft.Attention <num_heads = 4, unidirectional = 1, scale = 0.3> (x, w, b)")
case("Attention ends", QKV + ", int32[2] m", "float y", "com.microsoft.Attention <num_heads = 2> (x, w, b, m)", m=[3, 5])
case("Attention ends and starts", QKV + ", int32[4] m", "float y", "com.microsoft.Attention <num_heads = 2> (x, w, b, m)", m=[3, 5, 1, 2])
case("Attention mask", QKV + ", int32[2,5] m", "float y", "com.microsoft.Attention <num_heads = 2, mask_filter_value = -500.0> (x, w, b, m)", m=(0, 2))
case("Attention mask of queries", QKV + ", int32[2,5,5] m", "float y", "com.microsoft.Attention <num_heads = 2> (x, w, b, m)", m=(0, 2))
case("Attention past", QKV + ", float[2,2,2,3,4] p", "float y, float present", "com.microsoft.Attention <num_heads = 2, unidirectional = 1> (x, w, b, , p)")
case("Attention past and mask", QKV + ", int32[2,8] m, float[2,2,2,3,4] p", "float y, float present", "com.microsoft.Attention <num_heads = 2> (x, w, b, m, p)", m=(0, 2))
case("Attention bias of scores", QKV + ", float[1,2,5,5] s", "float y", "com.microsoft.Attention <num_heads = 2> (x, w, b, , , s)")
case("Attention sizes", "float[2,5,12] x, float[12,40] w, float[40] b", "float y", "com.microsoft.Attention <num_heads = 2, qkv_hidden_sizes = [16, 16, 8]> (x, w, b)")

MHA = "float[2,5,16] q, float[2,7,16] k, float[2,7,8] v"
case("MultiHeadAttention", MHA, "float y", "com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v)")
case("MultiHeadAttention bias", MHA + ", float[40] b", "float y", "com.microsoft.MultiHeadAttention <num_heads = 4, scale = 0.4> (q, k, v, b)")
case("MultiHeadAttention mask", MHA + ", int32[2,7] m", "float y", "com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v, , m)", m=(0, 2))
case("MultiHeadAttention ends", MHA + ", int32[2] m", "float y", "com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v, , m)", m=[4, 7])
case("MultiHeadAttention scores", MHA + ", float[2,4,5,7] s", "float y", "com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v, , , s)")
SELF = "float[2,5,16] q, float[2,5,16] k, float[2,5,16] v"
case("MultiHeadAttention causal", SELF, "float y", "com.microsoft.MultiHeadAttention <num_heads = 4, unidirectional = 1> (q, k, v)")
case("MultiHeadAttention past", SELF + ", float[2,4,3,4] pk, float[2,4,3,4] pv", "float y, float k2, float v2",
     "com.microsoft.MultiHeadAttention <num_heads = 4, unidirectional = 1> (q, k, v, , , , pk, pv)")
case("MultiHeadAttention heads", "float[2,5,16] q, float[2,4,6,4] k, float[2,4,6,4] v", "float y", "com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v)")
case("MultiHeadAttention shown scores", SELF, "float y, float k2, float v2, float s", "com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v)")

GQA = "float[2,3,64] q, float[2,3,32] k, float[2,3,32] v, float[2,2,6,16] pk, float[2,2,6,16] pv, int32[2] n, int32 t"
ONE = "float[2,1,64] q, float[2,1,32] k, float[2,1,32] v, float[2,2,6,16] pk, float[2,2,6,16] pv, int32[2] n, int32 t"
PROMPT = "float[2,4,64] q, float[2,4,32] k, float[2,4,32] v, int32[2] n, int32 t"
CACHES = ", float[16,8] c, float[16,8] s"
OUT = "float y, float k2, float v2"


def cached(lengths):
    return {k: (lambda x: np.concatenate([x[b, :, :n].ravel() for b, n in enumerate(lengths)])) for k in ("k2", "v2")}


def gqa(name, inputs, more, given, lengths, total, extra="", outputs=OUT, **draw):
    case(f"GroupQueryAttention {name}", inputs + extra, outputs, f"com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 2{more}> ({given})",
         n=[v - 1 for v in lengths], t=total, part=cached(lengths), **draw)


gqa("prompt", PROMPT, "", "q, k, v, , , n, t", [4, 4], 4)
gqa("prompt rotary", PROMPT, ", do_rotary = 1", "q, k, v, , , n, t, c, s", [4, 4], 4, CACHES)
gqa("prompt window", PROMPT, ", local_window_size = 2", "q, k, v, , , n, t", [4, 4], 4)
gqa("prompt softcap", PROMPT, ", softcap = 1.5, scale = 0.7", "q, k, v, , , n, t", [4, 4], 4)
gqa("step", ONE, "", "q, k, v, pk, pv, n, t", [5, 6], 6)
gqa("step rotary", ONE, ", do_rotary = 1, rotary_interleaved = 1", "q, k, v, pk, pv, n, t, c, s", [7, 5], 7, CACHES)
gqa("step window", ONE, ", local_window_size = 3", "q, k, v, pk, pv, n, t", [7, 4], 7)
gqa("step sink", ONE, "", "q, k, v, pk, pv, n, t, , , , , h", [7, 4], 7, ", float[4] h")
gqa("step smooth", ONE, ", smooth_softmax = 1", "q, k, v, pk, pv, n, t", [7, 4], 7)
gqa("step bias", ONE, ", softcap = 2.0", "q, k, v, pk, pv, n, t, , , , a", [7, 7], 7, ", float[1,4,1,7] a")
gqa("step positions", ONE, ", do_rotary = 1", "q, k, v, pk, pv, n, t, c, s, p", [7, 4], 7, CACHES + ", int64[2,1] p", p=[6, 3])
gqa("step scores", ONE, ", qk_output = 1, softcap = 2.0", "q, k, v, pk, pv, n, t", [7, 7], 7, outputs=OUT + ", float qk")
gqa("step probabilities", ONE, ", qk_output = 2", "q, k, v, pk, pv, n, t", [7, 7], 7, outputs=OUT + ", float qk")
gqa("packed", "float[2,4,128] q, int32[2] n, int32 t", ", do_rotary = 1", "q, , , , , n, t, c, s", [4, 4], 4, CACHES)
gqa("chunk", GQA.replace("[2,", "[1,").replace("int32[2]", "int32[1]"), "", "q, k, v, pk, pv, n, t", [9], 9)
gqa("chunk in a buffer", GQA.replace("[2,", "[1,").replace("int32[2]", "int32[1]"), "", "q, k, v, pk, pv, n, t", [6], 6)

case("RotaryEmbedding", "float[2,3,16] x, int64[2,3] p, float[8,4] c, float[8,4] s", "float y", "com.microsoft.RotaryEmbedding (x, p, c, s)", p=(0, 8))
case("RotaryEmbedding offset", "float[2,3,16] x, int64[1] p, float[8,4] c, float[8,4] s", "float y", "com.microsoft.RotaryEmbedding <interleaved = 1> (x, p, c, s)", p=[4])
case("RotaryEmbedding part", "float[2,3,16] x, int64[2,3] p, float[8,2] c, float[8,2] s", "float y", "com.microsoft.RotaryEmbedding <num_heads = 2, rotary_embedding_dim = 4> (x, p, c, s)", p=(0, 8))
case("RotaryEmbedding heads", "float[2,2,3,8] x, int64[2,3] p, float[8,4] c, float[8,4] s", "float y", "com.microsoft.RotaryEmbedding (x, p, c, s)", p=(0, 8))

HALF = {"loose": 5e-3}
case("RotaryEmbedding float16", "float16[2,3,16] x, int64[2,3] p, float16[8,4] c, float16[8,4] s", "float16 y", "com.microsoft.RotaryEmbedding (x, p, c, s)", p=(0, 8), **HALF)
case("GroupQueryAttention float16", PROMPT.replace("float[", "float16["), "float16 y, float16 k2, float16 v2", "com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 2> (q, k, v, , , n, t)",
     n=[3, 3], t=4, part=cached([4, 4]), **HALF)

QATT = "uint8[2,5,12] x, int8[12,24] w, float[24] b, float xs, float ws"
case("QAttention", QATT + ", uint8 xz, int8 wz", "float y", "com.microsoft.QAttention <num_heads = 2> (x, w, b, xs, ws, , xz, wz)", xs=0.02, ws=0.01, xz=120, wz=3)
case("QAttention past", QATT + ", int32[2,8] m, uint8 xz, int8 wz, float[2,2,2,3,4] p", "float y, float present", "com.microsoft.QAttention <num_heads = 2, unidirectional = 1> (x, w, b, xs, ws, m, xz, wz, p)", xs=0.02, ws=0.01, xz=120, wz=0, m=(0, 2))

# ---- products and convolutions with something behind them
for act, extra in (("", ""), ("Relu", ""), ("Tanh", ""), ("Sigmoid", ""), ("LeakyRelu", ", activation_params = [0.2]"), ("Clip", ", activation_params = [-0.5, 0.7]"),
                   ("HardSigmoid", ", activation_params = [0.3, 0.4]")):
    name = f', activation = "{act}"' if act else ""
    case(f"FusedConv {act}", "float[1,4,6,6] x, float[6,4,3,3] w, float[6] b", "float y", f"com.microsoft.FusedConv <pads = [1, 1, 1, 1]{name}{extra}> (x, w, b)")
case("FusedConv sum", "float[1,4,6,6] x, float[6,2,3,3] w, float[6] b, float[1,6,4,4] z", "float y", 'com.microsoft.FusedConv <group = 2, activation = "Relu"> (x, w, b, z)')
case("FusedGemm", "float[3,5] a, float[4,5] b, float[4] c", "float y", 'com.microsoft.FusedGemm <alpha = 0.5, beta = 2.0, transB = 1, activation = "Relu"> (a, b, c)')
case("FusedGemm LeakyRelu", "float[5,3] a, float[5,4] b", "float y", 'com.microsoft.FusedGemm <transA = 1, activation = "LeakyRelu", activation_alpha = 0.3> (a, b)')
case("FusedMatMul", "float[2,3,5] a, float[2,5,4] b", "float y", "com.microsoft.FusedMatMul <alpha = 0.3> (a, b)")
case("FusedMatMul turned", "float[2,5,3] a, float[4,5] b", "float y", "com.microsoft.FusedMatMul <transA = 1, transB = 1> (a, b)")
case("FusedMatMul batch A", "float[5,2,6] a, float[2,6,4] b", "float y", "com.microsoft.FusedMatMul <transBatchA = 1> (a, b)")
case("FusedMatMul batch A turned", "float[6,2,5] a, float[2,6,4] b", "float y", "com.microsoft.FusedMatMul <transBatchA = 1, transA = 1> (a, b)")
case("FusedMatMul batch B", "float[2,3,5,6] a, float[6,2,3,4] b", "float y", "com.microsoft.FusedMatMul <transBatchB = 1> (a, b)")
case("FusedMatMul batch B turned", "float[2,3,5,6] a, float[4,2,3,6] b", "float y", "com.microsoft.FusedMatMul <transBatchB = 1, transB = 1> (a, b)")
case("TransposeMatMul", "float[5,3] a, float[4,5] b", "float y", "com.microsoft.TransposeMatMul <transA = 1, transB = 1> (a, b)")
case("NhwcMaxPool", "uint8[1,7,7,3] x", "uint8 y", "com.microsoft.NhwcMaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x)")
case("NhwcMaxPool int8", "int8[1,7,7,3] x", "int8 y", "com.microsoft.NhwcMaxPool <kernel_shape = [2, 3], dilations = [2, 1]> (x)")

# ---- element by element
case("BiasGelu", "float[2,3,8] x, float[8] b", "float y", "com.microsoft.BiasGelu (x, b)")
case("Gelu", "float[2,3,8] x", "float y", "com.microsoft.Gelu (x)")
case("FastGelu", "float[2,3,8] x, float[8] b", "float y", "com.microsoft.FastGelu (x, b)")
case("QuickGelu", "float[2,3,8] x", "float y", "com.microsoft.QuickGelu <alpha = 1.5> (x)")
for op, more, ins in (("SkipLayerNormalization", ", float[8] beta, float[8] b", "x, s, g, beta, b"), ("SkipSimplifiedLayerNormalization", ", float[8] b", "x, s, g, b")):
    case(op, "float[2,3,8] x, float[2,3,8] s, float[8] g" + more, "float y", f"com.microsoft.{op} <epsilon = 0.001> ({ins})")
    case(op + " sum", "float[2,3,8] x, float[1,3,8] s, float[8] g" + more, "float y, float m, float i, float t", f"com.microsoft.{op} <epsilon = 0.001> ({ins})")
case("SimplifiedLayerNormalization", "float[2,3,8] x, float[8] g", "float y", "SimplifiedLayerNormalization <epsilon = 0.001> (x, g)")

case("SkipLayerNormalization float16", "float16[2,3,8] x, float16[2,3,8] s, float16[8] g", "float16 y", "com.microsoft.SkipLayerNormalization <epsilon = 0.001> (x, s, g)", loose=5e-3)
case("FastGelu float16", "float16[2,3,8] x", "float16 y", "com.microsoft.FastGelu (x)", loose=5e-3)

# ---- embeddings
EMBED = "int32[2,5] ids, int32[2,5] seg, float[10,8] w, float[6,8] p, float[2,8] s, float[8] g, float[8] b"
case("EmbedLayerNormalization", EMBED + ", int32[2,5] m", "float y, int32 n", "com.microsoft.EmbedLayerNormalization (ids, seg, w, p, s, g, b, m)", ids=(0, 10), seg=(0, 2), m=(0, 2))
case("EmbedLayerNormalization positions", EMBED + ", int32[1,5] at", "float y, int32 n, float sum", "com.microsoft.EmbedLayerNormalization <epsilon = 0.01> (ids, seg, w, p, s, g, b, , at)",
     ids=(0, 10), seg=(0, 2), at=(0, 6))
case("EmbedLayerNormalization no segments", "int32[2,5] ids, float[10,8] w, float[6,8] p, float[8] g, float[8] b", "float y, int32 n", "com.microsoft.EmbedLayerNormalization (ids, , w, p, , g, b)", ids=(0, 10))
case("QEmbedLayerNormalization", "int32[2,5] ids, int32[2,5] seg, uint8[10,8] w, uint8[6,8] p, uint8[2,8] s, uint8[8] g, uint8[8] b, int32[2,5] m, float ws, float ps, float ss, float gs, float bs, "
     "uint8 wz, uint8 pz, uint8 sz, uint8 gz, uint8 bz", "float y, int32 n",
     "com.microsoft.QEmbedLayerNormalization (ids, seg, w, p, s, g, b, m, ws, ps, ss, gs, bs, wz, pz, sz, gz, bz)", ids=(0, 10), seg=(0, 2), m=(0, 2), ws=0.02, ps=0.03, ss=0.01, gs=0.02, bs=0.03)

# ---- weights of few bits
for bits, k, block in ((4, 64, 32), (8, 64, 16), (4, 40, 16), (2, 64, 32)):
    blocks, blob = -(-k // block), block * bits // 8
    size = f"float[3,{k}] a, uint8[7,{blocks},{blob}] b, float[{7 * blocks}] s"
    how = f"<K = {k}, N = 7, bits = {bits}, block_size = {block}>"
    case(f"MatMulNBits {bits} bits of {k}", size, "float y", f"com.microsoft.MatMulNBits {how} (a, b, s)", s=(0.01, 0.1))
    case(f"MatMulNBits {bits} bits of {k}, zero points", size + f", uint8[{7 * (-(-blocks * bits // 8))}] z", "float y", f"com.microsoft.MatMulNBits {how} (a, b, s, z)", s=(0.01, 0.1))
case("MatMulNBits one row", "float[1,2,128] a, uint8[40,4,16] b, float[160] s", "float y", "com.microsoft.MatMulNBits <K = 128, N = 40, bits = 4, block_size = 32> (a, b, s)", s=(0.01, 0.1))
case("MatMulNBits float zero points and bias", "float[3,64] a, uint8[7,2,16] b, float[14] s, float[14] z, float[7] c", "float y",
     "com.microsoft.MatMulNBits <K = 64, N = 7, bits = 4, block_size = 32> (a, b, s, z, , c)", s=(0.01, 0.1), z=(5, 9))
case("MatMulNBits groups", "float[3,64] a, uint8[7,2,16] b, float[14] s, int32[64] g", "float y", "com.microsoft.MatMulNBits <K = 64, N = 7, bits = 4, block_size = 32> (a, b, s, , g)", s=(0.01, 0.1), g=(0, 2))
case("MatMulNBits float16", "float16[3,64] a, uint8[7,2,16] b, float16[14] s", "float16 y", "com.microsoft.MatMulNBits <K = 64, N = 7, bits = 4, block_size = 32> (a, b, s)", s=(0.01, 0.1), loose=3e-3)
for t in (0, 1):
    case(f"MatMulBnb4 {t}", "float[3,64] a, uint8[256] b, float[16] s", "float y", f"com.microsoft.MatMulBnb4 <K = 64, N = 8, block_size = 32, quant_type = {t}> (a, b, s)", s=(0.5, 2))
case("GatherBlockQuantized", "uint8[6,16] d, int64[2,3] i, float[6,2] s", "float y", "com.microsoft.GatherBlockQuantized <bits = 4, block_size = 16> (d, i, s)", i=(0, 6), s=(0.01, 0.1))
case("GatherBlockQuantized zero points", "uint8[6,16] d, int32[4] i, float[6,2] s, uint8[6,1] z", "float y", "com.microsoft.GatherBlockQuantized <bits = 4, block_size = 16> (d, i, s, z)", i=(0, 6), s=(0.01, 0.1))
case("GatherBlockQuantized 8 bits", "uint8[6,32] d, int64[4] i, float[6,2] s, uint8[6,2] z", "float y", "com.microsoft.GatherBlockQuantized <bits = 8, block_size = 16> (d, i, s, z)", i=(0, 6), s=(0.01, 0.1))

# ---- 8 bits
QA = "uint8[3,5] a, float as, uint8 az, int8[5,4] b, float bs, int8 bz"
case("QGemm", QA, "float y", "com.microsoft.QGemm <alpha = 0.5> (a, as, az, b, bs, bz)", **{"as": 0.02, "bs": 0.03})
case("QGemm quantized", QA.replace("[5,4] b", "[4,5] b") + ", int32[4] c, float ys, uint8 yz", "uint8 y", "com.microsoft.QGemm <transB = 1> (a, as, az, b, bs, bz, c, ys, yz)", off=1,
     c=(-2000, 2000), ys=0.5, **{"as": 0.02, "bs": 0.03})
case("QGemm columns", "uint8[5,3] a, float as, uint8 az, int8[5,4] b, float[4] bs, int8[4] bz", "float y", "com.microsoft.QGemm <transA = 1> (a, as, az, b, bs, bz)", bs=(0.01, 0.05), **{"as": 0.02})
case("MatMulIntegerToFloat", "uint8[2,3,5] a, int8[5,4] b, float as, float bs, uint8 az, int8 bz, float[4] c", "float y", "com.microsoft.MatMulIntegerToFloat (a, b, as, bs, az, bz, c)", **{"as": 0.02, "bs": 0.03})
case("MatMulIntegerToFloat columns", "uint8[3,5] a, uint8[5,4] b, float as, float[4] bs, uint8 az, uint8[4] bz", "float y", "com.microsoft.MatMulIntegerToFloat (a, b, as, bs, az, bz)", bs=(0.01, 0.05), **{"as": 0.02})
case("DynamicQuantizeMatMul", "float[2,3,5] a, int8[5,4] b, float bs, int8 bz, float[4] c", "float y", "com.microsoft.DynamicQuantizeMatMul (a, b, bs, bz, c)", bs=0.03)
case("DynamicQuantizeMatMul columns", "float[3,5] a, uint8[5,4] b, float[4] bs, uint8[4] bz", "float y", "com.microsoft.DynamicQuantizeMatMul (a, b, bs, bz)", bs=(0.01, 0.05))
case("MatMulInteger16", "int16[3,5] a, int16[5,4] b", "int32 y", "com.microsoft.MatMulInteger16 (a, b)", a=(-3000, 3000), b=(-3000, 3000))
LSTM = "float[4,2,5] x, uint8[1,5,12] w, uint8[1,3,12] r, float[1,24] b, float[1] ws, uint8[1] wz, float[1] rs, uint8[1] rz"
case("DynamicQuantizeLSTM", LSTM, "float y, float h, float c", "com.microsoft.DynamicQuantizeLSTM <hidden_size = 3> (x, w, r, b, , , , , ws, wz, rs, rz)", loose=5e-2, ws=0.01, wz=128, rs=0.01, rz=128)
case("DynamicQuantizeLSTM both ways", LSTM.replace("[1", "[2"), "float y", 'com.microsoft.DynamicQuantizeLSTM <hidden_size = 3, direction = "bidirectional"> (x, w, r, b, , , , , ws, wz, rs, rz)',
     loose=5e-2, ws=0.01, wz=128, rs=0.01, rz=128)
for t in ("uint8", "int8"):
    two = f"{t}[2,3] a, float as, {t} az, {t}[2,3] b, float bs, {t} bz, float ys, {t} yz"
    one = f"{t}[1,3,4,4] x, float xs, {t} xz, float ys, {t} yz"
    for op in ("QLinearAdd", "QLinearMul"):
        case(f"{op} {t}", two, f"{t} y", f"com.microsoft.{op} (a, as, az, b, bs, bz, ys, yz)", off=1, bs=0.03, ys=0.05, az=3, bz=5, yz=10, **{"as": 0.02})
        case(f"{op} {t} row", two.replace("[2,3] b", "[3] b"), f"{t} y", f"com.microsoft.{op} (a, as, az, b, bs, bz, ys, yz)", off=1, bs=0.03, ys=0.05, az=3, bz=5, yz=10, **{"as": 0.02})
    case(f"QLinearSigmoid {t}", one, f"{t} y", "com.microsoft.QLinearSigmoid (x, xs, xz, ys, yz)", off=1, xs=0.05, ys=0.004, xz=3, yz=0)
    case(f"QLinearLeakyRelu {t}", one, f"{t} y", "com.microsoft.QLinearLeakyRelu <alpha = 0.1> (x, xs, xz, ys, yz)", off=1, xs=0.05, ys=0.05, xz=30, yz=20)
    case(f"QLinearSoftmax {t}", one, f"{t} y", "com.microsoft.QLinearSoftmax <axis = 1, opset = 13> (x, xs, xz, ys, yz)", off=1, xs=0.05, ys=0.004, xz=3, yz=0)
    case(f"QLinearGlobalAveragePool {t}", one, f"{t} y", "com.microsoft.QLinearGlobalAveragePool (x, xs, xz, ys, yz)", off=1, xs=0.05, ys=0.04, xz=3, yz=0)
    case(f"QLinearGlobalAveragePool {t} last", one, f"{t} y", "com.microsoft.QLinearGlobalAveragePool <channels_last = 1> (x, xs, xz, ys, yz)", off=1, xs=0.05, ys=0.04, xz=3, yz=0)
    case(f"QLinearAveragePool {t}", one, f"{t} y", "com.microsoft.QLinearAveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, xs, xz, ys, yz)", off=1, xs=0.05, ys=0.04, xz=3, yz=0)
    case(f"QLinearConcat {t}", f"float ys, {t} yz, {t}[2,3] a, float as, {t} az, {t}[2,2] b, float bs, {t} bz", f"{t} y", "com.microsoft.QLinearConcat <axis = 1> (ys, yz, a, as, az, b, bs, bz)",
         off=1, bs=0.03, ys=0.05, az=3, bz=5, yz=10, **{"as": 0.02})
    case(f"QLinearWhere {t}", f"bool[2,3] c, {two}", f"{t} y", "com.microsoft.QLinearWhere (c, a, as, az, b, bs, bz, ys, yz)", off=1, bs=0.03, ys=0.05, az=3, bz=5, yz=10, **{"as": 0.02})
QCONV = "uint8[1,{0}] x, float xs, uint8 xz, int8[6,4,3,3] w, float ws, int8 wz, float ys, uint8 yz, int32[6] b"
case("QLinearConv", QCONV.format("4,5,5"), "uint8 y", "com.microsoft.QLinearConv <pads = [1, 1, 1, 1]> (x, xs, xz, w, ws, wz, ys, yz, b)", off=1, xs=0.02, ws=0.01, ys=0.1, xz=120, wz=0, yz=128, b=(-500, 500))
case("QLinearConv last", QCONV.format("5,5,4"), "uint8 y", "com.microsoft.QLinearConv <channels_last = 1, strides = [2, 2]> (x, xs, xz, w, ws, wz, ys, yz, b)", off=1, xs=0.02, ws=0.01, ys=0.1, xz=120, wz=0, yz=128,
     b=(-500, 500))
case("DequantizeLinear", "int8[2,4] x, float s, int8 z", "float y", "com.microsoft.DequantizeLinear (x, s, z)", s=0.1)
case("QuantizeLinear", "float[2,4] x, float s, uint16 z", "uint16 y", "com.microsoft.QuantizeLinear (x, s, z)", s=0.01, z=1000, off=1)

# ---- other forms of the standard's operators
case("ExpandDims", "float[2,3] x, int32 a", "float y", "com.microsoft.ExpandDims (x, a)", a=-1)
case("GatherND", "float[2,3,4] x, int32[2,2] i", "float y", "com.microsoft.GatherND (x, i)", i=(0, 2))
case("Inverse", "float[3,4,4] x", "float y", "com.microsoft.Inverse (x)", loose=1e-3)
case("Range", "float[1] a, float[1] b, float[1] c", "float y", "com.microsoft.Range (a, b, c)", a=1, b=8, c=1.5)
case("Range whole", "int32 a, int32 b", "int32 y", "com.microsoft.Range (a, b)", a=2, b=7)
case("Trilu", "float[2,4,5] x, int64 k", "float y", "com.microsoft.Trilu <upper = 0> (x, k)", k=1)
case("Unique", "float[8] x", "float y, int64 i, int64 n", "com.microsoft.Unique (x)", x=[2, 1, 1, 3, 4, 3, 2, 9])
for mode in ("bilinear", "nearest", "bicubic"):
    case(f"GridSample {mode}", "float[1,2,5,5] x, float[1,3,4,2] g", "float y", f'com.microsoft.GridSample <mode = "{mode}", align_corners = 1> (x, g)', g=(-1.2, 1.2))
case("GridSample border", "float[1,2,5,5] x, float[1,3,4,2] g", "float y", 'com.microsoft.GridSample <padding_mode = "border"> (x, g)', g=(-1.2, 1.2))
case("Pad", "float[2,3] x, int64[4] p, float[1] v", "float y", "com.microsoft.Pad (x, p, v)", p=[1, 0, 0, 2])
case("CDist", "float[3,4] a, float[5,4] b", "float y", 'com.microsoft.CDist <metric = "euclidean"> (a, b)')
case("CDist squared", "double[3,4] a, double[5,4] b", "double y", "com.microsoft.CDist (a, b)")
case("MurmurHash3", "int32[2,3] x", "uint32 y", "com.microsoft.MurmurHash3 (x)", x=(-1000, 1000))
case("MurmurHash3 wide", "int64[5] x", "int32 y", "com.microsoft.MurmurHash3 <positive = 0, seed = 7> (x)", x=(-1000, 1000))
case("MurmurHash3 text", "string[4] x", "uint32 y", "com.microsoft.MurmurHash3 <seed = 3> (x)", x=["", "abc", "abcd", "hello world"])
for mode in ("bilinear", "nearest"):
    case(f"CropAndResize {mode}", "float[2,3,6,7] x, float[3,4] b, int32[3] i, int32[2] s", "float y", f'com.microsoft.CropAndResize <mode = "{mode}", extrapolation_value = 0.5> (x, b, i, s)',
         b=[[0, 0, 1, 1], [0.2, 0.1, 0.7, 0.9], [0.5, 0.5, 1.3, 0.2]], i=[0, 1, 1], s=[3, 4])
case("ConvTransposeWithDynamicPads", "float[1,3,4,4] x, float[3,2,3,3] w, int64[4] p, float[2] b", "float y", "com.microsoft.ConvTransposeWithDynamicPads <strides = [2, 2]> (x, w, p, b)", p=[1, 1, 0, 1])
case("NGramRepeatBlock", "int64[2,7] i, float[2,5] s", "float y", "com.microsoft.NGramRepeatBlock <ngram_size = 2> (i, s)", i=(0, 3))
case("UnfoldTensor", "float[2,7,3] x", "float y", "com.microsoft.UnfoldTensor <dim = 1, size = 3, step = 2> (x)")
TEXT = ["Hello World", "I love computer science !", "", "a  b"]
case("Tokenizer", "string[4] x", "string y", 'com.microsoft.Tokenizer <mark = 0, mincharnum = 1, pad_value = "#", separators = [" "]> (x)', x=TEXT)
case("Tokenizer marks", "string[2,2] x", "string y", 'com.microsoft.Tokenizer <mark = 1, mincharnum = 2, pad_value = "", separators = [" ", "o"]> (x)', x=TEXT)
case("Tokenizer characters", "string[4] x", "string y", 'com.microsoft.Tokenizer <mark = 0, mincharnum = 1, pad_value = "#", separators = [""]> (x)', x=TEXT)
case("Tokenizer expression", "string[4] x", "string y", 'com.microsoft.Tokenizer <mark = 0, mincharnum = 1, pad_value = "#", tokenexp = "[a-z]+|[A-Z]"> (x)', x=TEXT)

# ---- what the standard gave up
OLD = {"opset": 7}
case("Affine", "float[2,3] x", "float y", "Affine <alpha = 2.0, beta = 0.5> (x)", **OLD)
case("ParametricSoftplus", "float[2,3] x", "float y", "ParametricSoftplus <alpha = 0.5, beta = 2.0> (x)", **OLD)
case("ScaledTanh", "float[2,3] x", "float y", "ScaledTanh <alpha = 0.5, beta = 2.0> (x)", **OLD)
case("ImageScaler", "float[1,3,4,4] x", "float y", "ImageScaler <scale = 0.5, bias = [0.1, 0.2, 0.3]> (x)", **OLD)
case("Crop", "float[1,3,6,7] x", "float y", "Crop <border = [1, 2, 2, 1]> (x)", **OLD)
case("Crop to a size", "float[1,3,6,7] x", "float y", "Crop <border = [1, 2, 0, 0], scale = [3, 4]> (x)", **OLD)
case("Scale", "float[2,3] x", "float y", "Scale <scale = 0.5> (x)", **OLD)
case("DynamicSlice", "float[4,5] x, int64[2] b, int64[2] e, int64[2] a", "float y", "DynamicSlice (x, b, e, a)", b=[1, 0], e=[3, -1], a=[0, 1], **OLD)
case("MeanVarianceNormalization", "float[2,3,4,4] x", "float y", "MeanVarianceNormalization (x)", **OLD)
case("MeanVarianceNormalization across", "float[2,3,4,4] x", "float y", "MeanVarianceNormalization <across_channels = 1> (x)", **OLD)



def main():
    program, only = Path(sys.argv[1]).resolve(), sys.argv[2:]
    wrong = right = 0
    with tempfile.TemporaryDirectory() as folder:
        for entry in CASES:
            if only and entry[0].split()[0] not in only:
                continue
            why = judge(program, Path(folder), entry)
            right += why is None
            wrong += why is not None
            if why:
                print(f"{entry[0]}: {why}", flush=True)
    print(f"operators: {right} right, {wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
