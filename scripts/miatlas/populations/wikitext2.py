"""wikitext2: good and featured articles of Wikipedia, 2,551,843 words and ends of lines.

Files: wikitext-2/wiki.{train,valid,test}.tokens, as the archive of the tokenised text unpacks,
or {train,valid,test}.txt in their place; no checksum is published. Lines are words and marks
between spaces, rare ones already replaced by <unk>; the end of a line counts as a word. All windows
are of one class. The architecture that reads them is gpt2.
Source: Merity, Xiong, Bradbury and Socher 2016, Pointer Sentinel Mixture Models.
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
    return load_windows("wikitext2", data_root, length, vocabulary)
