"""What an exposed record is, so that its owner knows it again: its picture, or its row."""

import base64
import io
import json

import numpy as np

VALUES = 6  # of a row without names of columns
SIDE = 64  # pixels that a picture is shown with, at least


def shown(file, rows: list[int]) -> list[dict]:
    """Return for each row {"picture": data URI}, {"row": text}, or {} of what is no quantity.

    file: an open population, as `prepare_population` writes it.
    """
    facts = dict(file.attrs)
    columns = json.loads(facts.get("encoding", "{}")).get("columns", [])
    x = file["x"]
    if x.ndim == 4 and x.shape[1] in (1, 3):
        return [{"picture": picture(x[row], float(facts.get("scale", 1.0)))} for row in rows]
    if x.ndim == 2 and columns:
        return [{"row": of_columns(x[row], columns)} for row in rows]
    if x.ndim == 2 and x.dtype.kind == "f":
        return [{"row": of_values(x[row])} for row in rows]
    return [{} for _ in rows]


def picture(x: np.ndarray, scale: float) -> str:  # (C, H, W)
    """Return a PNG of an image as a data URI; `scale` means full light.

    An image that was prepared already, and has values outside, is shown between its own extremes.
    """
    from PIL import Image

    light = x.astype(np.float64) / scale
    if light.min() < 0.0 or light.max() > 1.0:
        light = (light - light.min()) / np.ptp(light)
    pixels = np.round(255 * light.transpose(1, 2, 0)).astype(np.uint8)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    times = -(-SIDE // max(image.size))
    kept = io.BytesIO()
    image.resize([times * side for side in image.size], Image.Resampling.NEAREST).save(kept, "PNG")
    return "data:image/png;base64," + base64.b64encode(kept.getvalue()).decode()


def of_columns(x: np.ndarray, columns: list[dict]) -> str:  # (d,)
    """Return a row of a table as its owner wrote it: categories, where columns are one-hot."""
    said = []
    for column in columns:
        own = x[column["first"] : column["first"] + column["width"]]
        levels = column.get("categories")
        value = f"{own[0]:g}" if levels is None else str(levels[int(own.argmax())])
        said.append(f"{column['name']} {value}")
    return ", ".join(said)


def of_values(x: np.ndarray) -> str:  # (d,)
    """Return the first values of a row, and how many there are."""
    more = f" … ({len(x)} values)" if len(x) > VALUES else ""
    return ", ".join(f"{value:.4g}" for value in x[:VALUES]) + more
