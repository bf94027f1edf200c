#!/usr/bin/env python3
"""ONNX Runtime as the outside judge of rules: what it loads before a rule set, it must load after.

    rules.py BIN CASES.txt...

Every case of tests/rules (form: test_rules.c), in every element type it names, is rewritten by its rule set alone and loaded without
graph optimizations. A rule that makes an operator the runtime has no kernel for shows here. Exit 1 when one does.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import onnxruntime as ort


def refusal(path):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as e:      # the runtime has no common class of errors
        return str(e).splitlines()[0]
    return None


def numbers(match):
    return ", ".join(f"{0.1 + 0.37 * (i * 7 % 11) - (1.9 if match[1] == '-' else 0):.3f}" for i in range(int(match[2])))


def cases(text):
    """Name, element type and model text of each case that a rule changes."""
    for part in re.split(r"(?m)^=== ", text)[1:]:
        head, rest = part.split("\n", 1)
        before, after = rest.split("\n---\n", 1)
        if after.strip() == "unchanged":
            continue
        types = ["float"]
        for line in re.findall(r"(?m)^@types (.*)\n", before):
            types += line.split()
        model = re.sub(r"(?m)^@.*\n", "", before)
        for t in types:
            yield head, t, re.sub(r"@([+-])(\d+)", numbers, re.sub(r"\bfloat\b(?=[\[ ])", t, model))


def main():
    program, files = Path(sys.argv[1]), sys.argv[2:]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as folder:
        text, before, after = (Path(folder) / n for n in ("case.txt", "before.onnx", "after.onnx"))
        for file in map(Path, files):
            for head, t, model in cases(file.read_text()):
                text.write_text(model)
                parsed = subprocess.run([program / "onnx-run", "parse", text, "-o", before], capture_output=True, text=True)
                if parsed.returncode or refusal(before):
                    counts["skipped"] += 1      # not in this type, or not for this runtime
                    continue
                passes = f"--passes=infer-shapes,{file.stem}"
                rewritten = subprocess.run([program / "onnx-opt", before, "-o", after, passes, "--verify=off"], capture_output=True, text=True)
                why = rewritten.stderr.strip() if rewritten.returncode else refusal(after)
                counts["failed" if why else "passed"] += 1
                if why:
                    print(f"{file.stem}: {head} ({t}): {why}")
    print("rules: " + ", ".join(f"{n} {k}" for k, n in counts.items()))
    sys.exit(counts["failed"] > 0)


main()
