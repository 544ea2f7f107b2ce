"""Archives from outside: none grows when it is opened, whatever it claims to hold."""

import resource
import zipfile
from contextlib import contextmanager
from pathlib import Path

ROOM = 2**29  # bytes that reading a file may take beside four times its size


def check_archive(path: Path, needed: str, maker: str, packed: int = 0) -> None:
    """Refuse an archive that holds more than the file has on the disk, or is not of `maker`.

    `needed`: how the name of one of its members ends; `packed`: how many bytes of it may be
    compressed. Nothing is unpacked. Raises ValueError, naming the file.
    """
    found = members(path)
    if not any(member.filename.endswith(needed) for member in found):
        raise ValueError(f"{path}: an archive, but not one of {maker}")
    sizes = {True: 0, False: 0}
    for member in found:
        sizes[member.compress_type == zipfile.ZIP_STORED] += max(1, member.file_size)
    if sizes[False] > packed or sizes[True] > path.stat().st_size:
        packs = "its code alone" if packed else "nothing, unless it is told to"
        raise ValueError(
            f"{path}: its archive is compressed or claims more than the file has: not read"
            f" ({maker} compresses {packs})"
        )


def members(path: Path) -> list[zipfile.ZipInfo]:
    """Return what an archive says it holds; ValueError names a damaged one."""
    try:
        return zipfile.ZipFile(path).infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path}: a damaged archive: {one_line(error)}") from None


@contextmanager
def little_memory(path: Path):
    """Let this process have four times the file's size more than it has, and no more."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    wanted = pages * resource.getpagesize() + 4 * path.stat().st_size + ROOM
    before, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = min(x for x in (wanted, before, most) if x != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, most))


def one_line(error: BaseException) -> str:
    """Return the first line of what an error says, at most 200 characters; its kind if nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
