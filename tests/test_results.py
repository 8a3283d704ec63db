"""The tables of results in the documents: built from the numbers beside them, by code that is in the history."""

import json
import subprocess
from pathlib import Path

import pytest

from trailkit.agents.run.bench.comparison import Comparison, Side, markdown
from trailkit.agents.run.compare.command import table
from trailkit.agents.run.compare.runs import Row

_RESULTS = Path(__file__).parents[1] / "docs" / "results"
_MEASURED = [path for path in sorted(_RESULTS.glob("*.json")) if '"measured": [' in path.read_text()]
_COMPARED = [path for path in sorted(_RESULTS.glob("*.json")) if '"runs": [' in path.read_text()]


def test_there_are_results() -> None:
    assert len(_COMPARED) >= 2 and len(_MEASURED) >= 1


@pytest.mark.parametrize("path", _MEASURED, ids=lambda path: path.stem)
def test_a_table_of_a_benchmark_is_that_of_its_numbers(path: Path) -> None:
    found = json.loads(path.read_text())
    rows = [{**row, "ours": Side(**row["ours"]), "other": Side(**row["other"])} for row in found["measured"]]
    assert path.with_suffix(".md").read_text() == markdown(Comparison(**row) for row in rows)
    _check_commits({found["commit"]})


@pytest.mark.parametrize("path", _COMPARED, ids=lambda path: path.stem)
def test_a_table_is_that_of_its_numbers(path: Path) -> None:
    runs = json.loads(path.read_text())["runs"]
    rows = [Row(**{key: value for key, value in run.items() if key not in ("findings", "provenance")}) for run in runs]
    assert path.with_suffix(".md").read_text().startswith(table(rows))


@pytest.mark.parametrize("path", _COMPARED, ids=lambda path: path.stem)
def test_what_was_trained_was_trained_by_code_that_is_there(path: Path) -> None:
    _check_commits({made["commit"] for run in json.loads(path.read_text())["runs"] for made in run["provenance"]})


def _check_commits(commits: set[str]) -> None:
    if _git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("the whole history is needed")
    assert commits
    for commit in commits:
        assert _git("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0, commit


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", _RESULTS, *words], capture_output=True, text=True, check=False)
