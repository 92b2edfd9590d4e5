"""Walks the whole graph that a WBEM server shows, and says what does not hold together.

`python -m tests.walk http://user:password@host:port` for any server; `tests/test_walk.py` for those of the test bed.
"""

from tests.walk.walker import Report, Walker
from tests.walk.wire import Wire

__all__ = ["Report", "Walker", "Wire"]
