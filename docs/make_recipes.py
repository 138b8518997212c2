"""Write docs/recipes.md from the recipes themselves: python docs/make_recipes.py."""

from pathlib import Path

from zoo.options.options import CHOICES
from zoo.options.recipes import Recipe, load, names

PAGE = Path(__file__).parent / "recipes.md"

HEAD = """# Recipes

<!-- made by docs/make_recipes.py from zoo/recipes/*.toml -->

A recipe is a published system, as options of `ferdata train`: its network and its hyper-parameters as published, with
its mistakes corrected; both are stated here. `ferdata train --manifest M --recipe NAME` trains it. Options on the
command line override it: `--set lr=1e-3`, or named options such as `--epochs 20`.

Published figures are the authors' own and were not measured here; the protocol behind each is given. Where the
checkpoint was selected on the images that the figure is reported for, a run that is selected on val gives less. Why one
system is better than another: [questions](questions.md).

"""

OWN = """
## A recipe of your own

A TOML file, given by its path: `--recipe mine.toml`. `[options]` holds any option of `ferdata train` under its name
with underscores; other options keep their defaults. The `config.toml` of a run is also a recipe: `--recipe runs/first`
trains the same again, with this machine and this manifest.

```toml
[about]
title = "resnet18 on small images, larger weights for rare classes"

[options]
backbone = "resnet18"
stem = "small"
size = 48
class_weights = "effective"
epochs = 40
```

A recipe sets options and can do nothing else. It cannot set `allow_leak` and `trust_files`: these must be given on the
command line each time; and what a file names to fetch or to open (`weights`, `init`, a backbone `hf-hub:` or
`local-dir:`) must be named there too. `--set KEY=none` gives an option the backbone's default again.

Options with a fixed list of values:

"""


def page() -> str:
    """Return the whole page."""
    recipes = [load(name) for name in names()]
    rows = "\n".join(f"| {link(r)} | {r.title} | `{r.options['backbone']}` | {r.about['data']} |" for r in recipes)
    table = f"| recipe | system | backbone | data |\n|---|---|---|---|\n{rows}\n"
    parts = "\n".join(section(r) for r in recipes)
    words = "\n".join(f"- `{key}`: {', '.join(values)}" for key, values in CHOICES.items())
    return f"{HEAD}{table}\n{parts}{OWN}{words}\n"


def link(recipe: Recipe) -> str:
    """Return the recipe's name, leading to its section."""
    return f"[`{recipe.name}`](#{recipe.name})"


def section(recipe: Recipe) -> str:
    """Return what is known of a recipe, and what it changes."""
    about = recipe.about
    lines = [
        f"## {recipe.name}",
        "",
        f"{recipe.title}. From {about['source']}.",
        "",
        f"- **Data**: {about['data']}.",
        f"- **Published**: {about['published']}.",
        f"- **Protocol**: {about['protocol']}.",
        f"- **Note**: {about['note']}.",
        *(f"- **Changed**: {change}." for change in recipe.changed),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
