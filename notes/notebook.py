"""Writes notes/evening.ipynb: the path of one evening, with its outputs and pictures in it.

    python -m notes.notebook [FILE]      runs all cells, about two minutes on two cores

Open it in Jupyter or a hosted notebook. The cells stand in `CELLS`; the file is made from them.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path

from PIL import Image

from clip_min.files import write_whole

FILE = Path(__file__).parent / "evening.ipynb"
CELLS = [  # (kind, text)
    ("markdown", """# One evening with prompts

The aim: to know what a prompt is, and to have learned one. All of it runs on a laptop without a
GPU: a tiny CLIP, and a miniature world of drawn pictures."""),
    ("code", """import subprocess, sys
from pathlib import Path

REPOSITORY = ""  # on a hosted machine: the address of this project, for git clone
if Path("../clip_min").exists():  # opened from the folder notes/
    import os; os.chdir("..")
if not Path("clip_min").exists():
    subprocess.run(["git", "clone", REPOSITORY, "prompts-to-read"], check=True)
    os.chdir("prompts-to-read")
    pip = [sys.executable, "-m", "pip", "install", "-q", "-r", "requirements.txt"]
    subprocess.run(pip, check=True)
sys.path.insert(0, str(Path.cwd()))"""),
    ("markdown", "## 1. What CLIP can do without learning\n\n"
                 "Pictures of twelve kinds of satellite tile:"),
    ("code", """import torch
from PIL import Image
from clip_min import load_clip
from clip_min.data import few_shot, load_dataset, open_picture

clip, dataset = load_clip("tiny"), load_dataset("toy-satellite")
row = Image.new("RGB", (12 * 84, 80), "white")
for i in range(12):
    item = next(item for item in dataset.test if item.label == i)
    row.paste(open_picture(item.path).resize((80, 80)), (84 * i, 0))
print(", ".join(dataset.classnames))
row"""),
    ("markdown", "A class is a sentence. The picture gets the class whose sentence has the largest "
                 "cosine with it. "
                 "Change the names: no class is built in."),
    ("code", """from prompts import METHODS

names, words = ["forest", "lake", "highway"], "a centered satellite photo of {}."
zero_shot = METHODS["zero_shot"](clip, names, words)
item = next(item for item in dataset.test if dataset.classnames[item.label] == "forest")
picture = clip.preprocess(open_picture(item.path))[None]  # [1, 3, 40, 40]
for name, p in zip(names, zero_shot(picture).softmax(dim=-1)[0]):
    print(f"{100 * p:5.1f} %  {name}")"""),
    ("code", """from prompts.runs.evaluation import evaluate

zero_shot = METHODS["zero_shot"](clip, dataset.classnames, dataset.templates[0])
print(f"{evaluate(zero_shot, dataset.test):.2f} % of {len(dataset.test)} test pictures")"""),
    ("markdown", """## 2. Learn the words

CoOp ([coop.md](coop.md)) puts four learned vectors in the place of "a photo of a": 512 numbers.
Nothing else changes."""),
    ("code", """from dataclasses import replace
from prompts import recipe_of
from prompts.runs.batches import training_batches
from train import train

EPOCHS = {"coop": 200, "upt": 32}
few, _ = few_shot(dataset, shots=16, seed=1)

def learn(name, **options):
    torch.manual_seed(1)
    method = METHODS[name](clip, dataset.classnames, **options)
    recipe = replace(recipe_of(name, "tiny"), epochs=EPOCHS[name])
    losses = train(method, training_batches(method, few, recipe, seed=1), recipe, seed=1)
    accuracy = evaluate(method, dataset.test)
    print(f"{name}: loss {losses[0]:.2f} → {losses[-1]:.2f}, {accuracy:.2f} %")
    return method, losses

coop, losses = learn("coop", ctx_init="a photo of a")"""),
    ("code", """from PIL import ImageDraw

curve = Image.new("RGB", (600, 200), "white")
points = [(600 * i / len(losses), 190 - 110 * loss) for i, loss in enumerate(losses)]
ImageDraw.Draw(curve).line(points, fill="#e07b00", width=2)
curve  # the loss of each epoch"""),
    ("markdown", """## 3. Learn prompts for both towers

UPT ([upt.md](upt.md)): one set of prompts, which look at each other and are then cut in two, a
half for each tower."""),
    ("code", """upt, _ = learn("upt")"""),
    ("markdown", """## 4. And on other classes?

The same learned context with the names of another data set, beside hand-written words.
CoCoOp's paper begins here."""),
    ("code", """other = load_dataset("toy-scenes")
coop.set_classes(other.classnames)
zero_shot = METHODS["zero_shot"](clip, other.classnames, other.templates[0])
for name, method in (("coop", coop), ("zero-shot", zero_shot)):
    print(f"{evaluate(method, other.test):.2f} %  {name}")"""),
    ("markdown", "Next: [the reading order of one week](README.md), and each equation beside its "
                 "code: "
                 "`python -m notes.beside OUT`."),
]


def run(source, names):
    """A cell's code and the variables so far → its outputs, as a notebook has them."""
    *body, last = ast.parse(source).body
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call):
            exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
        else:
            exec(compile(source, "<cell>", "exec"), names)
    outputs = []
    if printed.getvalue():
        outputs.append(dict(output_type="stream", name="stdout", text=printed.getvalue()))
    if isinstance(value, Image.Image):
        file = io.BytesIO()
        value.save(file, "PNG", optimize=True)
        data = {"image/png": base64.b64encode(file.getvalue()).decode()}
        outputs.append(dict(output_type="display_data", data=data, metadata={}))
    return outputs


def notebook(cells, outputs):
    """Cells and the outputs of each → the notebook as JSON text (nbformat 4.5)."""
    found = []
    for i, ((kind, text), out) in enumerate(zip(cells, outputs)):
        cell = dict(cell_type=kind, id=f"cell-{i}", metadata={}, source=text)
        found.append(cell | (dict(execution_count=None, outputs=out) if kind == "code" else {}))
    kernel = dict(display_name="Python 3", language="python", name="python3")
    content = dict(cells=found, metadata=dict(kernelspec=kernel), nbformat=4, nbformat_minor=5)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main():
    """Run all cells and write the notebook."""
    names, outputs = {}, []
    for kind, text in CELLS:
        outputs.append(run(text, names) if kind == "code" else [])
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    write_whole(path, notebook(CELLS, outputs).encode())
    print(path)


if __name__ == "__main__":
    main()
