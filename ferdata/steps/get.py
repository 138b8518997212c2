"""Get: download a dataset that is free on Kaggle, or on the Hugging Face Hub, to where ingest looks for it."""

import re
from pathlib import Path

from ferdata.adapters import load
from ferdata.errors import AlreadyExists, BadOption, CannotWrite, DatasetMissing, MissingExtra
from ferdata.running.extras import install
from ferdata.sources.location import data_root, how_to_obtain

TOKEN = (
    "Make a token on kaggle.com (Settings, API, Create New Token), put the file at ~/.kaggle/kaggle.json, accept the "
    "dataset's terms on its page if it asks for that, and try again."
)

HUB = "hf:"  # before OWNER/NAME
CONVERTED = "refs/convert/parquet"  # where the Hub keeps a dataset's Parquet, if its owner gave another form
LOGIN = "If the dataset asks for it, accept its terms on its page, log in with `hf auth login`, and try again."


def get(name: str, *, out: Path | str | None = None, force: bool = False) -> Path:
    """Download the dataset `name` into `out` (default: where ingest looks for it) and return that folder.

    `hf:OWNER/NAME` is one of the Hugging Face Hub, of which the Parquet files are brought. Raises BadOption if it is
    not free on Kaggle, MissingExtra without kagglehub or huggingface_hub, DatasetMissing when the site cannot be
    reached or refuses, AlreadyExists, CannotWrite.
    """
    if name.startswith(HUB):
        return _from_hub(name.removeprefix(HUB), out, force)
    declared = load(name).SOURCE
    if not declared.kaggle:
        raise BadOption(f"{declared.title} is not available on Kaggle.", how_to_obtain(declared))
    folder = _free(Path(out) if out else data_root() / name, force)
    try:
        import kagglehub
        from kagglehub import exceptions
    except ImportError:
        raise MissingExtra("Downloading needs kagglehub.", install("kaggle")) from None
    kind, _, handle = declared.kaggle.partition("/")
    download = kagglehub.competition_download if kind == "competitions" else kagglehub.dataset_download
    page = f"https://www.kaggle.com/{declared.kaggle}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        download(handle, output_dir=str(folder), force_download=force)
    except (exceptions.UnauthenticatedError, exceptions.CredentialError, exceptions.KaggleApiHTTPError) as error:
        raise DatasetMissing(f"Kaggle refuses {page}: {str(error).splitlines()[0]}", TOKEN) from None
    except OSError as error:
        # requests' errors are OSErrors too; those with a number are the disk's.
        if error.errno is not None and type(error).__module__ == "builtins":
            raise CannotWrite(f"Cannot write in {folder}: {error.strerror}.", "Choose another --out.") from None
        raise DatasetMissing(
            f"Kaggle cannot be reached ({type(error).__name__}).",
            f"Try again later, or download {page} in a browser, unpack it, and: ferdata ingest {name} --root DIR",
        ) from None
    finally:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return folder


def _free(folder: Path, force: bool) -> Path:
    if folder.exists() and any(folder.iterdir()) and not force:
        raise AlreadyExists(
            f"{folder} already exists.", "Add --force to download into it again, or choose another --out."
        )
    return folder


def _from_hub(repository: str, out: Path | str | None, force: bool) -> Path:
    """Download the Parquet files and the card of a dataset of the Hub; never a script."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise BadOption(
            f"{HUB}{repository} is no dataset of the Hub.", "Write hf:OWNER/NAME, as in its page's address."
        )
    folder = _free(Path(out) if out else data_root() / repository.partition("/")[2], force)
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ImportError:
        raise MissingExtra("Downloading from the Hub needs huggingface_hub.", install("hub")) from None
    page = f"https://huggingface.co/datasets/{repository}"
    try:
        own = any(file.endswith(".parquet") for file in hub.list_repo_files(repository, repo_type="dataset"))
        hub.snapshot_download(
            repository, repo_type="dataset", local_dir=folder, revision=None if own else CONVERTED,
            allow_patterns=["*.parquet", "README.md"], force_download=force,
        )  # fmt: skip
    except errors.RevisionNotFoundError:
        raise DatasetMissing(
            f"{page} has no Parquet files, and the Hub has made none of what is there.",
            "Download its files in a browser, and read them with `ferdata ingest folder`, `csv` or `hf`.",
        ) from None
    except errors.HfHubHTTPError as error:  # that there is none, too: the Hub does not say which is there and closed
        raise DatasetMissing(f"The Hub refuses {page}: {str(error).splitlines()[0]}", LOGIN) from None
    except errors.LocalEntryNotFoundError:
        raise _unreachable(page) from None
    except OSError as error:
        if error.errno is not None and type(error).__module__ == "builtins":
            raise CannotWrite(f"Cannot write in {folder}: {error.strerror}.", "Choose another --out.") from None
        raise _unreachable(page) from None
    except Exception as error:
        if type(error).__module__.startswith(("http", "requests")):  # httpx, httpx2: whichever it is built on
            raise _unreachable(page) from None
        raise
    return folder


def _unreachable(page: str) -> DatasetMissing:
    return DatasetMissing(
        "The Hugging Face Hub cannot be reached.",
        f"Try again later, or download the files of {page} in a browser, and: ferdata ingest hf --root DIR",
    )
