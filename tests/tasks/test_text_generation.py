"""Sources read, targets shifted, texts generated: as each architecture's own code would have it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import transformers
from pydantic import ValidationError
from tiny import ANIMALS, VOCABULARY, make_rows
from toy import toy_recipe
from toys import toy

from hftransfer.checkpoint import Checkpoint, load_checkpoint
from hftransfer.errors import CheckpointError, InputError
from hftransfer.recipe import CheckpointSection
from hftransfer.result import Result
from hftransfer.runner import resolve, run
from hftransfer.strategies import Frozen, LoRA
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.languages import Target, speak
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.summarization import Summarization
from hftransfer.tasks.translation import Translation

SEQ2SEQ = ("t5", "bart", "marian", "pegasus", "mbart")
TEXTS, _ = make_rows(6)
TARGETS = [["the cat"], ["the red horse", "a horse"], ["dog"], ["my blue sheep today"], ["fox"], ["you"]]


def rows(targets: bool = True, texts: list[str] = TEXTS) -> Any:
    columns: dict[str, Any] = {"text": texts}
    return datasets.Dataset.from_dict(columns | ({"summary": TARGETS} if targets else {}))


def load(folder: Path, task: Any = None) -> tuple[Checkpoint, Pretrained]:
    torch.manual_seed(0)
    made = load_checkpoint(CheckpointSection(name=str(folder)), task or Summarization(), ())
    made.model.eval()
    return made, Pretrained(made.processor, made.model.config, made.max_length)


def batch_of(task: Any, pretrained: Pretrained, table: Any = None) -> dict[str, Any]:
    examples = task.encode(rows() if table is None else table, pretrained, name="train")
    return task.collate([examples[i] for i in range(len(examples))], pretrained)


@pytest.mark.parametrize("family", SEQ2SEQ)
def test_batches_are_what_the_architecture_makes_of_its_own_labels(
    family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    """transformers' models shift labels by their own code when they are given them; so does a batch."""
    task = Translation(target_language="fr_XX") if family == "mbart" else Summarization()
    checkpoint, pretrained = load(tiny_checkpoint(family), task)
    table = rows() if family != "mbart" else rows().rename_columns({"text": "source", "summary": "target"})
    batch = batch_of(task, pretrained, table)
    model: Any = checkpoint.model
    assert torch.equal(
        batch["decoder_input_ids"], model.prepare_decoder_input_ids_from_labels(labels=batch[LABELS])
    )
    with torch.no_grad():
        own = model(**{key: batch[key] for key in ("input_ids", "attention_mask", LABELS)})
        ours = model(**{key: value for key, value in batch.items() if key != LABELS})
    assert torch.allclose(own.logits, ours.logits, atol=1e-5)
    loss = task.make_loss(None, (), pretrained)
    assert loss.sum(ours, batch) / loss.weight(batch) == pytest.approx(own.loss.item(), rel=1e-5)
    smooth = type(task)(label_smoothing=0.2).make_loss(None, (), pretrained)
    assert smooth.sum(ours, batch) / smooth.weight(batch) != pytest.approx(own.loss.item(), rel=1e-5)
    # The first reference is the target; what is padded does not count.
    first = pretrained.processor(text_target="the red horse")["input_ids"]
    assert batch[LABELS][1].tolist()[: len(first)] == first
    assert (batch[LABELS] == -100).any()


def test_the_control_another_start_is_seen(tiny_checkpoint: Callable[..., Path]) -> None:
    checkpoint, pretrained = load(tiny_checkpoint("bart"))
    pretrained.config.decoder_start_token_id = 0
    batch = batch_of(Summarization(), pretrained)
    pretrained.config.decoder_start_token_id = 2
    model: Any = checkpoint.model
    own = model.prepare_decoder_input_ids_from_labels(labels=batch[LABELS])
    assert not torch.equal(batch["decoder_input_ids"], own)


class TestWarmStart:
    def test_both_halves_have_the_encoders_weights(self, tiny_checkpoint: Callable[..., Path]) -> None:
        checkpoint, _ = load(tiny_checkpoint("bert"))
        source = dict(transformers.AutoModel.from_pretrained(tiny_checkpoint("bert")).named_parameters())
        made = dict(checkpoint.model.named_parameters())
        assert isinstance(checkpoint.model, transformers.EncoderDecoderModel)
        for name, weight in source.items():
            assert torch.equal(made[f"encoder.{name}"], weight), name
            if not name.startswith("pooler"):
                assert torch.equal(made[f"decoder.bert.{name}"], weight), name
        kept = {f"encoder.{name}" for name in source} | {f"decoder.bert.{name}" for name in source}
        assert checkpoint.fresh == made.keys() - kept
        assert {name.split(".")[1] for name in checkpoint.fresh} == {"bert", "cls"}
        assert all("crossattention" in name for name in checkpoint.fresh if "bert" in name)
        assert "the encoder's weights start both an encoder and a decoder" in checkpoint.findings
        output = checkpoint.model.get_output_embeddings()
        assert output.weight is checkpoint.model.decoder.get_input_embeddings().weight  # type: ignore[operator, union-attr]

    def test_texts_begin_with_cls_and_end_with_sep(self, tiny_checkpoint: Callable[..., Path]) -> None:
        checkpoint, pretrained = load(tiny_checkpoint("bert"))
        tokenizer: Any = pretrained.processor
        for config in (checkpoint.model.config, checkpoint.model.generation_config):
            assert config.decoder_start_token_id == tokenizer.cls_token_id  # type: ignore[union-attr]
            assert config.eos_token_id == tokenizer.sep_token_id  # type: ignore[union-attr]
            assert config.pad_token_id == tokenizer.pad_token_id  # type: ignore[union-attr]
        batch = batch_of(Summarization(), pretrained)
        cls, *words, sep = tokenizer("the cat")["input_ids"]
        assert batch["decoder_input_ids"][0].tolist()[:3] == [cls, *words]
        assert batch[LABELS][0].tolist()[:3] == [*words, sep]

    @pytest.mark.parametrize("family", ["roberta", "electra"])
    def test_other_encoders(self, family: str, tiny_checkpoint: Callable[..., Path]) -> None:
        checkpoint, pretrained = load(tiny_checkpoint(family))
        batch = batch_of(Summarization(max_target_length=5), pretrained)
        out = Summarization(max_target_length=5).run(checkpoint.model, batch, pretrained)
        assert out.sequences.shape[0] == 6
        assert out.logits is not None
        assert out.logits.shape == (*batch[LABELS].shape, VOCABULARY)

    @pytest.mark.parametrize("family", ["distilbert", "modernbert", "albert"])
    def test_encoders_that_cannot_decode(self, family: str, tiny_checkpoint: Callable[..., Path]) -> None:
        with pytest.raises(
            CheckpointError, match=f"architecture {family} is an encoder that cannot"
        ) as caught:
            load(tiny_checkpoint(family))
        assert "T5, BART" in str(caught.value.hint)

    def test_decoders_alone_are_refused(self, tmp_path: Path, tiny_checkpoint: Callable[..., Path]) -> None:
        config = transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=2)
        transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path)
        transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert")).save_pretrained(tmp_path)
        with pytest.raises(CheckpointError, match="cannot do summarization: transformers has no such head"):
            load(tmp_path)


class TestLanguages:
    def test_mbart_reads_one_and_starts_from_the_other(self, tiny_checkpoint: Callable[..., Path]) -> None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("mbart"))
        code = tokenizer.convert_tokens_to_ids
        assert speak(tokenizer, "de_DE", "ro_RO") == Target(start=code("ro_RO"))
        assert tokenizer("cat")["input_ids"][-1] == code("de_DE")
        assert tokenizer(text_target="cat")["input_ids"][-1] == code("ro_RO")
        assert tokenizer("cat")["input_ids"][-1] == code("de_DE")

    def test_mbart_50_is_forced(self, tiny_checkpoint: Callable[..., Path]) -> None:
        pieces = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
        tokenizer = transformers.MBart50Tokenizer(
            vocab=[*pieces, ("▁cat", -2.0), ("▁a", -2.0), *((c, 0.0) for c in ("en_XX", "ro_RO"))]
        )
        token = tokenizer.convert_tokens_to_ids("ro_RO")
        assert speak(tokenizer, "en_XX", "ro_RO") == Target(forced=token)
        _, pretrained = load(tiny_checkpoint("bart"))
        told = Pretrained(tokenizer, pretrained.config, None)
        settings = Translation(target_language="ro_RO").generation_settings(told)
        assert settings["forced_bos_token_id"] == token

    def test_marian_is_told_before_the_source(self, tiny_checkpoint: Callable[..., Path]) -> None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("marian"))
        assert speak(tokenizer, None, "fra") == Target(prefix=">>fra<< ")
        with pytest.raises(CheckpointError, match="has no language `fre`") as caught:
            speak(tokenizer, None, "fre")
        assert "did you mean `fra`" in str(caught.value.hint)
        assert caught.value.key == "task.target_language"

    def test_unknown_codes(self, tiny_checkpoint: Callable[..., Path]) -> None:
        mbart = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("mbart"))
        with pytest.raises(CheckpointError, match="has no language `fr`") as caught:
            speak(mbart, "fr", None)
        assert "fr_XX" in str(caught.value.hint)
        t5 = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("t5"))
        with pytest.raises(CheckpointError, match="knows no language codes") as caught:
            speak(t5, None, "fr")
        assert "prefix:" in str(caught.value.hint)
        assert speak(t5, None, None) == Target()

    def test_a_multilingual_checkpoint_has_to_be_told(self, tiny_checkpoint: Callable[..., Path]) -> None:
        _, pretrained = load(tiny_checkpoint("mbart", decoder_start_token_id=None))
        with pytest.raises(CheckpointError, match="which token its decoder starts from") as caught:
            batch_of(Summarization(), pretrained)
        assert "target_language" in str(caught.value.hint)


def test_what_is_cut_is_counted_and_said(tiny_checkpoint: Callable[..., Path]) -> None:
    _, pretrained = load(tiny_checkpoint("t5"))
    texts = [" ".join(ANIMALS[:n]) for n in (2, 4, 6, 8, 10, 12)]
    task = Summarization(max_source_length=8, max_target_length=4)
    examples = task.encode(rows(texts=texts), pretrained, name="train")
    targets = [len(pretrained.processor(text_target=one[0])["input_ids"]) for one in TARGETS]
    assert examples.findings == (
        "train: 3 of 6 sources are longer than 8 tokens and were cut",
        f"train: {sum(n > 4 for n in targets)} of 6 targets are longer than 4 tokens; the loss sees no more of them",
    )
    assert 0 < sum(n > 4 for n in targets) < 6
    assert examples.lengths.tolist() == [3, 5, 7, 8, 8, 8]
    assert Summarization().encode(rows(texts=texts), pretrained, name="train").findings == ()
    with pytest.raises(CheckpointError, match="max_source_length is 65, but the checkpoint takes at most 64"):
        Summarization(max_source_length=65).encode(rows(), pretrained, name="train")


def test_a_prefix_stands_before_every_source(tiny_checkpoint: Callable[..., Path]) -> None:
    _, pretrained = load(tiny_checkpoint("t5"))
    with_it = Summarization(prefix="we saw: ").encode(rows(), pretrained, name="train")
    ids = pretrained.processor("we saw: " + TEXTS[0])["input_ids"]
    assert with_it[0]["input_ids"].tolist() == ids
    assert Summarization().encode(rows(), pretrained, name="train")[0]["input_ids"].tolist() != ids


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("family", ["bart", "bert"])
def test_generation_is_transformers_own_with_and_without_targets(
    family: str, beams: int, tiny_checkpoint: Callable[..., Path]
) -> None:
    checkpoint, pretrained = load(tiny_checkpoint(family))
    model: Any = checkpoint.model
    task = Summarization(generation={"num_beams": beams, "max_new_tokens": 7, "no_repeat_ngram_size": 1})
    batch = batch_of(task, pretrained)
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        own = model.generate(**inputs, num_beams=beams, max_new_tokens=7, no_repeat_ngram_size=1)
        told = task.run(model, batch, pretrained)
        asked = task.run(model, inputs, pretrained)
        other = model.generate(**inputs, num_beams=beams, max_new_tokens=7)
    assert torch.equal(told.sequences, own)
    assert torch.equal(asked.sequences, own)
    assert asked.logits is None
    assert not (other.shape == own.shape and torch.equal(other, own))  # the control: settings matter
    chances = task.evidence(told, batch)[0]
    assert len(chances) == int((batch[LABELS][0] != -100).sum())
    assert told.logits is not None
    assert chances[0] == pytest.approx(
        told.logits[0, 0].log_softmax(-1)[batch[LABELS][0, 0]].item(), abs=1e-6
    )


@pytest.mark.parametrize("name", ["length_penalty", "early_stopping"])
def test_settings_of_beams_without_beams(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} means nothing without beams"):
        Summarization(generation={"num_beams": 1, name: True})
    Summarization(generation={"num_beams": 2, name: True})


def test_a_library_that_is_missing_is_named_before_anything_is_read(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = toy("translation").write(tmp_path)
    recipe = toy_recipe(tiny_checkpoint("t5"), data, task="translation", columns=toy("translation").COLUMNS)
    resolve(recipe)  # the control
    monkeypatch.setitem(
        sys.modules, "sacrebleu", None
    )  # Python's own way to say that there is no such module
    with pytest.raises(InputError, match="bleu is computed by sacrebleu, which is not installed") as caught:
        resolve(recipe)
    assert caught.value.hint == 'pip install "hftransfer[generation]"'


def test_baselines() -> None:
    table = rows(texts=["One is here. Two is not."] * 6)
    assert Summarization().baseline(table, table, ()).values == ["One is here."] * 6
    pairs = table.rename_columns({"text": "source", "summary": "target"})
    assert Translation().baseline(pairs, pairs, ()).values == ["One is here. Two is not."] * 6
    assert Summarization().told(table.select([0, 2]), ()) == ["the cat", "dog"]
    assert Summarization().told(table.select([0, 1]), ()) == TARGETS[:2]


@pytest.fixture(scope="module")
def result(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("run")
    generation = {"num_beams": 2, "max_new_tokens": 6, "length_penalty": 0.5, "early_stopping": True}
    recipe = toy_recipe(
        tiny_checkpoint("bart"),
        toy("summarization").write(folder / "data"),
        task={"name": "summarization", "max_target_length": 12, "generation": generation},
        epochs=12,
        learning_rate=1e-2,
    )
    return run(recipe, output=folder / "run")


def test_it_learns(result: Result) -> None:
    assert result.metrics["validation"]["rougeL"] > 0.6
    assert result.metrics["validation"]["rougeL"] > result.baselines["lead"]["validation"]["rougeL"] + 0.1
    assert result.labels == ()


def test_whoever_loads_the_model_generates_the_same(result: Result) -> None:
    """`generate` with no settings of its own: they are in the artefact."""
    settings = json.loads((result.model / "generation_config.json").read_text())
    assert settings["num_beams"] == 2
    assert settings["max_new_tokens"] == 6
    assert settings["length_penalty"] == 0.5
    model: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(result.model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(result.model)
    texts = make_rows(8, seed=5)[0]
    told = [one.line() for one in result.predict(texts)]
    for text, expected in zip(texts, told, strict=True):
        made = model.generate(**tokenizer(text, return_tensors="pt"))
        assert tokenizer.decode(made[0], skip_special_tokens=True).strip() == expected
    assert len(set(told)) > 2
    assert [one.line() for one in result.predict(texts)] == told


def test_predict_takes_sentences_and_evaluate_takes_several_references(
    result: Result, tmp_path: Path
) -> None:
    (one,) = result.predict([{"text": ["i saw the cat", "and the dog today"]}])
    assert one.record() == {"text": one.columns()["prediction"]}
    assert one == result.predict(["i saw the cat and the dog today"])[0]
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"text": "i saw the cat today", "summary": ["a b c", one.line()]}) + "\n")
    scored = result.evaluate(file)
    assert set(scored.metrics) == set(result.recipe.metrics)
    _, told = result.predict_file(file, output=tmp_path / "out.csv")
    assert "prediction" in (tmp_path / "out.csv").read_text()
    assert len(told) == 1


def test_frozen_trains_the_fresh_weights_of_a_warm_start_alone(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        toy("summarization").write(tmp_path / "data"),
        task={"name": "summarization", "max_target_length": 12},
        strategy="frozen",
        learning_rate=1e-2,
        epochs=2,
    )
    result = run(recipe, output=tmp_path / "run")
    before = dict(load(tiny_checkpoint("bert"))[0].model.named_parameters())
    fresh = load(tiny_checkpoint("bert"))[0].fresh
    after = dict(transformers.AutoModelForSeq2SeqLM.from_pretrained(result.model).named_parameters())
    assert before.keys() == after.keys()
    kept = before.keys() - fresh
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert result.parameters["trained"] == sum(before[name].numel() for name in fresh)
    assert result.reload_check["max_difference"] < 1e-4


def test_lora_trains_the_fresh_weights_of_a_warm_start_whole(tiny_checkpoint: Callable[..., Path]) -> None:
    checkpoint, _ = load(tiny_checkpoint("bert"))
    tied = "decoder.cls.predictions.bias"
    assert not checkpoint.model.get_parameter(tied).any()  # it may stay where it is: at zero in every process
    model = LoRA().apply(checkpoint.model, checkpoint.fresh)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    whole = {
        name.removeprefix("base_model.model.").replace("modules_to_save.default.", "")
        for name in trained
        if "modules_to_save" in name
    }
    assert whole == checkpoint.fresh - {tied}
    assert any("lora_A" in name and ".encoder.encoder." in name for name in trained)
    assert any("lora_A" in name and ".decoder.bert." in name for name in trained)


def test_frozen_has_nothing_to_train_in_t5(tiny_checkpoint: Callable[..., Path]) -> None:
    checkpoint, _ = load(tiny_checkpoint("t5"))
    with pytest.raises(InputError, match="frozen finds no parameter to train"):
        Frozen().apply(checkpoint.model, checkpoint.fresh)
