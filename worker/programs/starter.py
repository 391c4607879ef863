"""The starter configuration: the worked example that `init` writes and the demo runs."""

from __future__ import annotations

from pathlib import Path

import worker


def starter_folder() -> Path:
    """The folder of its `worker.yaml`: in the installed package, or the repository's `config/`.

    The build copies `config/` into the package (`force-include` in pyproject.toml); an editable install uses the
    original beside the package. It must be a plain folder, because mapping files and mappers are read by path.
    """
    package = Path(worker.__file__).parent
    packaged = package / "starter"
    return packaged if packaged.is_dir() else package.parent / "config"
