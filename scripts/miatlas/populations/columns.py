"""What the columns of a user's table may hold: what is neither numbers nor categories is told.

A reader of tables guesses: it renames a second column of the same name, invents names for those
without, and takes for text what it cannot count. Functions raise ValueError, which names the file
and the column.
"""

from pathlib import Path

import pandas as pd

MANY = 50  # different texts, beyond which they are no categories if most rows have one of their own
WITH_COMMA = r"\s*[-+]?[\d.' ]*\d(,\d+)?\s*"  # 1,5 and 1.000,5 and 2


def read(file: Path, drop: list[str]) -> pd.DataFrame:
    """Return the rows of a Parquet file, or of a CSV file in UTF-8; names of columns are texts.

    A column without a name may be there if it is to be dropped, as `Unnamed: 0`, pandas' name.
    """
    try:
        if file.suffix == ".parquet":
            frame = pd.read_parquet(file)
            names = [str(name) for name in frame]
        else:
            first = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False)
            frame, names = pd.read_csv(file), first.iloc[0].tolist()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not a readable table: save it as UTF-8 ({error})") from None
    except (ValueError, OSError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        raise ValueError(f"{file}: not a readable table: {str(error).splitlines()[0]}") from None
    if not len(frame):
        raise ValueError(f"{file}: has no rows")
    _check_names(names, drop, file)
    return frame.rename(columns=str)


def _check_names(names, drop, file):
    """Refuse columns of one name, or without any, and a file that is separated otherwise."""
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise ValueError(f"{file}: has one column, {names[0]!r}: save it separated by commas")
    for place, name in enumerate(names):
        if not name.strip() and f"Unnamed: {place}" not in drop:
            raise ValueError(
                f"{file}: column {place + 1} has no name: name it, or drop 'Unnamed: {place}' (row"
                " numbers, as pandas writes them)"
            )
        if name.strip() and name in names[:place]:
            raise ValueError(f"{file}: two columns are named {name!r}: rename or remove one")


def check_texts(frame: pd.DataFrame, categorical: list[str], file: Path) -> None:
    """Refuse columns that are neither numbers nor, by all that their values say, categories.

    Columns that are named `categorical` are, unless what they hold cannot be compared.
    """
    for name in frame:
        column = frame[name]
        if column.dtype.kind in "biuf" or column.isna().any():  # missing values are told as such
            continue
        if said := _no_category(column) or (name not in categorical and _meant_otherwise(column)):
            raise ValueError(f"{file}: column {name!r} {said}")


def _no_category(column: pd.Series) -> str | None:
    """Say what a column holds that can be no category."""
    kinds = {type(value) for value in column} - {str, bool, int, float}
    if column.dtype.kind in "mM" or kinds:
        kind = "dates or times" if column.dtype.kind in "mM" else f"a {kinds.pop().__name__}"
        return f"holds {kind}, neither numbers nor text: make numbers or text of it, or drop it"
    return None


def _meant_otherwise(column: pd.Series) -> str | None:
    """Say what a column of text seems to be in place of a category."""
    texts = column.astype(str)
    if texts.str.fullmatch(WITH_COMMA).all() and texts.str.contains(",").any():
        example = texts[texts.str.contains(",")].iloc[0]
        return f"holds numbers with commas, such as {example!r}: write 1.5, or name it categorical"
    if MANY < texts.nunique() > len(texts) / 2:
        return (
            f"has {texts.nunique():,} different texts in {len(texts):,} rows, such as"
            f" {texts.iloc[0]!r}, which are no categories: drop it, make numbers of it, or name it"
            " categorical"
        )
    return None
