from __future__ import annotations

from htbot.desk.trouble import Trouble


def test_it_lasts_from_the_first_refusal_to_the_first_success() -> None:
    now_s = 100.0
    trouble = Trouble(monotonic=lambda: now_s)
    assert trouble.told() is None
    trouble.refused("full")
    now_s = 112.0
    trouble.refused("still full")
    assert trouble.told() == {"text": "still full", "seconds": 12.0}
    trouble.over()
    assert trouble.told() is None
    trouble.refused("again")
    assert trouble.told() == {"text": "again", "seconds": 0.0}
