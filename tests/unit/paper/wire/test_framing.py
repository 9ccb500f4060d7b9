from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.paper.wire.framing import ClientVersions, FrameReader, frame
from htbot.paper.wire.values import WireError


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 7))
def test_frames_survive_any_cut(payloads: list[bytes], size: int) -> None:
    stream = b"API\0" + b"".join(frame(payload) for payload in payloads)
    reader = FrameReader()
    found = []
    for start in range(0, len(stream), size):
        found += reader.feed(stream[start : start + size])
    assert found == payloads


@pytest.mark.parametrize("data", [b"63\0", b"GET / HTTP/1.1", b"APIX", b"\0\0\0\0"])
def test_another_greeting_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match="greeting"):
        FrameReader().feed(data)


def test_a_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireError, match="limit"):
        FrameReader().feed(b"API\0\x01\0\0\0")


@pytest.mark.parametrize(
    ("payload", "versions"),
    [
        (b"v157..178", ClientVersions(157, 178)),
        (b"v100..157 +PACEAPI", ClientVersions(100, 157, "+PACEAPI")),
        (b"v178", ClientVersions(178, 178)),
    ],
)
def test_version_ranges(payload: bytes, versions: ClientVersions) -> None:
    assert ClientVersions.parse(payload) == versions


@pytest.mark.parametrize("payload", [b"", b"157..178", b"v..", b"vv157", b"v157...178"])
def test_what_is_no_version_range(payload: bytes) -> None:
    with pytest.raises(WireError):
        ClientVersions.parse(payload)
