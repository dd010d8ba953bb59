"""How much is tried of what could be tried without end: a share for each change, all of it in ``.ci/full``."""

import os

#: Of the examples, mutations and kills that tests name.
SHARE = float(os.environ.get("IMGSIM_EXAMPLES", "0.2"))


def tries(count, least=1):
    """How many of so many are tried, but for a few that must be."""
    return max(least, round(count * SHARE))
