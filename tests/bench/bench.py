#!/usr/bin/env python3
"""Time and memory of onnx-opt as a whole process, beside peers in the same run. A benchmark, never a test.

    bench.py BIN [--runs N] [MODEL.onnx|DIR...]

Without models: chains of residual blocks of 1,000 to 80,000 nodes, made here as text; they show how the cost of a node grows with the
model. Peers are those that the interpreter at hand can import (onnxoptimizer, onnxsim, onnxslim), with their defaults. Of several runs
the least processor time and the greatest resident memory count; "-": failed, or over the limit. Run it
on a machine that does nothing else.
"""
import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = """   c{i} = Conv<pads = [1, 1, 1, 1], kernel_shape = [3, 3]>(x{i}, w)
   n{i} = BatchNormalization(c{i}, s, s, s, s)
   r{i} = Relu(n{i})
   z{i} = Add(r{i}, zero)
   h{i} = Shape(z{i})
   q{i} = Gather<axis = 0>(h{i}, first)
   u{i} = Unsqueeze(q{i}, axis)
   t{i} = Concat<axis = 0>(u{i}, rest)
   f{i} = Reshape(z{i}, t{i})
   x{j} = Add(f{i}, x{i})
"""
NODES = BLOCK.count("\n")
PEERS = {
    "onnxoptimizer": "import sys, onnx, onnxoptimizer; onnx.save(onnxoptimizer.optimize(onnx.load(sys.argv[1])), sys.argv[2])",
    "onnxsim": "import sys, onnx, onnxsim; onnx.save(onnxsim.simplify(onnx.load(sys.argv[1]))[0], sys.argv[2])",
    "onnxslim": "import sys, onnxslim; onnxslim.slim(sys.argv[1], sys.argv[2])",
}


def chain(blocks):
    weights = ", ".join(f"{(k * 7 % 11 - 5) / 50:g}" for k in range(8 * 8 * 9))
    head = (f'<ir_version: 8, opset_import: ["" : 17]>\nbench (float[N,8,4,4] x0) => (float[N,8,4,4] x{blocks}) '
            f"<float[8,8,3,3] w = {{{weights}}}, float[8] s = {{{', '.join(['1'] * 8)}}}, float zero = {{0}}, int64 first = {{0}}, "
            "int64[1] axis = {0}, int64[3] rest = {8, 4, 4}> {\n")
    return head + "".join(BLOCK.format(i=i, j=i + 1) for i in range(blocks)) + "}\n"


# A bare interpreter starts what is measured: the peak memory of a process is never less than that of the one it was forked from.
LAUNCHER = """
import os, signal, sys
pid = os.fork()
if pid == 0:
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        os.execv(sys.argv[2], sys.argv[2:])
    finally:
        os._exit(127)
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
signal.alarm(int(sys.argv[1]))
_, status, use = os.wait4(pid, 0)
print(status, use.ru_utime + use.ru_stime, use.ru_maxrss)
"""


def measure(command, runs, limit=600):
    """Least CPU seconds and greatest resident KiB, or None when it fails or takes longer than the limit."""
    figures = []
    for _ in range(runs):
        said = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, str(limit), *command], capture_output=True, text=True, check=True).stdout.split()
        if said[0] != "0":
            return None
        figures.append((float(said[1]), int(said[2])))
    return min(f[0] for f in figures), max(f[1] for f in figures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bin", type=Path)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=60, help="seconds a peer may take (default 60)")
    args = parser.parse_intermixed_args()
    os.environ.pop("OPENBLAS_CORETYPE", None)
    os.environ.pop("OPENBLAS_L2_SIZE", None)
    opt, run = (str((args.bin / name).resolve()) for name in ("onnx-opt", "onnx-run"))
    peers = [p for p in PEERS if importlib.util.find_spec(p)]
    columns = ["inspect", "copy", "optimize", "verified", *peers]
    with tempfile.TemporaryDirectory() as folder:
        out, text = os.path.join(folder, "out.onnx"), os.path.join(folder, "chain.txt")
        models = [m for given in args.models for m in (sorted(given.rglob("*.onnx")) if given.is_dir() else [given])]
        for nodes in [] if models else (1000, 5000, 20000, 80000):
            made = Path(folder, f"chain-{nodes}.onnx")
            Path(text).write_text(chain(nodes // NODES))
            if measure([run, "parse", text, "-o", str(made)], 1) is None:
                sys.exit("the chain does not parse")
            models.append(made)
        print(f"{'CPU ms (peak MiB)':32}" + "".join(f"{c:>19}" for c in columns))
        ratios = {p: [] for p in peers}
        for m in models:
            path = str(m.resolve())
            figures = {
                "inspect": measure([run, "inspect", path, "--memory-plan=off"], args.runs),
                "copy": measure([opt, path, "-o", out, "--passes=none"], args.runs),
                "optimize": measure([opt, path, "-o", out, "--verify=off"], args.runs),
                "verified": measure([opt, path, "-o", out], args.runs),
            }
            for p in peers:
                figures[p] = measure([sys.executable, "-c", PEERS[p], path, out], args.runs, args.limit)
                if figures[p] and figures["optimize"]:
                    ratios[p].append(figures[p][0] / max(figures["optimize"][0], 1e-4))
            cells = [f"{f[0] * 1e3:.1f} ({f[1] / 1024:.0f})" if f else "-" for f in (figures[c] for c in columns)]
            print(f"{m.name:32}" + "".join(f"{c:>19}" for c in cells), flush=True)
    for p in peers:
        if ratios[p]:
            print(f"{p}: {statistics.median(ratios[p]):.1f}x the processor time of onnx-opt --verify=off (median of {len(ratios[p])})")


main()
