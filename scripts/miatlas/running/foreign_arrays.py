"""Arrays of HDF5 files from outside: each lies in its file whole, and is as large as it says."""

import h5py

LARGE, UNPACKED = 2**30, 2000  # bytes; how many a stored byte may stand for


def dataset(path, file, name) -> h5py.Dataset | None:
    """Return an array at the top of a file from outside; None if nothing there has its name.

    No link is followed: it may lead out of the file. ValueError, naming it, for what has the name
    and is no array that lies in this file whole.
    """
    link = file.get(name, getlink=True)
    if link is None:
        return None
    found = file.get(name) if isinstance(link, h5py.HardLink) else link
    if wrong := _no_array(found):
        raise ValueError(f"{path}: {name} is {wrong}, expected an array that lies in the file")
    check_claim(path, name, found.nbytes, found.id.get_storage_size())
    return found


def _no_array(found):
    """Say what something is, if it is no array whose numbers are in its file; else None."""
    if not isinstance(found, h5py.Dataset):
        kinds = {h5py.Group: "a group", h5py.SoftLink: "a link", h5py.ExternalLink: "a link to"
                 " another file", type(None): "damaged"}  # fmt: skip
        return kinds.get(type(found), "no array")
    if found.shape is None:
        return "empty"
    try:
        elsewhere = found.dtype is None or found.is_virtual or found.external
    except TypeError:
        return "of a type that NumPy lacks"
    return "kept in other files" if elsewhere else None


def check_claim(path, name, claimed: int, stored: int) -> None:
    """Refuse an array of more bytes than what is stored of it can unpack to: nothing makes room.

    zlib packs a byte into a thousandth at most. Small arrays claim what they like.
    """
    if claimed > LARGE and claimed > UNPACKED * stored:
        raise ValueError(
            f"{path}: {name} claims {claimed / 2**30:,.1f} GiB, of which the file holds"
            f" {stored:,} bytes: damaged, or never written"
        )
