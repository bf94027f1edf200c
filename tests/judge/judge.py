#!/usr/bin/env python3
"""ONNX Runtime as the outside judge: what onnx-opt writes must compute what the original computes.

    judge.py BIN MODEL.onnx|DIR...

Every model is optimized by BIN/onnx-opt with its defaults; original and result then run in ONNX Runtime without graph optimizations on
generated inputs, at two sizes of the symbolic dimensions, and are compared. A model that ONNX Runtime cannot run is counted apart. Exit 1
when a result is wrong, does not load, has another interface, when onnx-opt ends with a signal, or refuses a model that ONNX Runtime loads
(but for those that REFUSED names, with the words of the refusal).
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort

REFUSED = {"gpt2_past_tiny.onnx": "defined a second time"}    # 48 values have two producers; ONNX Runtime takes one of them
SIZES = [{"": 16, "batch": 1, "N": 1}, {"": 24, "batch": 2, "N": 2}, {"": 64, "batch": 1}, {"": 224, "batch": 1}, {"": 512, "batch": 1}, {"": 1, "batch": 1}]


def session(path):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed(s, sizes, seed, limit):
    rng = np.random.default_rng(seed)
    made = {}
    for i in s.get_inputs():
        shape = [d if isinstance(d, int) else sizes.get(d, sizes["batch"] if k == 0 else sizes[""]) for k, d in enumerate(i.shape)]
        kind = i.type.removeprefix("tensor(").rstrip(")")
        name = i.name.lower()
        if kind == "string":
            made[i.name] = rng.choice(np.array(["alpha", "beta", "gamma"], dtype=object), size=shape)
        elif kind in ("float", "double", "float16"):
            value = np.ones(shape) if "mask" in name else rng.standard_normal(shape)
            made[i.name] = np.asarray(value).astype({"float": "float32", "double": "float64"}.get(kind, kind))
        elif kind == "bool":
            made[i.name] = np.ones(shape, bool)
        else:
            value = np.ones(shape) if "mask" in name else np.full(shape, 16000) if name == "sr" else rng.integers(0, limit, shape)
            made[i.name] = np.asarray(value).astype(kind)
    return made


def leaves(value):
    if isinstance(value, dict):
        for k in sorted(value, key=str):
            yield from leaves(value[k])
    elif isinstance(value, list):
        for v in value:
            yield from leaves(v)
    elif value is not None:
        yield np.asarray(value)


def difference(want, got, loose):
    for a, b in zip(leaves(want), leaves(got), strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{a.dtype}{list(a.shape)} became {b.dtype}{list(b.shape)}"
        if a.dtype.kind != "f":
            if (a != b).any():
                return f"{int((a != b).sum())} of {a.size} values differ"
            continue
        a, b = a.astype(np.float64), b.astype(np.float64)
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return "NaN or infinity in other places"
        a, b = np.nan_to_num(a), np.nan_to_num(b)
        top = abs(a).max(initial=0)
        over = abs(a - b) > loose * (abs(a) + 0.1 * max(top, 1e-2))
        if over.mean() > (0.01 if loose > 1e-2 else 0) if a.size else False:
            return f"off by {abs(a - b).max():.3g} of {top:.3g}"
    return None


def judge(program, model, folder):
    out = Path(folder, "out", model.name)
    out.parent.mkdir(exist_ok=True)
    done = subprocess.run([program, model, "-o", out], capture_output=True, text=True, timeout=600)
    if done.returncode < 0 or done.returncode == 70:
        return f"onnx-opt ended with {done.returncode}: {done.stderr.strip()[-300:]}"
    try:
        want_session = session(model)
    except Exception:
        return "unjudged"
    if done.returncode:
        if model.name in REFUSED and REFUSED[model.name] in done.stderr:
            return None
        return f"refused: {done.stderr.strip()[-300:]}"
    try:
        got_session = session(out)
    except Exception as e:
        return f"does not load: {str(e)[:300]}"
    if [o.name for o in want_session.get_outputs()] != [o.name for o in got_session.get_outputs()]:
        return "another interface"
    data = model.read_bytes()
    loose = 5e-2 if b"QuantizeLinear" in data or b"QLinear" in data else 2e-2 if any("float16" in i.type for i in want_session.get_inputs()) else 1e-3
    compared = 0
    for limit in (100, 2, 1):
        for n, sizes in enumerate(SIZES):
            try:
                given = feed(want_session, sizes, n, limit)
                want = want_session.run(None, given)
            except Exception:
                continue
            names = {i.name for i in got_session.get_inputs()}
            try:
                got = got_session.run(None, {k: v for k, v in given.items() if k in names})
            except Exception as e:
                return f"does not run: {str(e)[:300]}"
            why = difference(want, got, loose)
            if why:
                return f"sizes {sizes}: {why}"
            compared += 1
            if compared == 2:
                return None
        if compared:
            return None
    return "unjudged"


def main():
    program = Path(sys.argv[1]).resolve() / "onnx-opt"
    models = sorted(m for a in sys.argv[2:] for m in ([Path(a)] if a.endswith(".onnx") else Path(a).rglob("*.onnx")))
    right = unjudged = 0
    wrong = []
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            why = judge(program, model.resolve(), folder)
        if why is None:
            right += 1
        elif why == "unjudged":
            unjudged += 1
        else:
            wrong.append(f"{model.parent.name}/{model.name}: {why}")
            print(wrong[-1], flush=True)
    print(f"judge: {right} right, {len(wrong)} wrong, {unjudged} that ONNX Runtime cannot run")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
