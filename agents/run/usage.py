"""Help texts of the verbs whose words are not configuration keys."""

from importlib.resources import files

WORDS = {
    "experiment": """
{experiments}

One of these, or a .yaml file as they are (configs/experiment/): keys of trailkit train, and lists of values where there
is to be a run for each. What is trained already is not trained again.

  jobs=N        trainings at a time, which share the cores; 1 by default
  out=FOLDER    for the tables, plots and numbers; results/NAME by default
  key=value     in place of what the file says; several values, as in seed=1,2, make several runs
""",
    "compare": """
the folders of runs, in any order

  out=NAME.md     the table and the verdicts as they are printed, and all numbers in NAME.json
  out=NAME.html   a page with plots and videos, and the plots as PNG
""",
    "demos": """
  info DIR                     what there is
  play DIR                     a film; out=NAME.mp4, a contact sheet out=NAME.png, or films out=FOLDER/; episodes=0,3
  verify DIR                   what is damaged or foreign
  repair DIR                   moves that aside, and writes the manifest anew
  merge DIR DIR... out=DIR     one folder of several
  split DIR holdout=N          two folders of one; out=DIR, seed=0
  render DIR out=DIR           the same with other pictures: cameras=[front,wrist], height=, width=, appearance=[light]
  convert DIR to=FORMAT        robomimic, lerobot or minari; out=PATH, video=false
  convert PATH from=FORMAT     out=DIR; of what others recorded env=, or task=, episode_steps=; cameras=, proprio=
  audit DIR                    whether a discriminator could cheat; the words of trailkit train about the environment
""",
    "doctor": """
the words of the training that is to run here; by default trailkit train's own
""",
    "bench": """
  out=NAME.md   the table, and all numbers in NAME.json
""",
}


def of(verb: str) -> str:
    """The help text of `trailkit VERB --help` for one of `WORDS`."""
    return WORDS[verb].replace("{experiments}", "|".join(experiments()))


def experiments() -> list[str]:
    """The names of the experiments that come with trailkit."""
    folder = files("trailkit.configs") / "experiment"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))
