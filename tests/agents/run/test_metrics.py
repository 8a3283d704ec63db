import csv
import math
import subprocess
import sys

import pytest

from trailkit.agents.run.metrics import MetricsLog, histograms
from trailkit.envs.errors import UserError


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_holds_the_clocks_and_the_averages_of_its_interval(tmp_path):
    with MetricsLog(tmp_path / "run") as log:
        for loss in (1.0, 2.0, 6.0):
            log.add({"loss": loss})
        log.add({"score": 5.0})
        log.write(10, 200, 1.5)
        log.add({"loss": 4.0})
        log.write(20, 400, 3.0)
    assert rows(tmp_path / "run") == [
        {"step": "10", "actor_steps": "200", "seconds": "1.5", "loss": "3.0", "score": "5.0"},
        {"step": "20", "actor_steps": "400", "seconds": "3.0", "loss": "4.0", "score": ""},
    ]


def test_a_row_of_given_values_leaves_the_averages_alone(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.add({"loss": 1.0})
        log.write(10, 200, 1.5, {"eval_success": 0.25})
        log.add({"loss": 4.0})
        log.write(20, 400, 3.0)
    assert rows(tmp_path) == [
        {"step": "10", "actor_steps": "200", "seconds": "1.5", "eval_success": "0.25", "loss": ""},
        {"step": "20", "actor_steps": "400", "seconds": "3.0", "eval_success": "", "loss": "2.5"},
    ]


def test_the_latest_value_of_each_metric_is_at_hand(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.add({"loss": 1.0, "score": 3.0})
        assert not log.latest
        log.write(1, 1, 1.0)
        log.add({"loss": 2.0})
        log.write(2, 2, 2.0)
        assert log.latest == {"loss": 2.0, "score": 3.0}


def test_columns_may_come_later(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.write(1, 1, 1.0, {"b": 1.0})
        log.write(2, 2, 2.0, {"a": 2.0, "c": 3.0})
        log.write(3, 3, 3.0, {"b": 4.0})
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "step,actor_steps,seconds,a,b,c",
        "1,1,1.0,,1.0,",
        "2,2,2.0,2.0,,3.0",
        "3,3,3.0,,4.0,",
    ]


def test_a_row_of_known_columns_is_appended_to_the_same_file(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.write(1, 1, 1.0, {"a": 1.0})
        file = (tmp_path / "metrics.csv").stat().st_ino
        log.write(2, 2, 2.0, {"a": 2.0})
        assert (tmp_path / "metrics.csv").stat().st_ino == file
        assert len(rows(tmp_path)) == 2  # readable while the run goes on


def test_what_is_not_finite_stays_visible(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.add({"nan": math.nan, "inf": math.inf})
        log.add({"nan": 1.0, "inf": 1.0})
        log.write(1, 1, 1.0)
    assert rows(tmp_path)[0]["nan"] == "nan"
    assert rows(tmp_path)[0]["inf"] == "inf"


def test_numbers_keep_every_digit(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.write(1, 1, 1.0, {"loss": 0.1 + 0.2})
    assert float(rows(tmp_path)[0]["loss"]) == 0.1 + 0.2


def test_resuming_cuts_off_what_will_come_again(tmp_path):
    with MetricsLog(tmp_path) as log:
        for step in (10, 20, 30):
            log.write(step, step, float(step), {"loss": float(step)})
    with MetricsLog(tmp_path) as log:
        log.resume(20)
        log.write(30, 31, 32.0, {"loss": 33.0})
    assert [(row["step"], row["loss"]) for row in rows(tmp_path)] == [("10", "10.0"), ("20", "20.0"), ("30", "33.0")]


def test_a_row_cut_short_by_a_kill_is_dropped(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.write(10, 10, 10.0, {"loss": 1.0})
        log.write(11, 10, 10.0, {"loss": 1.0})
    path = tmp_path / "metrics.csv"
    path.write_bytes(path.read_bytes()[:-6])
    with MetricsLog(tmp_path) as log:
        log.write(20, 20, 20.0, {"loss": 2.0})
    assert [row["step"] for row in rows(tmp_path)] == ["10", "20"]


def test_what_killed_processes_left_aside_is_swept_up(tmp_path):
    (tmp_path / ".metrics.csv.123.partial").write_text("step,actor_steps,seco")
    (tmp_path / ".config.yaml.123.partial").touch()
    with MetricsLog(tmp_path):
        assert [path.name for path in tmp_path.glob(".*")] == [".config.yaml.123.partial"]


def test_histograms_are_the_last_columns_with_their_bins_in_order(tmp_path):
    shares = {"logits[10]": 0.5, "logits[-1.5]": 0.3, "logits[2]": 0.2}
    with MetricsLog(tmp_path) as log:
        log.write(1, 2, 0.5, {**shares, "zeal": 1.0})
        log.write(2, 4, 1.5, {"loss": 2.0})
    header = (tmp_path / "metrics.csv").read_text().splitlines()[0]
    assert header.endswith("seconds,loss,zeal,logits[-1.5],logits[2],logits[10]")
    assert histograms({**shares, "loss": 2.0}) == {"logits": {-1.5: 0.3, 2.0: 0.2, 10.0: 0.5}}


def test_a_file_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "metrics.csv").write_text("name,price\nbolt,1\n")
    with pytest.raises(UserError, match=r"metrics.csv is no metrics log: its first columns must be step"):
        MetricsLog(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == "name,price\nbolt,1\n"


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/run/metrics.csv"):
        MetricsLog(tmp_path / "file" / "run")


def test_closing_twice_does_nothing(tmp_path):
    log = MetricsLog(tmp_path)
    log.close()
    log.close()


# In a process of its own, where TensorBoard is told to read without TensorFlow too.
_WRITE_AND_READ = """
import sys, types
from pathlib import Path
from trailkit.agents.run.metrics import MetricsLog, histograms

folder = Path(sys.argv[1])
with MetricsLog(folder) as log:
    for step in (10, 20, 30):
        log.write(step, 2 * step, 0.5, {"loss": float(step)})
with MetricsLog(folder) as log:
    log.resume(20)
    log.write(30, 60, 1.5, {"loss": float("nan")})
    log.write(40, 80, 2.5, {"loss": 4.0, "logits[0.5]": 0.25, "logits[-0.5]": 0.5, "logits[0]": 0.25})
assert "tensorflow" not in sys.modules

sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(str(folder))
events.Reload()
for name in ("loss", "actor_steps", "seconds"):
    print(name, *(f"{event.step}:{event.value:g}" for event in events.Scalars(name)))
(histogram,) = events.Histograms("logits")
bins = zip(histogram.histogram_value.bucket_limit, histogram.histogram_value.bucket)
print("logits", f"{histogram.step}:", *(f"<{limit:g} {share:g}" for limit, share in bins))
"""


def test_tensorboard_shows_joined_curves_and_tensorflow_is_not_imported(tmp_path):
    run = subprocess.run([sys.executable, "-c", _WRITE_AND_READ, tmp_path], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "loss 10:10 20:20 30:nan 40:4",
        "actor_steps 10:20 20:40 30:60 40:80",
        "seconds 10:0.5 20:0.5 30:1.5 40:2.5",
        "logits 40: <0 0.5 <0.5 0.25 <1 0.25",
    ]
