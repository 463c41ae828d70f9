"""From a name to a model: what is refused, what is kept, and what starts from random."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import HEAD_LABELS, MAX_LENGTH, TEXT_FAMILIES, make_checkpoint

from hftransfer.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from hftransfer.errors import CheckpointError
from hftransfer.recipe import CheckpointSection
from hftransfer.registry import TASKS

Edit = Callable[[Path], None]
OTHER_LABELS = ("sports", "politics", "science", "art")
"""As many as HEAD_LABELS: the shapes fit, the meaning does not."""


def load(
    folder: Path | str, labels: Sequence[str] = ("no", "yes"), task: str = "text-classification"
) -> Checkpoint:
    torch.manual_seed(1)  # not that of the tiny checkpoints: the same would draw the same weights
    return load_checkpoint(CheckpointSection(name=str(folder)), TASKS.get(task)(), labels)


@pytest.fixture
def bert(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> Path:
    """A checkpoint that a test may spoil."""
    return Path(shutil.copytree(tiny_checkpoint("bert"), tmp_path / "my-bert"))


# --- what is refused before anything heavy is imported ----------------------------------------------------------


def without(*names: str) -> Edit:
    return lambda folder: [(folder / name).unlink() for name in names] and None


def with_file(name: str, text: str) -> Edit:
    return lambda folder: (folder / name).write_text(text) and None


def pickled_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def sharded(index: str) -> Edit:
    def edit(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        (folder / "model.safetensors.index.json").write_text(index)

    return edit


MISSING_SHARD = json.dumps(
    {
        "weight_map": {
            "a": "model-00001-of-00002.safetensors",
            "b": "model-00002-of-00002.safetensors",
        }
    }
)


@pytest.mark.parametrize(
    ("spoil", "message", "hint"),
    [
        (without("config.json"), "my-bert has no config.json", "the folder holds: model.safetensors"),
        (without("model.safetensors"), "has no weights: no model.safetensors", "the folder holds: config"),
        (pickled_only, "only as pytorch_model.bin, which can run code", "save_pretrained"),
        (with_file("config.json", "{not json"), "config.json is not JSON", ""),
        (with_file("config.json", "\ufffd"), "config.json is not JSON", ""),
        (with_file("config.json", '["bert"]'), "names no model_type", "is it a transformers model"),
        (with_file("config.json", '{"model_type": 3}'), "names no model_type", ""),
        (adapter, "is a PEFT adapter, not a model", "name the merged model"),
        (sharded(MISSING_SHARD), "lacks 1 of 2 weight files: model-00002-of-00002.safetensors", ""),
        (sharded("{"), "model.safetensors.index.json is damaged", ""),
        (sharded("[]"), "model.safetensors.index.json is damaged", ""),
        (sharded('{"weight_map": {"a": ["b"]}}'), "model.safetensors.index.json is damaged", ""),
    ],
)
def test_a_folder_that_is_no_usable_checkpoint(bert: Path, spoil: Edit, message: str, hint: str) -> None:
    assert find_checkpoint(CheckpointSection(name=str(bert))) == str(bert)
    spoil(bert)
    with pytest.raises(CheckpointError, match=message) as caught:
        find_checkpoint(CheckpointSection(name=str(bert)))
    assert hint in (caught.value.hint or "")


def test_names_that_mean_no_folder(bert: Path) -> None:
    def refused(name: Path | str, **settings: Any) -> CheckpointError:
        with pytest.raises(CheckpointError) as caught:
            find_checkpoint(CheckpointSection(name=str(name), **settings))
        return caught.value

    assert "that is a file; a checkpoint is a folder" in refused(bert / "config.json").message
    assert "there is no such folder" in refused(bert.with_name("my-brt")).message
    assert "did you mean `my-bert`" in str(refused(bert.with_name("my-brt")).hint)
    assert f"no folder {bert.parent}/deep either" in str(refused(bert.parent / "deep" / "x").hint)
    assert "my-bert is a folder" in refused(bert, revision="main").message
    assert "no package named `nothing_here`" in refused("package:nothing_here/model").message
    assert find_checkpoint(CheckpointSection(name="some/model", revision="v1")) == "some/model"


# --- what only loading can tell --------------------------------------------------------------------------------


def set_config(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


def test_truncated_weights(bert: Path) -> None:
    weights = bert / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="my-bert: its weights cannot be read") as caught:
        load(bert)
    assert "copy it again" in str(caught.value.hint)


def test_weights_of_another_architecture(bert: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    shutil.copy(tiny_checkpoint("albert") / "model.safetensors", bert / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"does not fit: \d+ of the \d+ backbone weights"):
        load(bert)


def test_an_architecture_that_transformers_does_not_know(bert: Path) -> None:
    set_config(bert, model_type="brtt")
    with pytest.raises(CheckpointError, match=r"that this transformers does not know: .*brtt"):
        load(bert)


def test_an_architecture_without_such_a_head(bert: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="cannot do image-classification"):
        load(bert, task="image-classification")
    with pytest.raises(CheckpointError, match="cannot do text-classification"):
        load(tiny_checkpoint("vit"))


def test_a_folder_without_a_tokenizer(bert: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    without("tokenizer.json", "tokenizer_config.json")(bert)
    with pytest.raises(CheckpointError, match="my-bert has no tokenizer that can be read") as caught:
        load(bert)
    assert "Hub" not in str(caught.value)
    vit = Path(shutil.copytree(tiny_checkpoint("vit"), bert.with_name("my-vit")))
    without("preprocessor_config.json")(vit)
    with pytest.raises(CheckpointError, match="my-vit has no image processor that can be read"):
        load(vit, task="image-classification")


def test_a_tokenizer_whose_library_is_not_installed(tiny_checkpoint: Callable[..., Path]) -> None:
    """In a process of its own: transformers looks once for what is installed."""
    program = (
        "import sys; sys.modules['sentencepiece'] = None\n"
        "from hftransfer.checkpoint import load_checkpoint\n"
        "from hftransfer.recipe import CheckpointSection\n"
        "from hftransfer.registry import TASKS\n"
        f"load_checkpoint(CheckpointSection(name={str(tiny_checkpoint('marian'))!r}), TASKS.get('translation')(), ())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "marian" in ended.stderr
    assert (
        "needs the library sentencepiece, which is not installed\n  pip install sentencepiece" in ended.stderr
    )


def test_a_tokenizer_without_padding(bert: Path) -> None:
    file = bert / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"pad_token": None}))
    with pytest.raises(CheckpointError, match="has no padding token"):
        load(bert)


def test_a_hub_id_without_network() -> None:
    with pytest.raises(CheckpointError, match="nobody/nothing: no folder of that name is here") as caught:
        load("nobody/nothing")
    assert "hf auth login" in str(caught.value.hint)


def test_of_a_hub_the_commit_is_kept(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the cache, as of a process that knows no token any more."""
    commit, repository = "0123456789abcdef" * 2 + "01234567", tmp_path / "models--me--base"
    shutil.copytree(tiny_checkpoint("bert"), repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for revision in (None, commit):
        section = CheckpointSection(name="me/base", revision=revision)
        found = load_checkpoint(section, TASKS.get("text-classification")(), ["a", "b"])
        assert found.fingerprint == f"commit:{commit}"
    assert load(tiny_checkpoint("bert")).fingerprint.startswith("sha256:")


@pytest.mark.parametrize("model_type", ["bert", "my-own"])
@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_with_a_checkpoint_never_runs(
    bert: Path, where: str, model_type: str, tmp_path: Path
) -> None:
    marker = tmp_path / "it-ran"
    code = f"open({str(marker)!r}, 'w').close()\n"
    for name in ("modeling_my", "configuration_my", "tokenization_my"):
        (bert / f"{name}.py").write_text(code)
    classes = {
        "AutoConfig": "configuration_my.MyConfig",
        "AutoModelForSequenceClassification": "modeling_my.MyModel",
        "AutoTokenizer": ["tokenization_my.MyTokenizer", None],
    }
    file = bert / where
    settings = json.loads(file.read_text())
    own = {"model_type": model_type} if where == "config.json" else {"tokenizer_class": "MyTokenizer"}
    file.write_text(json.dumps(settings | own | {"auto_map": classes}))
    if where == "config.json" and model_type == "my-own":
        with pytest.raises(CheckpointError, match="own Python code, which is never run"):
            load(bert)
    else:
        load(bert)  # what transformers knows by itself it loads, without the code
    assert not marker.exists()
    exec(code)  # the control: had the code run, it would have been seen
    assert marker.exists()


# --- the head --------------------------------------------------------------------------------------------------


@pytest.fixture
def trained_head(tiny_checkpoint: Callable[..., Path]) -> Path:
    return tiny_checkpoint("roberta", head=True)


def head_of(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in weights.items() if name.startswith("classifier.")}


def test_a_head_for_these_labels_is_kept(trained_head: Path) -> None:
    checkpoint = load(trained_head, HEAD_LABELS)
    saved = load_file(trained_head / "model.safetensors")
    assert len(head_of(saved)) == 4
    assert checkpoint.fresh == frozenset()
    assert checkpoint.findings == ()
    assert all(torch.equal(saved[name], tensor) for name, tensor in checkpoint.model.state_dict().items())


@pytest.mark.parametrize("labels", [OTHER_LABELS, tuple(reversed(HEAD_LABELS))], ids=["other", "other order"])
def test_a_head_for_other_labels_is_not(trained_head: Path, labels: tuple[str, ...]) -> None:
    checkpoint = load(trained_head, labels)
    saved, now = load_file(trained_head / "model.safetensors"), checkpoint.model.state_dict()
    assert checkpoint.fresh == frozenset(head_of(saved))
    for name in saved:
        kept = name not in checkpoint.fresh
        starts_from_zero = name.endswith("bias") and not kept  # both times
        assert torch.equal(saved[name], now[name]) == (kept or starts_from_zero), name
    assert checkpoint.findings == ("weights that start from random: classifier.dense, classifier.out_proj",)
    assert [label for _, label in sorted(checkpoint.model.config.id2label.items())] == list(labels)


def test_a_head_of_another_size_is_not(trained_head: Path) -> None:
    checkpoint = load(trained_head, ("no", "yes"))
    assert checkpoint.fresh == frozenset(head_of(checkpoint.model.state_dict()))
    assert checkpoint.model.state_dict()["classifier.out_proj.weight"].shape[0] == 2


def test_fresh_weights_are_those_of_the_seed(trained_head: Path) -> None:
    first, again = (head_of(load(trained_head, OTHER_LABELS).model.state_dict()) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    torch.manual_seed(2)
    task = TASKS.get("text-classification")()
    other = load_checkpoint(CheckpointSection(name=str(trained_head)), task, OTHER_LABELS)
    assert not torch.equal(
        first["classifier.dense.weight"], other.model.state_dict()["classifier.dense.weight"]
    )


def test_weights_that_are_missing_or_left_over_are_named(tiny_checkpoint: Callable[..., Path]) -> None:
    bare = load(tiny_checkpoint("bert", pooler=False))
    assert bare.fresh == {
        f"{module}.{kind}" for module in ("bert.pooler.dense", "classifier") for kind in ("weight", "bias")
    }
    assert bare.findings == ("weights that start from random: bert.pooler.dense, classifier",)


def test_weights_that_are_not_used_are_named(bert: Path) -> None:
    tensors = load_file(bert / "model.safetensors")
    save_file(
        tensors | {"cls.predictions.bias": torch.zeros(3)}, bert / "model.safetensors", {"format": "pt"}
    )
    assert "weights of the checkpoint not used: cls.predictions" in load(bert).findings


# --- length, precision, identity, silence ----------------------------------------------------------------------


@pytest.mark.parametrize("family", TEXT_FAMILIES)
@pytest.mark.parametrize("stated", [MAX_LENGTH, 10**30])
def test_max_length(family: str, stated: int, tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """What the tokenizer says; where it says nothing (1e30), what the position embeddings can count."""
    folder = Path(shutil.copytree(tiny_checkpoint(family), tmp_path / family))
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": stated}))
    checkpoint = load(folder)
    unbounded = family in ("deberta-v2", "modernbert")  # relative positions: there is no table to run out of
    expected = None if unbounded and stated > MAX_LENGTH else MAX_LENGTH
    assert checkpoint.max_length == expected
    assert expected is None or checkpoint.processor.model_max_length == expected
    # The bound is right: that many tokens work. Where it comes from a table, one more does not.
    longest = torch.full((1, MAX_LENGTH), 7)
    with torch.inference_mode():
        assert checkpoint.model.eval()(input_ids=longest).logits.shape == (1, 2)
        if not unbounded:
            with pytest.raises((IndexError, RuntimeError)):
                checkpoint.model(input_ids=torch.full((1, MAX_LENGTH + 1), 7))


def test_a_tokenizer_that_claims_too_much(bert: Path) -> None:
    file = bert / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 5000}))
    assert load(bert).max_length == MAX_LENGTH


@pytest.mark.parametrize("head", [False, True])
def test_half_precision_weights_are_loaded_in_single(tmp_path: Path, head: bool) -> None:
    folder = make_checkpoint("bert", tmp_path / "bert", head=head)
    tensors = load_file(folder / "model.safetensors")
    halved = {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
    save_file(halved, folder / "model.safetensors", {"format": "pt"})
    set_config(folder, dtype="bfloat16")
    checkpoint = load(folder, OTHER_LABELS)
    assert {
        tensor.dtype for tensor in checkpoint.model.state_dict().values() if tensor.is_floating_point()
    } == {torch.float32}
    kept = "bert.embeddings.word_embeddings.weight" if head else "embeddings.word_embeddings.weight"
    now = checkpoint.model.state_dict()["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(now, halved[kept].float())
    # New weights are drawn in full precision, not rounded to what the checkpoint was saved in.
    fresh = checkpoint.model.state_dict()["classifier.weight"]
    assert not torch.equal(fresh, fresh.to(torch.bfloat16).float())


def test_a_whole_file_of_weights_comes_before_an_index(bert: Path) -> None:
    (bert / "model.safetensors.index.json").write_text(MISSING_SHARD)
    assert find_checkpoint(CheckpointSection(name=str(bert))) == str(bert)
    load(bert)


def test_shards_are_loaded_and_are_part_of_the_fingerprint(
    tiny_checkpoint: Callable[..., Path], bert: Path
) -> None:
    whole = load(bert)
    tensors = load_file(bert / "model.safetensors")
    (bert / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {
        "model-00001-of-00002.safetensors": names[: len(names) // 2],
        "model-00002-of-00002.safetensors": names[len(names) // 2 :],
    }
    for file, part in parts.items():
        save_file({name: tensors[name] for name in part}, bert / file, {"format": "pt"})
    weight_map = {name: file for file, part in parts.items() for name in part}
    (bert / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    sharded = load(bert)
    assert all(
        torch.equal(tensor, whole.model.state_dict()[name])
        for name, tensor in sharded.model.state_dict().items()
    )
    assert whole.fingerprint == load(tiny_checkpoint("bert")).fingerprint
    assert sharded.fingerprint != whole.fingerprint
    assert sharded.fingerprint.count("+") == 1


@pytest.mark.parametrize("family", ["bert", "vit"])
def test_transformers_prints_nothing(
    family: str,
    tiny_checkpoint: Callable[..., Path],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    import transformers

    transformers.logging.set_verbosity_warning()
    task = "image-classification" if family == "vit" else "text-classification"
    load(tiny_checkpoint(family), task=task)
    assert "".join(capfd.readouterr()) + caplog.text == ""
    # The control: it is as talkative as before, and left alone it reports.
    auto = getattr(transformers, TASKS.get(task).model_class)
    auto.from_pretrained(tiny_checkpoint(family))
    assert "classifier" in caplog.text
