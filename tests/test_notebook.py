"""The notebook of the documentation: its cells run as they stand there, with fewer steps."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
_FEW = "EPISODES, BC_STEPS, TRAIL_STEPS, TRIES = 20, 2, 5, 2"  # one of 20 is kept back
_MAGIC = "%%writefile "


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text())["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_it_was_run_from_top_to_bottom_without_an_error_and_is_small() -> None:
    assert [cell["execution_count"] for cell in cells()] == list(range(1, len(cells()) + 1))
    outputs = [output for cell in cells() for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert NOTEBOOK.stat().st_size < 300_000


@pytest.mark.render
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_cells_run(tmp_path: Path) -> None:
    script = []
    for cell in cells():
        text = "".join(cell["source"])
        if text.startswith(_MAGIC):
            line, _, module = text.partition("\n")
            (tmp_path / line.removeprefix(_MAGIC).strip()).write_text(module)
        else:
            script.append(_FEW if "parameters" in cell["metadata"].get("tags", ()) else text)
    assert _FEW in script
    (tmp_path / "notebook.py").write_text("\n".join(script))
    done = subprocess.run([sys.executable, "notebook.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| trail |" in done.stdout
