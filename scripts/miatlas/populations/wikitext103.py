"""wikitext103: good and featured articles of Wikipedia, 103,690,236 words and ends of lines.

Files: wikitext-103/wiki.{train,valid,test}.tokens, as the archive of the tokenised text unpacks,
or {train,valid,test}.txt in their place; no checksum is published. Lines are words and marks
between spaces, rare ones already replaced by <unk>; the end of a line counts as a word. All windows
are of one class. The architecture that reads them is gpt2.
Source: Merity, Xiong, Bradbury and Socher 2016, Pointer Sentinel Mixture Models.

carlini2022 cuts it into a million sentences of GPT-2's byte pairs; here they are words, and windows
of 100 of them are a million as well. Whoever has the byte pairs brings windows of them as `npz` or
`hdf5`: x (N, length) of ids, 0 being no token's, and labels that are all 0.
"""

from pathlib import Path
from typing import Annotated

from miatlas.options import between, positive
from miatlas.populations.base import Population
from miatlas.populations.text import load_windows


def load(
    data_root: Path,
    *,
    length: Annotated[int, positive] = 100,
    vocabulary: Annotated[int, between(2, 2**24)] = 10000,
) -> Population:
    """Return windows of `length` words as ids below `vocabulary`: see `text.load_windows`.

    Raises FileNotFoundError for a missing file, ValueError for a damaged or unfit one.
    """
    return load_windows("wikitext103", data_root, length, vocabulary)
