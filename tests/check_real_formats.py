"""Opens exported demonstrations with the real packages: Minari, robomimic and LeRobot.

    python tests/check_real_formats.py DEMOS [--work DIR]

Each export is compared with the recording, step by step, by a program that knows nothing of trailkit. robomimic and
LeRobot get virtual environments of their own, about a gigabyte each, in the folder that `--work` names; a second run
uses them again. LeRobot reads videos with FFmpeg's libraries: `apt install ffmpeg`. Where torchvision cannot be
imported, a stand-in takes its place, and that is printed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np

from trailkit.demos.formats.adopt import Words
from trailkit.demos.formats.convert import bring_in, export, make_format
from trailkit.demos.store import DemoStore

# With what is installed, a step after another, and with which options.
_ENVIRONMENTS = {
    "robomimic": (
        ("torch==2.13.0", "numpy<2"),
        ("h5py", "tqdm", "termcolor", "psutil", "six", "tensorboardX", "imageio", "matplotlib"),
        ("--no-deps", "robomimic==0.3.0"),
    ),
    "lerobot": (
        ("torch==2.13.0", "numpy<2.3"),
        ("datasets>=4,<5", "accelerate", "av<16", "pandas", "pillow", "huggingface-hub<0.36", "packaging"),
        ("--no-deps", "torchcodec==0.13.0", "lerobot==0.4.4"),
    ),
}

# What robomimic and LeRobot import of torchvision, as far as it is used here.
_STAND_IN = """
import importlib.machinery, importlib.util, sys, types
if importlib.util.find_spec("datasets"):
    import datasets  # before the stand-in, which it would take for the real one
try:
    import torchvision
except Exception as error:
    print(f"torchvision does not import here ({type(error).__name__}): a stand-in takes its place")
    import numpy, torch
    class ToTensor:
        def __call__(self, image):
            return torch.from_numpy(numpy.array(image)).permute(2, 0, 1).float() / 255
    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[name]
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.models"):
        module = sys.modules[name] = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    sys.modules["torchvision.transforms"].ToTensor = ToTensor
    sys.modules["torchvision.transforms"].Lambda = sys.modules["torchvision.transforms"].Compose = object
"""

_MINARI = """
import sys, minari, numpy as np
path, reference = sys.argv[1:]
known = np.load(reference)
dataset = minari.MinariDataset(path + "/data")
print("minari", minari.__version__, "opened", dataset.id, "with", dataset.total_episodes, "episodes")
starts = np.concatenate([[0], np.cumsum(known["lengths"])])
for number, data in enumerate(dataset.iterate_episodes()):
    steps = slice(starts[number], starts[number + 1])
    assert np.array_equal(data.actions, known["action"][steps])
    for camera in known["cameras"]:
        assert np.array_equal(data.observations[camera][:-1], known[camera][steps])
    assert all(dataset.observation_space[key].contains(value[0]) for key, value in data.observations.items())
env = dataset.recover_environment() if dataset.env_spec else None
print("every step is what was recorded; the environment is", env and env.spec.id)
"""

_ROBOMIMIC = """
import sys, numpy as np, torch, robomimic
import robomimic.utils.file_utils as FileUtils, robomimic.utils.obs_utils as ObsUtils
from robomimic.utils.dataset import SequenceDataset
from robomimic.config import config_factory
from robomimic.algo import algo_factory
path, reference = sys.argv[1:]
known = np.load(reference)
config = config_factory("bc")
with config.unlocked():
    config.observation.modalities.obs.low_dim = ["robot0_proprio-state"]
    config.observation.modalities.obs.rgb = [f"{camera}_image" for camera in known["cameras"]]
    config.observation.encoder.rgb.core_kwargs.backbone_class = "ShallowConv"
    config.observation.encoder.rgb.core_kwargs.backbone_kwargs = {}
    config.train.batch_size = 16
ObsUtils.initialize_obs_utils_with_config(config)
environment = FileUtils.get_env_metadata_from_dataset(path)
shapes = FileUtils.get_shape_metadata_from_dataset(path, all_obs_keys=config.all_obs_keys)
split = {name: len(FileUtils.get_demos_for_filter_key(path, name)) for name in ("train", "valid")}
print("robomimic", robomimic.__version__, "opened", environment["env_name"], dict(shapes["all_shapes"]), split)
dataset = SequenceDataset(path, config.all_obs_keys, ("actions", "rewards", "dones"), hdf5_cache_mode="low_dim")
assert len(dataset) == len(known["action"])
for index in range(len(dataset)):
    item = dataset[index]
    assert np.array_equal(item["actions"][0], known["action"][index])
    for camera in known["cameras"]:
        assert np.array_equal(item["obs"][f"{camera}_image"][0], known[camera][index])
    assert np.array_equal(item["obs"]["robot0_proprio-state"][0], known["proprio"][index])
model = algo_factory("bc", config, shapes["all_shapes"], shapes["ac_dim"], torch.device("cpu"))
model.set_train()
losses = []
loader = torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True)
for step, batch in zip(range(40), loader):
    batch = model.postprocess_batch_for_training(model.process_batch_for_training(batch), None)
    losses.append(float(model.train_on_batch(batch, epoch=1)["losses"]["action_loss"]))
before, after = np.mean(losses[:5]), np.mean(losses[-5:])
print(f"every step is what was recorded; 40 steps of its BC take the loss from {before:.3f} to {after:.3f}")
"""

_LEROBOT = """
import sys, numpy as np, torch, lerobot
from importlib.metadata import version
from lerobot.datasets.lerobot_dataset import LeRobotDataset
path, reference = sys.argv[1:]
known = np.load(reference)
cameras = {camera: f"observation.images.{camera}" for camera in known["cameras"]}
dataset = LeRobotDataset("trailkit/check", root=path)
print("lerobot", version("lerobot"), "opened", dataset.num_episodes, "episodes, videos by", dataset.video_backend)
assert len(dataset) == len(known["action"]) and dataset.num_episodes == len(known["lengths"])
errors = {camera: [] for camera in cameras}
for index in range(len(dataset)):
    item = dataset[index]
    assert np.array_equal(item["action"].numpy(), known["action"][index])
    assert np.array_equal(item["observation.state"].numpy(), known["proprio"][index])
    assert float(item["next.reward"]) == float(known["reward"][index])
    for camera, key in cameras.items():
        picture = item[key].permute(1, 2, 0).numpy() * 255.0
        errors[camera].append(((picture - known[camera][index]) ** 2).mean())
for camera, squares in errors.items():
    mean = np.mean(squares)
    worst = max(squares)
    psnr = "no difference" if worst < 1e-6 else f"PSNR {10 * np.log10(255**2 / mean):.1f} dB"
    print(f"{camera}: {psnr}, at worst {10 * np.log10(255**2 / max(worst, 1e-6)):.1f} dB")
assert set(dataset.meta.stats) == set(dataset.meta.features)
moments = {"action": [0.0, 0.05, 0.1], **{key: [-0.05, 0.0] for key in cameras.values()}}
later = LeRobotDataset("trailkit/check", root=path, episodes=[1], delta_timestamps=moments)
batch = next(iter(torch.utils.data.DataLoader(later, batch_size=8)))
print("every step is what was recorded; a batch:", {key: list(batch[key].shape) for key in moments}, batch["task"][0])
"""

_LEROBOT_WRITES = """
import sys, numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
path, reference = sys.argv[1:]
known = np.load(reference)
camera = str(known["cameras"][0])
features = {
    "observation.state": {"dtype": "float32", "shape": known["proprio"].shape[1:], "names": None},
    f"observation.images.{camera}": {
        "dtype": "video", "shape": known[camera].shape[1:], "names": ["height", "width", "channels"]
    },
    "action": {"dtype": "float32", "shape": known["action"].shape[1:], "names": None},
    "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
}
dataset = LeRobotDataset.create("trailkit/check", fps=20, root=path, features=features)
for number, length in enumerate(known["lengths"][:2]):
    for step in range(sum(known["lengths"][:number]), sum(known["lengths"][:number]) + length):
        values = ("proprio", camera, "action")
        frame = {key: known[value][step] for key, value in zip(features, values)}
        dataset.add_frame({**frame, "next.reward": known["reward"][step : step + 1], "task": "lift"})
    dataset.save_episode()
dataset.finalize()
"""


def _reference(store: DemoStore, path: Path) -> None:
    """Writes what was recorded, in a form that needs nothing of trailkit to be read."""
    episodes = list(store.episodes())
    cameras = store.settings.observation.cameras
    observed = {
        name: np.concatenate([episode.observation[name][:-1] for episode in episodes]) for name in (*cameras, "proprio")
    }
    np.savez(
        path,
        lengths=[episode.length for episode in episodes],
        cameras=cameras,
        action=np.concatenate([episode.action for episode in episodes]),
        reward=np.concatenate([episode.reward for episode in episodes]),
        **observed,
    )


def _python(name: str, work: Path) -> Path:
    """The interpreter of an environment that has a package, which is made if it is not there."""
    folder = work / f"venv_{name}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        for words in _ENVIRONMENTS[name]:
            subprocess.run([python, "-m", "pip", "install", "-q", *words], check=True)
        (folder / "complete").touch()
    return python


def _check(name: str, python: Path | str, program: str, export_path: Path, work: Path) -> bool:
    print(f"\n== {name}: {export_path}", flush=True)
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(work / "huggingface")}
    command = [python, "-c", program, export_path, work / "reference.npz"]
    return subprocess.run(command, env={**inherited, **offline}, check=False, cwd=work).returncode == 0


def _check_import(python: Path, work: Path, task: str) -> bool:
    """Reads with trailkit what LeRobot wrote by itself, in its own codec; LeRobot has no last observation."""
    written, back = work / "lerobot_own", work / "lerobot_own_demos"
    for each in (written, back):
        shutil.rmtree(each, ignore_errors=True)
    _check("lerobot writes", python, _STAND_IN + _LEROBOT_WRITES, written, work)
    bring_in(written, make_format("lerobot"), back, Words(task=task))
    known, start, same = np.load(work / "reference.npz"), 0, True
    for episode in DemoStore.open(back).episodes():
        steps = slice(start, start + episode.length)
        start += episode.length
        same &= np.array_equal(episode.action, known["action"][steps])
        same &= np.array_equal(episode.observation["proprio"][:-1], known["proprio"][steps])
        same &= np.array_equal(episode.reward, known["reward"][steps])
    print(
        f"trailkit read {len(DemoStore.open(back))} episodes of it, {'equal' if same else 'DIFFERENT'} but for pictures"
    )
    return same


def main() -> None:
    """Exports, opens, compares; exits with 1 if a package did not read what was recorded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demos", help="a folder of demonstrations with a camera and proprioception")
    parser.add_argument("--work", type=Path, default=Path("real_formats"), help="where all that is made is kept")
    parser.add_argument("--only", nargs="*", default=["minari", "robomimic", "lerobot"], help="which packages")
    said = parser.parse_args()
    store, work = DemoStore.open(said.demos), said.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    _reference(store, work / "reference.npz")
    checks = {
        "minari": [("minari-v0", True, "import trailkit.envs\n" + _MINARI)],
        "robomimic": [("robomimic.hdf5", True, _STAND_IN + _ROBOMIMIC)],
        "lerobot": [("lerobot_video", True, _STAND_IN + _LEROBOT), ("lerobot_images", False, _STAND_IN + _LEROBOT)],
    }
    passed = []
    for name in said.only:
        python = sys.executable if name == "minari" else _python(name, work)
        for out, video, program in checks[name]:
            if not (work / out).exists():
                export(store, make_format(name, video), work / out)
            passed.append(_check(name, python, program, work / out, work))
        if name == "lerobot":
            passed.append(_check_import(Path(python), work, store.settings.task))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
