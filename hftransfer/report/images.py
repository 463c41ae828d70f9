"""What the worst errors look like. Predictions leave images and sounds out: they are looked up in the source again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, HFTransferError
from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Say, Sounds
from hftransfer.report.views.base import View
from hftransfer.report.views.segments import Segments

if TYPE_CHECKING:
    from hftransfer.report.plots import Plot

SHOWN = 24
SEGMENTED = 8
"""Of segmented images, each of which is shown three times."""
SIDE, LARGE = 160, 260
"""Pixels of a thumbnail, and of one with masks on it."""
SECONDS = 10.0
"""Of a clip that are drawn."""
HEARD, HEARD_SECONDS, HEARD_RATE, HEARD_BYTES = 12, 5.0, 16_000, 1 << 20
"""Clips that can be listened to, the seconds of each, their samples a second at most, and the bytes of them all."""


def contact_sheet(view: View) -> Iterator[Part]:
    """Of tasks over images or sounds: the worst errors, side by side; else nothing."""
    role = next((role for role in SHEETS if role in view.result.recipe.task.columns), None)
    if role is None:
        return
    segmented = isinstance(view, Segments)
    try:
        places = view.worst(SEGMENTED if segmented else SHOWN).tolist()
    except DataError:
        return
    if not places:
        return
    try:
        yield from (_masks if segmented else SHEETS[role])(view, places)
    except (HFTransferError, OSError) as error:
        what = "images" if role == "image" else "sounds"
        why = str(error).splitlines()[0]
        yield Say(f"The {what} of the worst errors cannot be shown: {why}", warning=True)


def _again(view: View, places: list[int]) -> Any:
    """The rows at these places, a datasets.Dataset. Raises DataError where the source is no longer what it was."""
    again, _ = view.result.own_rows(view.split, look=False)
    if again.findings:
        raise DataError("; ".join(again.findings))
    return again.rows.select(places)


def _image(view: View, image: Any, place: int, side: int) -> Any:
    from hftransfer.sources.images import open_image

    opened = open_image(image, where=f"{view.split} row {place + 1}")
    opened.thumbnail((side, side))
    return opened


def _images(view: View, places: list[int]) -> Iterator[Part]:
    from hftransfer.report import plots

    images = [
        _image(view, row["image"], place, SIDE)
        for row, place in zip(_again(view, places), places, strict=True)
    ]
    given, said = _told(view, places)
    yield _sheet("image", given, said, lambda: plots.sheet(images, given, said))


def _sounds(view: View, places: list[int]) -> Iterator[Part]:
    from hftransfer.report import plots
    from hftransfer.sources.audio import read_clip

    given, said = _told(view, places)
    drawn: list[plots.Spectrogram] = []
    heard: list[tuple[str, bytes]] = []
    room = HEARD_BYTES
    for index, row in enumerate(_again(view, places)):
        clip = read_clip(row["audio"], where=f"{view.split} row {places[index] + 1}", seconds=SECONDS)
        drawn.append(plots.spectrogram(clip.samples, clip.rate))
        file = _wav(clip.samples, clip.rate)
        if len(heard) < HEARD and len(file) <= room:
            heard.append((f"{given[index]}, said to be {said[index]}", file))
            room -= len(file)
    yield _sheet("spectrogram (kHz over seconds)", given, said, lambda: plots.sounds(drawn, given, said))
    if heard:
        yield Sounds(f"Some of them to listen to, at most {HEARD_SECONDS:g} seconds of each", heard)


def _wav(samples: Any, rate: int) -> bytes:
    """The beginning of a clip as the bytes of a wav file, of 16 bits a sample."""
    import io

    from hftransfer.sources.audio import decoder, resample

    to, stream = min(rate, HEARD_RATE), io.BytesIO()
    start = resample(samples[: int(HEARD_SECONDS * rate)], rate, to)
    decoder().write(stream, start, to, format="WAV", subtype="PCM_16")
    return stream.getvalue()


SHEETS: dict[str, Callable[[View, list[int]], Iterator[Part]]] = {"image": _images, "audio": _sounds}
"""By the role of what is shown."""


def _sheet(what: str, given: Sequence[str], said: Sequence[str], draw: Callable[[], Plot]) -> Picture:
    below = f"Above each {what} what it was given, below it what was said"
    pairs = "; ".join(f"{one} said to be {other}" for one, other in zip(given, said, strict=True))
    told = f"Contact sheet of the worst errors. {below}: {pairs}."
    return Picture("sheet", "The worst errors", told, draw, wide=True, below=f"{below}.")


def _told(view: View, places: list[int]) -> tuple[list[str], list[str]]:
    """What is and what was said, as text, of the rows at these places."""
    found = view.rows(places, view.target, "prediction")
    return [_text(row[view.target]) for row in found], [_text(row["prediction"]) for row in found]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _masks(view: Any, places: list[int]) -> Iterator[Part]:
    import base64

    import numpy as np

    from hftransfer.report import plots
    from hftransfer.tasks.segmentation import from_png

    labels, shares = view.result.labels, view.told[1][places]
    table = _again(view, places)
    masks = view.result.recipe.task.references(table, labels)
    kept = rows.pick(view.file, places, ["mask_png"], 16)
    images, true, said = [], [], []
    for index, place in enumerate(places):
        image = _image(view, table[index]["image"], place, LARGE)
        file = np.frombuffer(base64.b64decode(kept[index]["mask_png"]), np.uint8)
        images.append(image)
        true.append(_small(masks[index], image.size))
        said.append(_small(from_png(file), image.size))
    named = [f"mean IoU {share:.3f}" for share in shares]
    below = "Each as it is, under the classes it was given, and under those that were said"
    yield Picture(
        "sheet",
        "The images that are segmented worst",
        f"Contact sheet of the images that are segmented worst. {below}: {'; '.join(named)}.",
        lambda: plots.masks(images, true, said, labels, named),
        wide=True,
        below=f"{below}.",
    )


def _small(mask: Any, size: tuple[int, int]) -> Any:
    """A mask (H, W) at the size (width, height) of a thumbnail: of every field the pixel in its middle."""
    import numpy as np

    down, across = (
        ((np.arange(few) + 0.5) * many / few).astype(int)
        for few, many in zip(size[::-1], mask.shape, strict=True)
    )
    return mask[np.ix_(down, across)]
