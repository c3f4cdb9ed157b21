"""A disk of our own that is easily filled: tmpfs, which only root may mount."""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

# Postgres wants as much to be made; then the disk is made smaller.
SIZE_AT_FIRST_MB = 800
ROOM_MB = 300


@cache
def why_not() -> str | None:
    """Why there can be none here; None where there can."""
    if os.geteuid() != 0:
        return "only root may mount a small disk"
    with tempfile.TemporaryDirectory() as folder:
        try:
            _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
            _run("umount", folder)
        except (OSError, subprocess.CalledProcessError):
            return "mounting a small disk is not allowed here"
    return None


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_AT_FIRST_MB}m,mode=755", "tmpfs", str(folder))

    def shrink(self) -> None:
        """Leave little room on it."""
        used = shutil.disk_usage(self.folder).used // 2**20
        _run("mount", "-o", f"remount,size={used + ROOM_MB}m", str(self.folder))

    def fill(self) -> None:
        """To the last byte, and what is freed meanwhile too."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(2**20))
            except OSError:
                pass

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)
        # As much as before: what is stored meanwhile must not fill it by itself.
        self.shrink()

    def close(self) -> None:
        _run("umount", "-l", str(self.folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
