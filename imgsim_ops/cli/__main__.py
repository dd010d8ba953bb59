"""``python -m imgsim_ops.cli`` is ``imgsim``, for where the command is not on the path."""

from imgsim_ops.cli import main

main()
