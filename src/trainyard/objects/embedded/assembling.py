"""What an upload's parts make: which of them, the whole's ETag and checksum. Rules only."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

from trainyard.kit import digests
from trainyard.model.buckets import SMALLEST_PART, ChecksumType, Part, PartClaim
from trainyard.model.errors import ObjectRefused, Refusal


def chosen(parts: Mapping[int, Part], claims: Sequence[PartClaim]) -> list[Part]:
    """The parts that the client names, in its order, which must be that of their numbers. Raises ObjectRefused."""
    numbers = [claim.number for claim in claims]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise ObjectRefused(Refusal.INVALID_PART_ORDER)
    found = [_claimed(parts, claim) for claim in claims]
    if any(part.size < SMALLEST_PART for part in found[:-1]):
        raise ObjectRefused(Refusal.PART_TOO_SMALL)
    return found


def etag_of(parts: Sequence[Part] | Sequence[PartClaim]) -> str:
    """The MD5 of the parts' MD5s, and how many they are."""
    joined = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def checksum_of(parts: Sequence[Part], algorithm: str, kind: ChecksumType) -> str | None:
    """The whole's checksum in base64; None where a part has none of that algorithm."""
    if any(algorithm not in part.checksums for part in parts):
        return None
    raw = [base64.b64decode(part.checksums[algorithm]) for part in parts]
    if kind is ChecksumType.COMPOSITE:
        return f"{digests.text(digests.of(algorithm, b''.join(raw)))}-{len(parts)}"
    return digests.text(digests.joined_crc(algorithm, [(crc, part.size) for crc, part in zip(raw, parts, strict=True)]))


def _claimed(parts: Mapping[int, Part], claim: PartClaim) -> Part:
    part = parts.get(claim.number)
    if part is None or claim.etag != part.etag:
        raise ObjectRefused(Refusal.INVALID_PART)
    if any(part.checksums.get(algorithm, value) != value for algorithm, value in claim.checksums.items()):
        raise ObjectRefused(Refusal.INVALID_PART)
    return part
