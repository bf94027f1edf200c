"""The reports of onnx-opt: the page says what the JSON says, is strict XML, and lets no name or path break out.
Takes the folder of the programs. TAP."""
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

BIN = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp()
atexit.register(shutil.rmtree, WORK)
os.chdir(WORK)
checks = failures = 0

# Two operators of a domain of its own, and a name for everything that a page or JSON may trip over.
ODD = r'''<ir_version: 8, opset_import: ["" : 17, "a<b>&\"c\"" : 1]>
odd (float[N,4] x) => (float[N,4] y)
{
  t = Identity (x)
  u = "a<b>&\"c\""."</code><script>alert(1)</script>" (t)
  v = "a<b>&\"c\""."bell\x07 delete\x7f next\xc2\x85 line's\n" (u)
  w = "a<b>&\"c\""."\xc3\x84rger \xe2\x80\xae \xef\xbf\xbe \xef\xbf\xbf" (v)
  y = Relu (w)
}
'''
ODD_SHOWN = {
    'Identity', 'Relu', 'a<b>&"c"::</code><script>alert(1)</script>', r'''a<b>&"c"::bell\x07 delete\x7f next\xc2\x85 line's\n''',
    r'a<b>&"c"::Ärger \xe2\x80\xae \xef\xbf\xbe \xef\xbf\xbf',
}

GOOD = '''<ir_version: 8, opset_import: ["" : 17]>
good (float[N,4] x) => (float[N,4] y)
<float[4,4] W = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7}, float[4] b = {0.5, 1, 2, 3}>
{
  i = Identity (x)
  m = MatMul (i, W)
  a = Add (m, b)
  y = Exp (a)
}
'''


def ok(name, condition, note=''):
    global checks, failures
    checks += 1
    failures += not condition
    print('ok' if condition else 'not ok', checks, '-', name)
    if not condition and note:
        print('#', str(note).replace('\n', '\n# '))


def is_(name, got, want):
    ok(name, got == want, f'got  {got!r}\nwant {want!r}')


def run(program, *args, **more):
    return subprocess.run([os.path.join(BIN, program), *args], stdin=subprocess.DEVNULL, capture_output=True, **more)


def parse(text, path):
    with open('model.txt', 'w') as f:
        f.write(text)
    done = run('onnx-run', 'parse', 'model.txt', '-o', path)
    if done.returncode:
        sys.exit(f'Bail out! {path} does not parse: {done.stderr!r}')


def optimize(path, out, report, *args):
    return run('onnx-opt', path, '-o', out, '--report=' + report, *args)


def page(path):
    """The page by a strict parser, names without their namespace."""
    root = xml.parse(path).getroot()
    for e in root.iter():
        e.tag = e.tag.split('}')[-1]
    return root


def text(e):
    return ''.join(e.itertext())


def part(root, id):
    return next(e for e in root.iter() if e.get('id') == id)


def numbers(e):
    return [float(d.get('value')) for d in e.iter('data')]


def table(root, id):
    """Head of each row of the body: its numbers."""
    return {text(r.find('th')): numbers(r) for r in part(root, id).find('tbody')}


def pairs(root, id):
    e = part(root, id)
    return dict(zip((text(d) for d in e.iter('dt')), e.iter('dd')))


def shown(name):
    """A name as pages show it; the test's own words for what the programs do."""
    def escape(m):
        short = {'\n': r'\n', '\t': r'\t', '\r': r'\r'}.get(m[0])
        return short or ''.join(f'\\x{b:02x}' for b in m[0].encode())
    return re.sub('[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]', escape, name)


def compare(what, root, j):
    """What both say must be the same. Times are of two runs, so they are only numbers here; the run of the page has its own."""
    before, after = j['before'], j['after']
    ops = {op: [before['ops'].get(op, 0), after['ops'].get(op, 0)] for op in before['ops'] | after['ops']}
    is_(f'{what}: operators', table(root, 'operators'), {shown(op): [a, b, b - a] for op, (a, b) in ops.items()})
    keys = ['nodes', 'constants', 'initializers', 'parameters', 'weight_bytes']
    is_(f'{what}: figures', list(table(root, 'size').values()), [[before[k], after[k], after[k] - before[k]] for k in keys])
    is_(f'{what}: all figures of the JSON are there', set(before), {*keys, 'ops'})
    passes = table(root, 'passes')
    work = [(shown(p['name']), [p['runs'], p['changes']]) for p in j['passes']]
    is_(f'{what}: passes, in order', [(name, n[:2]) for name, n in passes.items()], work)
    ok(f'{what}: each has a time', all(len(n) == 3 and n[2] >= 0 for n in passes.values()), passes)
    v, check = j['verify'], pairs(root, 'verification')
    is_(f'{what}: verdict', next(check['Verdict'].iter('data')).get('value'), v['verdict'])
    is_(f'{what}: samples', numbers(check['Samples']), [v['samples']])
    difference = [numbers(d) for name, d in check.items() if 'ifference' in name or 'magnitude' in name]
    is_(f'{what}: greatest difference', difference, [[v['max_abs']], [v['max_rel']]] if v['samples'] else [])
    is_(f'{what}: why', text(check['Why']) if 'Why' in check else '', shown(v['why']))
    tiles = [numbers(d) for d in root.iter('dd') if 'big' in d.get('class', '')]
    is_(f'{what}: summary', tiles[:2], [[before['nodes'], after['nodes']], [before['weight_bytes'], after['weight_bytes']]])
    is_(f'{what}: paths', [text(d) for d in pairs(root, 'files').values()], [shown(j['input']), shown(j['output'])])


def check_form(what, root):
    """What a page owes to readers who see it, and to those who do not."""
    names = {e.tag for e in root.iter()}
    ok(f'{what}: no script, nothing fetched', not names & {'script', 'link', 'img', 'iframe', 'object', 'form', 'base'}
       and not any(a in ('src', 'href') or a.startswith('on') for e in root.iter() for a in e.attrib), names)
    styles = text(root.find('head').find('style')) + ''.join(e.get('style', '') for e in root.iter())
    ok(f'{what}: styles fetch nothing', 'url(' not in styles and '@import' not in styles)
    ok(f'{what}: dark and printed', 'prefers-color-scheme:dark' in styles and '@media print' in styles)
    is_(f'{what}: language', root.get('lang'), 'en')
    is_(f'{what}: headings', [e.tag for e in root.iter() if re.fullmatch('h[1-6]', e.tag)], ['h1', 'h2', 'h2', 'h2', 'h2'])
    ok(f'{what}: every header of a table has a scope', all(e.get('scope') in ('row', 'col') for e in root.iter('th')))
    ok(f'{what}: every table has a caption', all(e.find('caption') is not None for e in root.iter('table')))


def both(what, path, out, *args):
    """Reports of two runs in both formats, as they read."""
    for ending in ('json', 'html'):
        done = optimize(path, out, 'r.' + ending, *args)
        is_(f'{what}: {ending} is written', (done.returncode, os.path.exists('r.' + ending)), (0, True))
    with open('r.json', encoding='utf-8') as f:
        j = json.load(f)
    root = page('r.html')
    check_form(what, root)
    compare(what, root, j)
    return root, j


# ---- a model that can be verified
parse(GOOD, 'good.onnx')
root, j = both('verified', 'good.onnx', 'out.onnx')
is_('verified: it is', j['verify']['verdict'], 'same')
is_('verified: title', text(root.find('head').find('title')), 'good.onnx – onnx-opt')
ok('verified: fewer nodes', j['after']['nodes'] < j['before']['nodes'], j)
root, j = both('off', 'good.onnx', 'out.onnx', '--verify=off')
is_('off: it is', j['verify']['verdict'], 'off')

# ---- names and paths of all kinds
parse(ODD, 'odd.onnx')
folder = b'<i>&\xff'
os.mkdir(folder)
path = os.path.join(folder, b'\'"\x01\xc3(\n.onnx')
os.rename('odd.onnx', path)
root, j = both('odd', path, folder + b'/\xfe.onnx')
is_('odd: operators as they are shown', set(table(root, 'operators')), ODD_SHOWN)
is_('odd: JSON keeps names of the model', sorted(map(shown, j['before']['ops'])), sorted(ODD_SHOWN))
is_('odd: a path that is no UTF-8, in JSON', j['input'], r'''<i>&\xff/'"\x01\xc3(\n.onnx''')
is_('odd: heading', text(next(root.iter('h1'))), r"""'"\x01\xc3(\n.onnx""")
ok('odd: why names the operator', 'script' in text(pairs(root, 'verification')['Why']), j['verify'])
empty = '<ir_version: 8, opset_import: ["" : 17]>\nempty (float[N] x) => (float[N] x) {}\n'
parse(empty, 'empty.onnx')
both('no nodes', 'empty.onnx', 'out.onnx')
with open('good.onnx', 'rb') as f:
    done = subprocess.run([os.path.join(BIN, 'onnx-opt'), '-', '-o', '-', '--report=r.html'], stdin=f, capture_output=True)
is_('standard input and output have words', [text(d) for d in pairs(page('r.html'), 'files').values()], ['standard input', 'standard output'])

# ---- the same every time, and together with the model
def timeless(path):
    with open(path, encoding='utf-8') as f:
        return re.sub(r'<td class="chart">.*?</td>', '', re.sub(r'<data value="[-0-9.e]*">[0-9]+\.[0-9]{2,3}( ms)?</data>', 'TIME', f.read()))


optimize('good.onnx', 'out.onnx', 'one.html', '--threads=1')
optimize('good.onnx', 'out.onnx', 'two.html', '--threads=2')
is_('the same but for times', timeless('one.html'), timeless('two.html'))
is_('another ending', optimize('good.onnx', 'x.onnx', 'r.htm').returncode, 64)
is_('a report that cannot be written', optimize('good.onnx', 'x.onnx', 'none/r.html').returncode, 73)
os.mkdir('taken')
is_('a model that cannot be written', optimize('good.onnx', 'taken', 'late.html').returncode, 73)
is_('neither is there, nor what was begun', sorted(n for n in os.listdir() if n in ('x.onnx', 'late.html', 'r.htm') or '.ox-' in n), [])

print(f'1..{checks}')
sys.exit(failures > 0)
