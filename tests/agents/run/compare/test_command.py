import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
from omegaconf import OmegaConf

from trailkit.agents.run.cli import main
from trailkit.agents.run.compare.command import compare, compare_runs
from trailkit.agents.run.compare.contests import contests, summaries
from trailkit.agents.run.compare.curves import read_table
from trailkit.agents.run.compare.runs import read_run
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.evaluation.episodes import EpisodeResult
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.configs.schema import TrainConfig
from trailkit.demos.video import write_video
from trailkit.envs.errors import UserError


def make_run(
    folder: Path,
    shares: list[float],
    method: str = "trail",
    seed: int = 2,
    words: Sequence[str] = (),
    episodes: int = 50,
) -> Path:
    config = configure("train", TrainConfig, ["demos=d", f"method={method}", f"seed={seed}", "demo_limit=25", *words])
    folder.mkdir()
    OmegaConf.save(OmegaConf.structured(config), folder / "config.yaml")
    clocks = [[100, 400, 20], [200, 800, 40], [300, 1200, 60], [400, 1600, 90], [500, 2000, 120]]
    with (folder / "metrics.csv").open("w") as file:
        csv.writer(file).writerows([["step", "actor_steps", "seconds"], *clocks])
    for index, share in enumerate(shares):
        step = 400 - 100 * (len(shares) - index - 1)
        write_evaluation(folder / "evaluations" / f"{step:09d}", [i < share * episodes for i in range(episodes)])
    return folder


def write_evaluation(folder: Path, solved: list[bool]) -> None:
    episodes = (EpisodeResult(i, i, 120.0, 1.0, each, each, 100, 5 if each else None) for i, each in enumerate(solved))
    Evaluation(0, tuple(episodes), 1.0).write(folder / "eval_info.json")


def test_a_row_tells_the_end_the_best_and_the_last_three(tmp_path: Path) -> None:
    row = read_run(make_run(tmp_path / "run", [0.2, 1.0, 0.9, 0.8])).row
    assert (row.success, row.best, row.last) == (0.8, 1.0, (1.0, 0.9, 0.8))
    assert (row.low, row.high) == pytest.approx((0.669631, 0.887562), abs=1e-5)
    assert (row.task, row.method, row.seed, row.demos, row.episodes) == ("lift", "trail", 2, 25, 50)
    assert (row.learner_steps, row.actor_steps, row.minutes) == (400, 1600, 1.5)
    assert row.curve == ((100, 400, 0.2), (200, 800, 1.0), (300, 1200, 0.9), (400, 1600, 0.8))


def test_of_the_last_step_the_evaluation_of_the_most_episodes_counts(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [1.0, 0.8])
    last = folder / "evaluations" / "000000400"
    write_evaluation(last / "seed7_episodes100", [i < 70 for i in range(100)])
    write_evaluation(last / "seed0_episodes20", [False] * 20)
    write_evaluation(last / "elsewhere", [False] * 200)
    run = read_run(folder)
    row = run.row
    assert (row.episodes, row.success, row.best, row.last) == (100, 0.7, 1.0, (1.0, 0.7))
    assert sum(run.outcomes.values()) == 70  # of which verdicts are, too


def test_evaluations_by_hand_count_where_the_training_made_none(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [1.0])
    later = folder / "evaluations" / "000000500"
    write_evaluation(later / "seed0_episodes20", [i < 15 for i in range(20)])
    write_evaluation(later / "seed7_episodes10", [i < 9 for i in range(10)])
    run = read_run(folder)
    assert (run.row.learner_steps, run.row.episodes, run.row.success, run.row.last) == (500, 20, 0.75, (1.0, 0.75))
    (folder / "evaluations" / "000000400" / "eval_info.json").unlink()
    assert read_run(folder).row.last == (0.75,)


def test_an_evaluation_that_was_long_in_coming_does_not_set_the_clocks_back(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [0.5])
    with (folder / "metrics.csv").open("a") as file:
        file.write("100,400,20\n")
    assert read_run(folder).row.learner_steps == 400
    assert read_table(folder).columns["step"].tolist() == [100, 100, 200, 300, 400, 500]


def test_what_cannot_be_compared_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fresh, good, damaged = (
        make_run(tmp_path / name, shares) for name, shares in (("a", []), ("b", [0.5]), ("c", [0.5]))
    )
    (damaged / "evaluations" / "000000400" / "eval_info.json").write_text('{"per_episode": [')
    main(["compare", *map(str, (fresh, good, damaged, tmp_path / "none"))])
    said = capsys.readouterr()
    assert said.out.count("| lift |") == 1
    assert [line[:9] for line in said.err.splitlines()] == 3 * ["left out:"]
    assert re.search(r"a has no evaluation yet: trailkit evaluate run=\S*a makes one\n", said.err)
    assert re.search(r"000000400/eval_info.json is damaged: remove it, and evaluate again", said.err)
    with pytest.raises(SystemExit):
        main(["compare", str(damaged)])
    assert "is damaged" in capsys.readouterr().err


def test_odd_files_in_a_run_take_no_others_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, empty, clockless, other = (make_run(tmp_path / name, [0.5], seed=seed) for seed, name in enumerate("abcd"))
    (good / "evaluations" / "000000400.bak").mkdir()
    (good / "provenance.json").write_text("[{")
    (empty / "evaluations" / "000000400" / "eval_info.json").write_text('{"per_episode": [], "aggregated": {}}')
    (clockless / "metrics.csv").write_text("step,disc_loss\n400,1.0\n")
    (other / "config.yaml").write_text((other / "config.yaml").read_text() + "oldkey: 1\n")
    main(["compare", *map(str, (good, empty, clockless, other)), f"out={tmp_path / 'table.md'}"])
    said = capsys.readouterr()
    assert said.out.count("| lift |") == 1
    assert "b/evaluations/000000400/eval_info.json is damaged" in said.err
    assert "c/metrics.csv is no metrics log" in said.err
    assert re.search(r"d/config\.yaml is damaged or of another version of trailkit: Key 'oldkey' not in", said.err)
    assert json.loads((tmp_path / "table.json").read_text())["runs"][0]["provenance"] == []


def test_a_folder_may_have_any_name_and_a_word_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(Path("lr=1"), [0.5])
    main(["compare", "lr=1"])
    assert "| lr=1 | lift |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["compare", "lr=1", "jobs=2"])
    assert "'jobs=2' is no folder of a run; name the runs to compare" in capsys.readouterr().err


def test_a_run_is_called_after_its_folder_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_run(tmp_path / "läuf", [0.5]))
    assert read_run(Path()).row.run == "läuf"


def test_a_run_that_diverged_before_its_first_evaluation_is_said_to_have(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [])
    (folder / "metrics.csv").write_text("step,actor_steps,seconds,critic_loss\n13,400,5.0,nan\n")
    with pytest.raises(UserError, match=r"no evaluation yet: .*; the run has diverged, critic_loss not finite: start"):
        read_run(folder)


def test_a_run_without_metrics_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [0.5])
    (folder / "metrics.csv").unlink()
    with pytest.raises(UserError, match="has no metrics of step 400"):
        read_run(folder)


def test_ten_runs_that_are_as_good_are_seldom_told_apart(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / f"seed{seed}", [0.7], seed=seed) for seed in range(10)]
    runs = [read_run(folder) for folder in folders]
    random, told = np.random.default_rng(0), 0
    for _ in range(100):
        solved = random.random((10, 50)) < 0.7
        drawn = [
            replace(run, row=replace(run.row, success=row.mean()), outcomes=dict(enumerate(row.tolist())))
            for run, row in zip(runs, solved, strict=True)
        ]
        told += any(contest.verdict.word != "cannot tell" for contest in contests(drawn))
    assert told <= 8


def test_the_table_is_printed_and_written_with_its_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [make_run(tmp_path / "b", [0.5]), make_run(tmp_path / "a", [0.9], method="gail")]
    out = tmp_path / "docs" / "table.md"
    main(["compare", *map(str, runs), f"out={out}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines == out.read_text().splitlines()
    assert lines[2].startswith("| a | lift | gail | 2 | 90% [79, 96] of 50 | 120 |")
    assert lines[5] == (
        "lift: gail against trail: better: +40 points of success, p = 1.9e-06, by 50 episodes that both played"
    )
    report = json.loads(out.with_suffix(".json").read_text())
    assert [row["method"] for row in report["runs"]] == ["gail", "trail"]
    assert [row["findings"] for row in report["runs"]] == [[], []]
    (verdict,) = report["verdicts"]
    assert (verdict["first"], verdict["second"], verdict["word"]) == ("gail", "trail", "better")


def test_runs_of_one_method_are_compared_with_the_best_of_them(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / f"seed{seed}", [share], seed=seed) for seed, share in enumerate([0.8, 0.84, 0.2])]
    found = list(contests([read_run(folder) for folder in folders]))
    assert [(each.first, each.second, each.verdict.word) for each in found] == [
        ("seed1", "seed0", "cannot tell"),
        ("seed1", "seed2", "better"),
    ]


def test_methods_with_several_runs_are_compared_over_seeds(tmp_path: Path) -> None:
    runs = []
    for method, shares in (("trail", [0.9, 0.94, 0.92]), ("gail", [0.5, 0.2, 0.9])):
        for seed, share in enumerate(shares):
            runs.append(read_run(make_run(tmp_path / f"{method}{seed}", [share], method, seed)))
    (one,) = contests(runs)
    assert (one.first, one.second, one.verdict.unit, one.verdict.word) == ("trail", "gail", "seeds", "cannot tell")
    assert one.improvement == pytest.approx(8.5 / 9)  # one pair of nine is a tie
    assert str(one).endswith("; a run of the first is better in 94% of pairs, a tie counting half")
    (against_one,) = contests(runs[:4])
    assert (against_one.verdict.unit, against_one.improvement) == ("episodes", None)


def test_methods_of_several_runs_are_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shares = [0.0, 0.5, 0.6, 0.7, 0.6, 1.0, 0.6, 0.6]
    runs = [make_run(tmp_path / f"trail{seed}", [share], seed=seed) for seed, share in enumerate(shares)]
    main(["compare", *map(str, runs), str(make_run(tmp_path / "gail", [0.2], "gail"))])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "interquartile mean" in line)
    assert re.fullmatch(r"lift: trail: 60% \[(\d+), (\d+)\] of success, the interquartile mean of 8 runs; .*", line)


def test_of_a_method_it_is_said_what_it_played_until_it_had_learned(tmp_path: Path) -> None:
    curves = [[0.2, 0.8, 0.5], [0.1, 0.5, 0.9], [0.2, 0.3, 0.78]]
    trail = [read_run(make_run(tmp_path / f"trail{seed}", curve, seed=seed)) for seed, curve in enumerate(curves)]
    (sentence,) = summaries(trail)
    assert sentence.endswith("3 runs; 80% first after 1,200, 1,600 actor steps, and not in 1 of the runs")
    (sentence,) = summaries(trail[:2])
    assert sentence.endswith("80% first after 1,200, 1,600 actor steps")
    (sentence,) = summaries(trail[2:] * 2)
    assert sentence.endswith("80% in no evaluation")


def test_of_runs_of_a_method_that_are_not_equally_far_it_is_said(tmp_path: Path) -> None:
    curves = [[0.2, 0.8, 0.5], [0.9]]
    runs = [read_run(make_run(tmp_path / f"trail{seed}", curve, seed=seed)) for seed, curve in enumerate(curves)]
    runs[1] = replace(runs[1], row=replace(runs[1].row, learner_steps=1000))
    (sentence,) = summaries(runs)
    assert "the interquartile mean of 2 runs, after 400 to 1,000 learner steps; 80% first" in sentence


def test_of_a_method_that_does_not_play_learner_steps_are_said(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / f"bc{seed}", [0.2, 0.9], "bc", seed) for seed in (1, 2)]
    for folder in folders:
        (folder / "metrics.csv").write_text("step,actor_steps,seconds\n300,0,10\n400,0,20\n")
    (sentence,) = summaries([read_run(folder) for folder in folders])
    assert sentence.endswith("80% first after 400, 400 learner steps")


def test_methods_of_one_name_are_told_apart_by_their_settings(tmp_path: Path) -> None:
    folders = [
        make_run(tmp_path / "a", [0.9]),
        make_run(tmp_path / "b", [0.9], seed=3, words=["threads=1", "evaluation.episodes=7"]),
        make_run(tmp_path / "c", [0.5], words=["agent.n_step=7", "demos=/elsewhere/d"]),
        make_run(tmp_path / "d", [0.5], words=["demos=/elsewhere/e"]),
    ]
    found = list(contests([read_run(folder) for folder in folders]))
    assert [each.first for each in found] == ["trail agent.n_step=3 demos=d"] * 2
    assert [each.second for each in found] == ["trail agent.n_step=7 demos=d", "trail agent.n_step=3 demos=e"]


def test_demonstrations_of_one_name_are_told_apart_by_what_a_run_began_with(tmp_path: Path) -> None:
    folders = [
        make_run(tmp_path / name, [0.9], seed=seed, words=[f"demos=/{name}/d"]) for seed, name in enumerate("abc")
    ]
    for folder, size in zip(folders, (1, 1, 2), strict=True):
        (folder / "demonstrations.json").write_text(json.dumps([["episode_000000.hdf5", size, 9]]))
    (found,) = contests([read_run(folder) for folder in folders])
    for name in (found.first, found.second):
        assert re.fullmatch("trail demonstrations=[0-9a-f]{8}", name)
    assert found.verdict.basis == "100 and 50 episodes"


def test_runs_with_one_seed_are_said_to_be_of_one(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / name, [0.9], seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    (sentence,) = summaries(runs)
    assert "the interquartile mean of 3 runs, 1 of them with the seed of another; " in sentence


def test_tasks_are_not_compared_with_each_other(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", [0.9]), make_run(tmp_path / "b", [0.2], words=["env=reach"])]
    assert list(contests([read_run(folder) for folder in runs])) == []


def test_what_environments_are_made_with_tells_methods_apart(tmp_path: Path) -> None:
    own = ["env=gymnasium", "env.id=own/Arm-v0", "env.success=never"]
    folders = [
        make_run(tmp_path / "a", [0.9], words=own),
        make_run(tmp_path / "b", [0.5], words=[*own, "env.proprio.joints='observation[0:2]'"]),
    ]
    (found,) = contests([read_run(folder) for folder in folders])
    assert (found.first, found.second) == ("trail env.proprio={}", "trail env.proprio={'joints': 'observation[0:2]'}")
    main(["compare", *map(str, folders), f"out={tmp_path / 'page.html'}"])
    assert (tmp_path / "page_own_Arm-v0_success.png").exists()


def test_tasks_of_one_name_in_two_domains_are_two(tmp_path: Path) -> None:
    domains = [
        make_run(tmp_path / name, [share], words=["env=dm_control", f"env.domain={name}", "env.task=run"])
        for name, share in (("walker", 0.9), ("cheetah", 0.2))
    ]
    runs = [read_run(folder) for folder in domains]
    assert [run.row.task for run in runs] == ["walker/run", "cheetah/run"]
    assert list(contests(runs)) == []


def test_a_run_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [0.9])
    (tmp_path / "elsewhere").mkdir()
    assert len(compare_runs([run, tmp_path / "elsewhere" / ".." / "run"])) == 1


def test_what_went_wrong_in_a_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "run", [0.9, 0.4])
    with (folder / "metrics.csv").open("w") as file:
        rows = [["step", "actor_steps", "seconds", "learner_steps_per_second", "top_atom_mass"], [400, 9, 9, 5, 0.7]]
        csv.writer(file).writerows(rows)
    main(["compare", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].startswith("run: 70% of the critic's targets lie at the end of its support")
    assert lines[6].startswith("run: success fell from 90% to 40%")


def test_runs_of_one_name_are_called_by_their_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for name, share in (("one", 0.9), ("two", 0.1)):
        (tmp_path / name).mkdir()
        runs.append(str(make_run(tmp_path / name / "run", [share])))
    main(["compare", *runs])
    assert f"lift: {runs[0]} against {runs[1]}: better" in capsys.readouterr().out


def test_a_page_holds_all_and_needs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [make_run(tmp_path / f"run<{seed}>", [0.2, 0.6, 0.9], seed=seed) for seed in (1, 2)]
    runs.append(make_run(tmp_path / "other", [0.1, 0.2, 0.1], "gail"))
    for run in runs:
        with (run / "metrics.csv").open("w") as file:
            rows = [["step", "actor_steps", "seconds", "learner_steps_per_second", "eval_success", "disc_acc_expert"]]
            rows += [[100 * i, 400 * i, 9 * i, 5, "", 0.8] for i in range(1, 5)]
            rows += [[100 * i, 400 * i, 9 * i, "", 0.2 * i, ""] for i in range(2, 5)]
            csv.writer(file).writerows(rows)
        for step in ("000000300", "000000400", "untrained"):
            write_video(run / "videos" / step / "eval_episode_0.mp4", [np.zeros((16, 16, 3), np.uint8)])
    out = tmp_path / "made" / "page.html"
    main(["compare", *map(str, runs), f"out={out}"])
    page = out.read_text()
    assert "run&lt;1&gt;" in page and "run<1>" not in page
    assert page.count("<video") == 3 and page.count('src="data:video/mp4;base64,') == 3
    assert page.count("step 400: eval_episode_0</figcaption>") == 3
    assert page.count("<img") == 2
    assert "lift: trail against gail: better: +80 points" in page
    assert "<td>method</td><td>gail</td><td>trail</td>" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert {path.name for path in out.parent.iterdir()} == {
        *("page.html", "page_lift_success.png", "page_lift_diagnostics.png"),
    }
    assert imageio.v3.imread(out.with_name("page_lift_success.png")).shape[1] > 1000


def test_a_page_of_a_run_that_went_wrong_begins_with_that(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    main(["compare", str(make_run(tmp_path / "run", [0.9, 0.5])), f"out={out}"])
    assert '</h1>\n<p class="finding">run: success fell from 90% to 50%' in out.read_text()
    main(["compare", str(make_run(tmp_path / "good", [0.9])), f"out={out}"])
    assert '<p class="well">Nothing that has a rule went wrong. good solves 90% of episodes.</p>' in out.read_text()


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"name a page \(.html\) or a table \(.md\)"):
        compare([str(make_run(tmp_path / "run", [0.5])), "out=page.pdf"])


def test_a_run_without_an_evaluation_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run has no evaluation yet"):
        read_run(make_run(tmp_path / "run", []))
