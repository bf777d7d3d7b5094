"""The notebook of one evening: made from its cells, which run in their order."""

import json

from notes import notebook
from tests.helpers import ROOT


def test_the_file_holds_the_cells_and_an_output_of_each_that_prints():
    content = json.loads(notebook.FILE.read_text(encoding="utf-8"))
    assert [(cell["cell_type"], cell["source"]) for cell in content["cells"]] == notebook.CELLS
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in code if "print(" in cell["source"])
    outputs = [out for cell in code for out in cell["outputs"]]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) == 2 and content["nbformat"] == 4


def test_its_cells_run_in_their_order(monkeypatch):
    monkeypatch.chdir(ROOT)
    names, printed = {}, ""
    for kind, text in notebook.CELLS:
        if kind == "code":
            quick = text.replace('{"coop": 200, "upt": 32}', '{"coop": 2, "upt": 1}')
            outputs = notebook.run(quick.replace("shots=16", "shots=1"), names)
            printed += "".join(out.get("text", "") for out in outputs)
    assert "47.08 % of 720 test pictures" in printed and "upt: loss" in printed
