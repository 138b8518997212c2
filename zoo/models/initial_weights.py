"""The weights that training begins with: drawn, published, those of a file, or those of an earlier run (`--init`)."""

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from ferdata.errors import BadOption, BrokenRun
from ferdata.labels import Taxonomy
from zoo.models.build import Backbone, Begun, begin, blocks
from zoo.models.heads import Head, redraw
from zoo.models.weights.terms import Origin
from zoo.options.options import TrainConfig
from zoo.run import model_file
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder


def head_of(config: TrainConfig) -> Head:
    """Return the head that the options ask for. Raises BadOption."""
    return Head(config.head, config.head_widths, config.head_dropout, config.head_norm, config.head_l2)


def of_run(config: TrainConfig, taxonomy: Taxonomy) -> Meta | None:
    """Return the metadata of the run that `init` names, None without one.

    Raises BrokenRun for what is no run, BadOption for one of another backbone, stem or channels, or whose classes are
    the same in another order: every answer of its head would be taken for another class.
    """
    if config.init is None:
        return None
    folder = Folder(Path(config.init))
    folder.must_exist()
    meta = model_file.read_meta(folder.model)
    if meta.foreign is not None:
        raise BadOption(
            f"--init {config.init} was adopted from {meta.foreign['file']}, and a model of others is used as it is.",
            "Begin with its weights, where they are to be had by themselves: --weights FILE, or --backbone with "
            "hf-hub:OWNER/NAME and --pretrained.",
        )
    for name, theirs, ours in (
        ("backbone", meta.backbone, config.backbone),
        ("stem", meta.stem, config.stem),
        ("channels", meta.channels, config.channels),
    ):
        if ours is not None and theirs != ours:
            raise BadOption(
                f"--init {config.init} is of {name} {theirs}, and {ours} is to be trained.",
                f"Add --{name} {theirs}, or begin with another run.",
            )
    if taxonomy.classes != meta.classes and sorted(taxonomy.classes) == sorted(meta.classes):
        moved = [f"{a} / {b}" for a, b in zip(meta.classes, taxonomy.classes, strict=True) if a != b]
        raise BadOption(
            f"--init {config.init} has the same classes in another order (there / here: {', '.join(moved)}).",
            f"Merge the manifest under the run's own order: --taxonomy {meta.taxonomy['name']}",
        )
    return meta


def build(config: TrainConfig, card: Backbone, taxonomy: Taxonomy, first: Meta | None) -> Begun:
    """Build the net with its first weights. Raises BadOption, MissingModel, BrokenRun.

    Under `init` everything is taken over but a head that is another one, or for other classes: where those weights came
    from holds for these too, and so do mean and deviation.
    """
    begun = begin(
        card,
        config.channels or 1,
        len(taxonomy.classes),
        config.size or 0,
        stem=config.stem,
        head=head_of(config),
        dropout=config.dropout,
        drop_path=config.drop_path,
        aux=config.aux_weight > 0,
    )
    if first is None:
        return begun
    notes = (*begun.notes, *_take_over(begun.net, config, taxonomy, first))
    origin = Origin(**first.origin) if first.origin else None
    return Begun(begun.net, notes, origin, (first.mean, first.std))


def _take_over(net: nn.Module, config: TrainConfig, taxonomy: Taxonomy, first: Meta) -> list[str]:
    """Load the weights of the run `init` into the net."""
    # Of the same layers: the penalty on them is the loss's.
    same = first.classes == taxonomy.classes and {**first.head, "l2": 0.0} == {**head_of(config).as_dict(), "l2": 0.0}
    head = {module for name in blocks(net)[-1] for module in [name.rpartition(".")[0]]}
    path = Folder(Path(config.init or "")).model
    with safe_open(path, "pt") as file:
        theirs = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
    if not same:
        theirs = {name: t for name, t in theirs.items() if name.rpartition(".")[0] not in head}
    own = net.state_dict()
    lacking = [name for name in own if name not in theirs and (same or name.rpartition(".")[0] not in head)]
    foreign = [name for name in theirs if name not in own or own[name].shape != theirs[name].shape]
    if not same:  # hidden layers of its head that this one does not have
        foreign = [name for name in foreign if name in own]
    if lacking or foreign:
        raise BrokenRun(
            f"The weights of {path} do not fit {config.backbone}: {(lacking + foreign)[0]}.",
            "They were trained at another size or with other options of the net: give the same, or begin without.",
        )
    if not same:
        redraw(net)
        own = net.state_dict()
    with torch.no_grad():
        net.load_state_dict({**own, **{name: t for name, t in theirs.items() if name in own}})
    if same:
        return []
    return [f"The head of {config.init} ({len(first.classes)} classes) is replaced by one for {len(taxonomy.classes)}."]
