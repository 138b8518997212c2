"""Write docs/recipes.md from the recipes themselves: python docs/make_recipes.py."""

from pathlib import Path

from zoo.options.options import CHOICES
from zoo.options.recipes import Recipe, load, names

PAGE = Path(__file__).parent / "recipes.md"

HEAD = """# Recipes

<!-- made by docs/make_recipes.py from zoo/recipes/*.toml -->

A recipe is a system that someone published, as options of `ferdata train`: its network and its hyper-parameters as they
were, its mistakes mended, and both said. `ferdata train --manifest M --recipe NAME` trains it, and what it is given
beside that holds over it: `--set lr=1e-3`, and the options of their own such as `--epochs 20`.

Published figures are the authors' and were not measured here; how each came about stands beside it. Where the
checkpoint was chosen on the very pictures that the figure is given for, an honest run, chosen on val, gives less.

"""

OWN = """
## A recipe of your own

A TOML file, named by its path: `--recipe mine.toml`. `[options]` holds any option of `ferdata train` under its name
with underscores; what it leaves out keeps its default. A run's own `config.toml` is one too: `--recipe runs/first`
trains the same again, on the machine and the manifest at hand.

```toml
[about]
title = "resnet18 on small pictures, rare classes weighed up"

[options]
backbone = "resnet18"
stem = "small"
size = 48
class_weights = "effective"
epochs = 40
```

A recipe sets options and can do nothing else. `allow_leak` and `trust_files` it cannot set: those are said on the
command line, each time. `--set KEY=none` leaves an option to the backbone again.

Words that an option may have:

"""


def page() -> str:
    """Return the whole page."""
    recipes = [load(name) for name in names()]
    rows = "\n".join(f"| {link(r)} | {r.title} | `{r.options['backbone']}` | {r.about['data']} |" for r in recipes)
    table = f"| recipe | what it is | backbone | made for |\n|---|---|---|---|\n{rows}\n"
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
        f"- **How that came about**: {about['protocol']}.",
        *(f"- **Changed**: {change}." for change in recipe.changed),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
