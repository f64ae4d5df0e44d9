"""Compute and store the signatures of images. A signature is a digest of the pixels and a small grey picture."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.images.batches import decoding_threads
from detreduce.images.decode import RGB, decode
from detreduce.images.job import ImageJob, ImageVectors
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.hashes import Digest, content_digest
from detreduce.machine.processors import processors

SIDE = 64
"""Length of each side of the grey picture, in pixels."""

BLACK = 16
"""The largest grey value that counts as part of a black bar.

Letterboxing adds such bars. Rows and columns at the border without brighter pixels are cut off.
"""

_DIGEST_BYTES = 32
_SIZE_BYTES = 8
SIGNATURE_BYTES = _DIGEST_BYTES + _SIZE_BYTES + SIDE * SIDE
_KEY = {
    "backbone": "duplicates",
    "signature": f"SHA-256 of the RGB pixels, size, grey {SIDE} x {SIDE}, area-averaged, black bars <= {BLACK} cut off",
}

Bytes = npt.NDArray[np.uint8]
Region = tuple[float, float, float, float]


@dataclass(frozen=True)
class Signatures:
    """The signatures of n images.

    Attributes
    ----------
    pixels
        (n, 64, 64) uint8: each image in grey, cut free of black bars and resized to a square.
    digests
        For each image, the SHA-256 of its size and its decoded pixels, after EXIF rotation. Empty if the image could
        not be read.
    sizes
        (n, 2) int64: width and height of each decoded image in pixels. Zero if the image could not be read.
    failures
        The reason why an image could not be read, keyed by the index of the image.
    from_cache
        The number of signatures that came from the cache.
    """

    pixels: Bytes
    digests: tuple[Digest, ...]
    sizes: npt.NDArray[np.int64]
    failures: dict[int, str]
    from_cache: int = 0

    def __len__(self) -> int:
        return len(self.digests)


def sign(image: RGB) -> Bytes:
    """Return the signature of a decoded image, (4136,) uint8: its digest, width, height and grey picture.

    The digest has 32 bytes, and depends on the size and all pixels. Width and height are little-endian uint32.
    """
    height, width = image.shape[:2]
    digest = hashlib.sha256(f"{width} {height} ".encode())
    digest.update(np.ascontiguousarray(image).data)
    head = digest.digest() + width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return np.concatenate([np.frombuffer(head, np.uint8), small_grey(image).ravel()])


def picture_of(signature: Bytes) -> Bytes:
    """Return the (64, 64) grey picture in a signature."""
    return signature[_DIGEST_BYTES + _SIZE_BYTES :].reshape(SIDE, SIDE)


def cut_out(image: RGB, region: Region) -> RGB:
    """Return the part of an image inside a region x1, y1, x2, y2, given as fractions of the image.

    The region is clipped to the image. The result has at least one pixel.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = np.clip(region, 0.0, 1.0) * np.array([width, height, width, height])
    left, top = min(int(x1), width - 1), min(int(y1), height - 1)
    return image[top : max(top + 1, math.ceil(y2)), left : max(left + 1, math.ceil(x2))]


def available_cores() -> int:
    """Return the number of processors that this process may use, but at most 16."""
    return min(16, processors())


def small_grey(image: RGB) -> Bytes:
    """Convert an image (h, w, 3) to grey, cut off black bars, and resize the rest to a (64, 64) uint8 square."""
    grey = _without_bars(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)))
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def _without_bars(grey: Bytes) -> Bytes:
    rows = np.flatnonzero(grey.max(axis=1) > BLACK)
    if not len(rows):
        return grey
    columns = np.flatnonzero(grey.max(axis=0) > BLACK)
    return np.ascontiguousarray(grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def together(parts: Sequence[Signatures]) -> Signatures:
    """Join the signatures of several lists of images into one."""
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    failures = {
        place + start: reason
        for start, part in zip(starts, parts, strict=False)
        for place, reason in part.failures.items()
    }
    return Signatures(
        np.concatenate([part.pixels for part in parts]),
        tuple(digest for part in parts for digest in part.digests),
        np.concatenate([part.sizes for part in parts]),
        failures,
        sum(part.from_cache for part in parts),
    )


class SignatureStore(VectorStore):
    """A store of signatures on disk. The key of a signature is the digest of the image file's bytes."""

    dtype = np.dtype(np.uint8)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, _KEY, dimension=SIGNATURE_BYTES)


def signature_folder(folder: Path) -> Path:
    """Return the folder inside the cache folder `folder` in which signatures are stored."""
    return SignatureStore(folder).folder


def read_signatures(
    paths: Sequence[Path], folder: Path, workers: int | None = None, regions: Sequence[Region | None] | None = None
) -> Signatures:
    """Return the signatures of image files. They are read from the cache folder `folder` or computed and stored there.

    Results are stored from time to time and on interruption, so a second run decodes only new and changed images. If
    `regions` is given, each signature describes only the given region of the image (see `cut_out`). An image whose
    region is None is not read, and its digest is empty.
    """

    def key(place: int, digest: Digest) -> Digest:
        """Return the key under which the signature of an image, or of a region of it, is stored."""
        if regions is None:
            return digest
        return content_digest(digest + np.asarray(regions[place], "<f8").tobytes())

    def prepare(place: int, data: bytes | RGB) -> Bytes:
        """Decode an image, and return the signature of the image or of its region."""
        image = decode(data)
        region = regions[place] if regions is not None else None
        return sign(image if region is None else cut_out(image, region))

    vectors = ImageVectors(SignatureStore(folder), np.arange(len(paths) + 1), key)
    unread = {place for place, region in enumerate(regions or ()) if region is None}
    vectors.filled[list(unread)] = True
    job = ImageJob(
        "Reading images",
        [path.absolute() for path in paths],
        [vectors],
        DigestMemo(folder),
        prepare,
        compute=lambda images: ((place, [record[None]]) for place, record in images),
    )
    with decoding_threads(workers or available_cores()) as pool:
        job.run(pool, ahead=4 * (workers or available_cores()))
    records = vectors.array(SIGNATURE_BYTES)
    sizes = np.ascontiguousarray(records[:, _DIGEST_BYTES : _DIGEST_BYTES + _SIZE_BYTES]).view("<u4").astype(np.int64)
    without = unread | job.failures.keys()
    digests = tuple(
        b"" if place in without else records[place, :_DIGEST_BYTES].tobytes() for place in range(len(records))
    )
    pixels = records[:, _DIGEST_BYTES + _SIZE_BYTES :].reshape(-1, SIDE, SIDE)
    return Signatures(pixels, digests, sizes, job.failures, vectors.recalled)
