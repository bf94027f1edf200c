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
        value = np.asarray(how).reshape(shape)
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
    a, b = np.nan_to_num(a), np.nan_to_num(b)
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

QATT = "uint8[2,5,12] x, int8[12,24] w, float[24] b, float xs, float ws"
case("QAttention", QATT + ", uint8 xz, int8 wz", "float y", "com.microsoft.QAttention <num_heads = 2> (x, w, b, xs, ws, , xz, wz)", xs=0.02, ws=0.01, xz=120, wz=3)
case("QAttention past", QATT + ", int32[2,8] m, uint8 xz, int8 wz, float[2,2,2,3,4] p", "float y, float present", "com.microsoft.QAttention <num_heads = 2, unidirectional = 1> (x, w, b, xs, ws, m, xz, wz, p)", xs=0.02, ws=0.01, xz=120, wz=0, m=(0, 2))

# ---- end of cases


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
