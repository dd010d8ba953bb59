"""Files whose vectors are made by another recipe than mean: what they are, and that they give what is searched."""

import json
import os
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from typer.testing import CliRunner

from imgsim_ops import kernels
from imgsim_ops.cli.app import app
from imgsim_ops.collection.store.store import Store
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.errors import ImgsimError
from imgsim_ops.export import recipes
from imgsim_ops.export.model import embedding_model, pair_model, plain_twin, recipe_facts
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import PARTS, RECIPES
from imgsim_ops.recipes.whitening import Whitening
from tests.support import exported_models as cases

RESNET, LITE0 = ("resnet18", "fp32"), ("efficientnet_lite0", "int8")
WEIGHTS = cases.WEIGHTS["resnet18"]
KEPT = 40  # fewer values than a generalised mean has
RECIPE_NAMES = ("gem", "whitened")
every_model = pytest.mark.parametrize("of", [RESNET, LITE0], ids=" ".join)
every_recipe = pytest.mark.parametrize("recipe", RECIPE_NAMES)
every_kind = pytest.mark.parametrize("kind", cases.KINDS)
OURS = {"embedding": [], "layers": ["ReduceMean"] * 4, "pair": ["CosineSimilarity"]}


def raw_of(of, pixels):
    """Raw vectors in float32, as the embedder makes them but for their rounding to float16."""
    made = cases.exported(*of)
    engine = OnnxEngine(embedding_model(made.network, made.facts, layers=True, gem=True).SerializeToString())
    mean, gem = (part.astype(np.float64) for part in engine.embed_with_gem(pixels))
    parts = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (mean, gem, gem)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def whitening_for(of, recipe):
    """Fitted to vectors that lie about those of photographs, as wide as these among each other; None for gem."""
    if recipe == "gem":
        return None
    centres = RECIPES["whitened"].unwhitened(raw_of(of, cases.pictures(7)))
    noise = np.random.default_rng(0).standard_normal((KEPT + 1, centres.shape[1]))
    return Whitening.fit(centres.mean(0) + centres.std(0) * noise)


@pytest.fixture(scope="module")
def made():
    """Models by backbone and precision, recipe and kind, each with the whitening in it; made once."""
    known = {}

    def make(of, recipe, kind="embedding"):
        if (of, recipe) not in known:
            known[of, recipe] = whitening_for(of, recipe)
        whitening = known[of, recipe]
        if (of, recipe, kind) not in known:
            exported = cases.exported(*of)
            facts = recipe_facts(exported.facts, recipe, whitening)
            if kind == "pair":
                model = pair_model(exported.network, facts, whitening)
            else:
                model = embedding_model(exported.network, facts, kind == "layers", whitening=whitening)
            known[of, recipe, kind] = model
        return known[of, recipe, kind], whitening

    return make


def metadata(model):
    return {entry.key: entry.value for entry in model.metadata_props}


# What they are


@every_model
@every_recipe
@every_kind
def test_the_file_and_its_twin(made, of, recipe, kind):
    model, whitening = made(of, recipe, kind)
    plain = plain_twin(model)
    channels = cases.exported(*of).facts["channels"]
    width = channels[-1] if whitening is None else KEPT
    outputs = {"embedding": width}
    if kind == "layers":
        outputs |= {f"layer{i}": count for i, count in enumerate(channels, 1)}
    for file in (model, plain):
        onnx.checker.check_model(file, full_check=True)
        assert file.ir_version == 8
        found = {value.name: value.type.tensor_type for value in file.graph.output}
        assert {of_type.elem_type for of_type in found.values()} == {TensorProto.FLOAT}
        shapes = {name: [d.dim_param or d.dim_value for d in t.shape.dim] for name, t in found.items()}
        if kind == "pair":
            assert shapes == {"similarity": ["N"]}
        else:
            assert shapes == {name: ["N", count] for name, count in outputs.items()}
    domains = {opset.domain: opset.version for opset in model.opset_import}
    assert domains == ({"": 18, "imgsim": 1} if OURS[kind] else {"": 18})
    assert [node.op_type for node in model.graph.node if node.domain == "imgsim"] == OURS[kind]
    assert {body.name for body in model.functions} == set(OURS[kind])
    assert {opset.domain: opset.version for opset in plain.opset_import} == {"": 18}
    assert not plain.functions


@every_model
@every_recipe
def test_metadata(made, of, recipe):
    model, whitening = made(of, recipe)
    facts, found = cases.exported(*of).facts, metadata(model)
    part = "gem" if whitening is None else f"whitened{whitening.digest}"
    assert found["recipe"] == part
    assert found["fingerprint"] == f"{facts['fingerprint']}-{part}"
    assert json.loads(found["dimension"]) == (facts["channels"][-1] if whitening is None else KEPT)
    assert found.keys() == {*facts, "recipe"}
    assert json.loads(found["channels"]) == facts["channels"]


def test_mean_is_as_without_recipes():
    facts = cases.exported(*RESNET).facts
    assert recipe_facts(facts) == facts
    assert "recipe" not in metadata(cases.model("resnet18"))


# What they give


@every_model
@every_recipe
def test_vectors_are_those_of_collections(made, of, recipe):
    model, whitening = made(of, recipe)
    black = np.zeros((1, 224, 224, 3), np.uint8)
    pixels = np.concatenate([cases.pictures(7), black, np.full_like(black, 255)])
    raw = raw_of(of, pixels)
    found = OnnxEngine(model.SerializeToString()).embed(pixels)
    expected = RECIPES[recipe].vectors(raw, whitening)
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    # Searched vectors are float16: of values up to 1, half a step of 2^-11; the rest is the next comparison's.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2**-12 + 1e-4)
    centres = RECIPES[recipe].unwhitened(raw)
    exact = centres if whitening is None else whitening.apply(centres)
    # float32's 6e-8 of the values of a unit vector, which whitening blows up by its matrix, up to some tens.
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6 if whitening is None else 1e-4)
    # Of a sum of up to 1280 squares in float32.
    np.testing.assert_allclose(np.linalg.norm(found.astype(np.float64), axis=1), 1, rtol=0, atol=1e-5)


@every_model
@every_recipe
@every_kind
def test_every_way_to_run_them_agrees(made, of, recipe, kind):
    model, _ = made(of, recipe, kind)
    runs = [cases.session(model), cases.session(model, library=True), cases.session(plain_twin(model))]
    for count in (0, 1, 3):
        given = cases.inputs(kind, count)
        first, *others = ([*run.run(None, given)] for run in runs)
        for other in others:
            for ours, theirs in zip(first, other, strict=True):
                assert ours.shape == theirs.shape
                assert len(ours) == count
                # Layers are means of up to 12,544 floats below 30, summed in another order; all else is the same.
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 if kind == "layers" else 1e-6)


@every_recipe
def test_the_reference(made, recipe):
    model, _ = made(RESNET, recipe)
    (ours,) = cases.session(model).run(None, cases.inputs("embedding", 1))
    (theirs,) = ReferenceEvaluator(model).run(None, cases.inputs("embedding", 1))
    # Sums in another order over 20 layers, which whitening blows up.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3 if recipe == "whitened" else 1e-5)


@every_recipe
def test_pairs_and_layers_are_those_of_the_vectors(made, recipe):
    pixels = cases.inputs("pair", 3)
    a, b = (OnnxEngine(made(RESNET, recipe)[0].SerializeToString()).embed(part) for part in pixels.values())
    (similarity,) = cases.session(made(RESNET, recipe, "pair")[0]).run(None, pixels)
    # float32 sums of up to 512 products of unit vectors, and whitening's noise in them.
    np.testing.assert_allclose(similarity, kernels.cosine_similarity(a, b), rtol=0, atol=1e-4)
    vectors, layers = OnnxEngine(made(RESNET, recipe, "layers")[0].SerializeToString()).embed_with_layers(
        pixels["pixels_a"]
    )
    np.testing.assert_allclose(vectors, a, rtol=0, atol=1e-4)
    assert [layer.shape for layer in layers] == [(3, 64), (3, 128), (3, 256), (3, 512)]


def test_what_whitening_leaves_nothing_of_is_zero():
    exported = cases.exported(*RESNET)
    nothing = Whitening(np.zeros(512, np.float32), np.zeros((512, 3), np.float32))
    facts = recipe_facts(exported.facts, "whitened", nothing)
    model = embedding_model(exported.network, facts, whitening=nothing)
    vectors = OnnxEngine(model.SerializeToString()).embed(cases.pictures(2))
    assert np.array_equal(vectors, np.zeros((2, 3)))


# The embedder


@pytest.fixture
def embedder(made, tmp_path):
    def load(recipe, kind="embedding", exact=False):
        path = tmp_path / f"{recipe}-{kind}.onnx"
        path.write_bytes(made(RESNET, recipe, kind)[0].SerializeToString())
        return Embedder(ModelSpec(model=path), read=ReadOptions(exact=exact))

    return load


def test_the_embedder_makes_what_it_describes(embedder, made, tmp_path):
    exported = cases.exported(*RESNET)
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(embedding_model(exported.network, exported.facts, layers=True, gem=True).SerializeToString())
    paths = [str(path) for path in cases.quick_photographs()[:3]]
    raw = np.stack([description.raw for _, description in Embedder(ModelSpec(model=whole)).describe(paths)])
    ours = embedder("gem")
    # Both parts of a collection's vector are float16: of values up to 1, half a step of 2^-11.
    np.testing.assert_allclose(ours.embed(paths), RECIPES["gem"].vectors(raw), rtol=0, atol=2**-12 + 1e-6)
    streamed = np.stack([vector for _, vector in ours.stream(paths)])
    assert np.array_equal(streamed, ours.embed(paths))
    whitening = made(RESNET, "whitened")[1]
    # Whitening blows up float16's steps too; what counts is that the pictures are told apart as they should.
    found, expected = embedder("whitened").embed(paths), RECIPES["whitened"].vectors(raw, whitening)
    assert cases.cosines(found, expected).min() > 0.999


@every_recipe
@pytest.mark.parametrize("exact", [False, True])
def test_the_embedder(embedder, made, recipe, exact):
    loaded = embedder(recipe, exact=exact)
    found = Fingerprint.parse(metadata(made(RESNET, recipe)[0])["fingerprint"])
    assert found.recipe.startswith(recipe)
    assert loaded.fingerprint == replace(found, preprocessing=1 if exact else 2)
    assert loaded.dimension == (512 if recipe == "gem" else KEPT)
    assert loaded.embed([]).shape == (0, loaded.dimension)
    a, b = cases.pictures(2)
    similarity = loaded.compare(a, b)
    assert similarity.layers == ()
    assert similarity.score == pytest.approx(float(np.dot(*loaded.embed([a, b]))), abs=1e-6)  # both of unit length
    with pytest.raises(ImgsimError, match="describe: the model must have the output gem"):
        list(loaded.describe([str(cases.quick_photographs()[0])]))


@every_recipe
def test_compare_by_a_recipe(embedder, recipe):
    loaded = embedder(recipe, "layers")
    a, b = cases.pictures(2)
    found = loaded.compare(a, b)
    # A sum of up to 512 products of float32.
    assert found.score == pytest.approx(float(kernels.cosine_similarity(*loaded.embed([a, b]))), abs=1e-5)
    assert len(found.layers) == 4
    assert loaded.compare(a, a).score == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("changes", [{"recipe": "whitened"}, {"recipe": None}, {"recipe": "7"}, {"fingerprint": None}])
def test_a_recipe_that_contradicts_the_fingerprint(made, changes):
    """None: as of the file for mean."""
    model = onnx.ModelProto()
    model.CopyFrom(made(RESNET, "gem")[0])
    facts = metadata(model) | changes
    if "fingerprint" in changes:
        facts["fingerprint"] = cases.exported(*RESNET).facts["fingerprint"]
    del model.metadata_props[:]
    helper.set_model_props(model, {key: value for key, value in facts.items() if value is not None})
    with pytest.raises(ImgsimError, match="model: must be a file that imgsim export wrote"):
        OnnxEngine(model.SerializeToString())


# The command


def imgsim(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)], prog_name="imgsim")


@pytest.fixture
def _quick(monkeypatch):
    """Saves the seconds of another export."""
    monkeypatch.setattr(recipes, "export_backbone", lambda backbone, *others: cases.exported(backbone))


@pytest.fixture
def collection(tmp_path, made):
    """Makes a collection without pictures."""

    def make(recipe="whitened", fitted=True, **changes):
        made_by = replace(Fingerprint.parse(cases.exported(*RESNET).facts["fingerprint"]), preprocessing=2, **changes)
        with Store.create(tmp_path / "c.imgsim", made_by, RECIPES[recipe], PARTS * 512) as store:
            if fitted:
                store.change_recipe(RECIPES[recipe], made(RESNET, "whitened")[1], 200)
        return tmp_path / "c.imgsim"

    return make


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("as_json", [False, True])
def test_gem(made, as_json, tmp_path):
    result = imgsim(
        "--out", tmp_path / "m.onnx", "--weights", WEIGHTS, "--recipe", "gem", *(["--json"] if as_json else [])
    )
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir(tmp_path)) == ["m.onnx", "m.plain.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == made(RESNET, "gem")[0].SerializeToString()
    fingerprint = cases.exported(*RESNET).facts["fingerprint"] + "-gem"
    if as_json:
        found = json.loads(result.stdout)
        assert (found["recipe"], found["fingerprint"], found["dimension"]) == ("gem", fingerprint, 512)
    else:
        assert result.stdout.splitlines()[-1] == f"{fingerprint}, 512 values"


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("recipe", ["whitened", "views"])
@pytest.mark.parametrize("kind", ["embedding", "layers", "pair"])
def test_whitened(made, collection, recipe, kind, tmp_path):
    """The way in which the collection decodes JPEGs does not matter, nor how many views it has."""
    options = [] if kind == "embedding" else [f"--{kind}"]
    result = imgsim(
        *("--out", tmp_path / "m.onnx", "--weights", WEIGHTS, "--recipe", "whitened"),
        *("--collection", collection(recipe), *options),
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "m.onnx").read_bytes() == made(RESNET, "whitened", kind)[0].SerializeToString()
    digest = made(RESNET, "whitened")[1].digest
    assert result.stdout.splitlines()[-1].endswith(f"-fp32-p1-whitened{digest}, {KEPT} values")


@pytest.mark.usefixtures("_quick")
def test_mean_by_name_writes_the_same_bytes(tmp_path):
    for name, options in (("a", []), ("b", ["--recipe", "mean"])):
        assert imgsim("--out", tmp_path / f"{name}.onnx", "--weights", WEIGHTS, *options).exit_code == 0
    for ending in (".onnx", ".plain.onnx"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
    assert (tmp_path / "a.onnx").read_bytes() == cases.model("resnet18").SerializeToString()


@pytest.mark.usefixtures("_quick")
def test_the_gate_is_that_of_mean(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "export_backbone", lambda *others: cases.exported(*LITE0))
    result = imgsim("--out", tmp_path / "m.onnx", "--precision", "int8", "--recipe", "gem")
    assert result.exit_code == 0, result.output
    assert "as good as fp32 by the recipe mean: mean cosine to it " in result.stdout.splitlines()[-1]


def refused(result, message):
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("imgsim: " + message)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("m.onnx", ["--recipe", "median"], "recipe: must be one of mean, gem, whitened, views (got 'median')"),
        (
            "m.onnx",
            ["--recipe", "views"],
            "export: the recipe must make one vector of each picture, as whitened does (got views, which makes 2)",
        ),
        ("m.pt", ["--recipe", "gem"], "export: a .pt file computes the recipe mean (got gem, which needs an .onnx"),
        ("m.pt", ["--recipe", "whitened"], "export: a .pt file computes the recipe mean (got whitened, which needs"),
        ("m.onnx", ["--recipe", "whitened"], "export: whitened needs the whitening of a collection, --collection (got"),
        (
            "m.onnx",
            ["--recipe", "gem", "-c", "c.imgsim"],
            "export: a collection is for the recipe whitened (got recipe gem)",
        ),
        ("m.onnx", ["-c", "c.imgsim"], "export: a collection is for the recipe whitened (got recipe mean)"),
        (
            "m.onnx",
            ["--recipe", "whitened", "-c", "none.imgsim"],
            "collection: must be a folder that imgsim index made (got ",
        ),
    ],
)
def test_mistakes(name, options, message, tmp_path):
    refused(imgsim("--out", tmp_path / name, "--weights", WEIGHTS, *options), message)
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(
    ("made_with", "message"),
    [
        ({"fitted": False}, "export: the collection must have been fitted by the recipe whitened or views, which"),
        ({"recipe": "gem", "fitted": False}, "export: the collection must have been fitted by the recipe whitened"),
        (
            {"weights": "0" * 12},
            "export: the collection's vectors must be made by resnet18-57f7ff5400b3-fp32 (got resn",
        ),
        ({"backbone": "efficientnet_lite0"}, "export: the collection's vectors must be made by resnet18-57f7ff5400b3"),
        ({"precision": "int8abcdef"}, "export: the collection's vectors must be made by resnet18-57f7ff5400b3-fp32 ("),
    ],
)
def test_collections_that_do_not_fit(collection, made_with, message, tmp_path):
    path = collection(**made_with)
    result = imgsim("--out", tmp_path / "m.onnx", "--weights", WEIGHTS, "--recipe", "whitened", "-c", path)
    refused(result, message)
    assert os.listdir(tmp_path) == ["c.imgsim"]
