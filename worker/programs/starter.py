"""The starter configuration: the worked example that `init` writes and the demo runs."""

from __future__ import annotations

from pathlib import Path

import worker


def starter_folder() -> Path:
    """The folder that holds its `worker.yaml`: in an installed package, or the repository's own `config/`.

    The build puts `config/` into the package (`force-include` in pyproject.toml). An editable install has no
    such copy, but stands beside the original. Both are plain folders: wheels are installed unpacked, and mapping
    files and mappers are read by name.
    """
    package = Path(worker.__file__).parent
    packaged = package / "starter"
    return packaged if packaged.is_dir() else package.parent / "config"
