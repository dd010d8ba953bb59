"""Tasks for ``images.readers``; the base name of a path says what becomes of it: ``verb`` or ``verb:argument``.

Imported by the readers, which get the checkout with the parent's sys.path.
"""

import ctypes
import os
import signal
import sys
import time

from imgsim_ops.errors import ImageError

LARGE = 1 << 27  # more than what is decoded side by side


def act(path, *, read, admit, **options):
    verb, _, argument = os.path.basename(path).partition(":")
    return _VERBS.get(verb, _echo)(argument, path, admit, options)


def _echo(argument, path, admit, options):
    return os.fsencode(path)


def _once(argument, path, admit, options):
    """Dies the first time, as if somebody killed it; succeeds from then on."""
    marker = os.path.join(os.path.dirname(path), f"marker-{argument}")
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return b"read again"
    os.kill(os.getpid(), signal.SIGKILL)


def _mark(argument, path, admit, options):
    """Says in a file which process it is, and never ends."""
    folder = os.path.dirname(path)
    with open(os.path.join(folder, f".{argument}"), "w") as file:
        file.write(str(os.getpid()))
    os.rename(file.name, os.path.join(folder, f"pid-{argument}"))
    _loop(argument, path, admit, options)


def _loop(argument, path, admit, options):
    while True:
        pass


def _print(argument, path, admit, options):
    """Writes as a C library does, past Python's own streams, and through them."""
    for descriptor in (1, 2):
        os.write(descriptor, b"noise from C\n" * 100)
    libc = ctypes.CDLL(None)
    libc.printf(b"noise from printf\n")
    libc.fflush(None)
    print("noise from print", flush=True)
    print("noise from print", file=sys.stderr, flush=True)
    return b"quiet"


def _image_error(argument, path, admit, options):
    raise ImageError("damaged", f"decode: so it is (got {argument})")


def _memory(argument, path, admit, options):
    raise MemoryError


def _all_memory(argument, path, admit, options):
    return bytes(1 << 40)


def _mistake(argument, path, admit, options):
    raise KeyError("a mistake of ours")


def _segv(argument, path, admit, options):
    ctypes.string_at(0)


def _signal(argument, path, admit, options):
    os.kill(os.getpid(), int(argument))


def _exit(argument, path, admit, options):
    os._exit(int(argument))


def _bytes(argument, path, admit, options):
    return bytes(range(256)) * (int(argument) // 256)


def _options(argument, path, admit, options):
    return repr(sorted(options.items())).encode()


def _large(argument, path, admit, options):
    """A picture that is decoded alone, for so many seconds."""
    with admit(LARGE):
        time.sleep(float(argument))
    return b"large"


def _alone(argument, path, admit, options):
    """Fails where another large picture is being decoded."""
    with admit(LARGE):
        lock = os.path.join(os.path.dirname(path), "alone")
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
        time.sleep(0.02)
        os.unlink(lock)
    return b"alone"


def _hang_alone(argument, path, admit, options):
    """Hangs while it is admitted alone."""
    with admit(LARGE):
        open(os.path.join(os.path.dirname(path), "hangs"), "w").close()
        _loop(argument, path, admit, options)


def _after_hang(argument, path, admit, options):
    """A picture that asks to be admitted while the one of `_hang_alone` holds the turnstile."""
    while not os.path.exists(os.path.join(os.path.dirname(path), "hangs")):
        time.sleep(0.01)
    with admit(1):
        return b"innocent"


def _threads(argument, path, admit, options):
    import cv2

    return b"%d" % cv2.getNumThreads()


_VERBS = {
    name[1:]: function for name, function in list(globals().items()) if name.startswith("_") and callable(function)
}
