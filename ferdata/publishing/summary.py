"""A published manifest in a few sentences, and how to cite its sources."""

import re

from ferdata.publishing.facts import Facts


def summary(facts: Facts) -> str:
    """Return what the folder holds, in plain text; the numbers are the manifest's."""
    titles = ", ".join(t.title for t in facts.terms)
    splits = ", ".join(f"{s.name} {s.rows:,} ({s.labelled:,} with a label)" for s in facts.splits)
    what = f"Facial expressions in {len(facts.classes)} classes ({', '.join(facts.classes)}), from {titles}."
    held = (
        "The images are in it."
        if facts.pixels
        else "The images are not in it, since the sources' terms do not allow redistribution: its rows name them by "
        "hash, and `ferdata rehydrate shared.json -o M.parquet` rebuilds the whole from one's own copy of the sources."
    )
    return (
        f"{what} {facts.rows:,} rows, {facts.labelled:,} with a label. Splits: {splits}. {held} Made by ferdata "
        f"{facts.ferdata} from the manifest {facts.fingerprint}."
    )


def own_entry(facts: Facts) -> str:
    """Return a BibTeX entry of the folder itself."""
    key = re.sub(r"\W+", "-", facts.name)
    title = facts.name.replace("{", "").replace("}", "")
    return f"@misc{{{key}, title = {{{title}}}, note = {{ferdata manifest {facts.fingerprint}}}}}"


def citation(facts: Facts) -> str:
    """Return the sources' BibTeX entries; "" where none has any."""
    return "\n\n".join(dict.fromkeys(t.citation for t in facts.terms if t.citation))
