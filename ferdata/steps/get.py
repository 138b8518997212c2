"""Get: download a dataset that is free on Kaggle, with the user's own account, to where ingest looks for it."""

from pathlib import Path

from ferdata.adapters import load
from ferdata.errors import AlreadyExists, BadOption, CannotWrite, DatasetMissing, MissingExtra
from ferdata.running.extras import install
from ferdata.sources.location import data_root, how_to_obtain

TOKEN = (
    "Make a token on kaggle.com (Settings, API, Create New Token), put the file at ~/.kaggle/kaggle.json, accept the "
    "dataset's terms on its page if it has some, and try again."
)


def get(name: str, *, out: Path | str | None = None, force: bool = False) -> Path:
    """Download the dataset `name` into `out` (default: where ingest looks for it) and return that folder.

    Raises BadOption if it is not free on Kaggle, MissingExtra without kagglehub, DatasetMissing when Kaggle cannot
    be reached or refuses, AlreadyExists, CannotWrite.
    """
    declared = load(name).SOURCE
    if not declared.kaggle:
        raise BadOption(f"{declared.title} is not to be had on Kaggle.", how_to_obtain(declared))
    folder = Path(out) if out else data_root() / name
    if folder.exists() and any(folder.iterdir()) and not force:
        raise AlreadyExists(f"{folder} is there already.", "Add --force to download into it again, or choose --out.")
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
