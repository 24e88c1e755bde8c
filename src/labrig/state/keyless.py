"""States without what only one run of labrig can tell: the fingerprints of secrets, which no state has that is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

_FIELD = "fingerprint"
_WORDS = re.compile(r"<set [0-9a-f]{12}>")


def keyless(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a state as they would be had it been captured without a key.

    >>> list(keyless(['{"dimension":"user","key":"me","value":{"fingerprint":"1f2e3d4c5b6a","uid":1}}']))
    ['{"dimension":"user","key":"me","value":{"uid":1}}']
    """
    encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
    for line in lines:
        if f'"{_FIELD}":' in line or "<set " in line:
            record = json.loads(line)
            if isinstance(record.get("value"), dict):
                record["value"] = {name: _plain(one) for name, one in record["value"].items() if name != _FIELD}
            yield encode(record)
        else:
            yield line


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _WORDS.sub("<set>", value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value
