"""What is read of a backbone, against sentence_transformers' own pooling."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling as Theirs

from hftransfer.errors import InputError
from hftransfer.heads.reading import Field, Pooled, pool

MODES = {"cls": "cls", "mean": "mean", "max": "max", "last": "lasttoken"}
RIGHT = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])


@pytest.fixture
def states() -> torch.Tensor:
    return (
        torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0)) - 1
    )  # a maximum of 0 would be padding


@pytest.mark.parametrize("mask", [RIGHT, RIGHT.flip(1)], ids=["padded right", "padded left"])
@pytest.mark.parametrize("pooling", MODES)
def test_it_is_what_sentence_transformers_does(
    pooling: Any, mask: torch.Tensor, states: torch.Tensor
) -> None:
    theirs = Theirs(8, pooling_mode=MODES[pooling])
    expected = theirs({"token_embeddings": states, "attention_mask": mask})["sentence_embedding"]
    given = pool(states, mask, pooling)
    assert torch.allclose(given, expected, atol=1e-6)
    # Padding counts on its own side: the other way round it would be another vector.
    assert not torch.allclose(pool(states, mask.flip(1), pooling), expected, atol=1e-3)


def output(states: torch.Tensor, *layers: torch.Tensor) -> dict[str, Any]:
    return {"last_hidden_state": states, **({"hidden_states": layers} if layers else {})}


def test_layers_are_averaged_before_they_are_pooled(states: torch.Tensor) -> None:
    every = (states + 1, states * 2, states)
    found = Pooled("max", (0, -2)).of(output(states, *every), RIGHT)
    assert torch.allclose(found, pool((every[0] + every[1]) / 2, RIGHT, "max"))
    assert not torch.allclose(found, pool((every[0] + every[2]) / 2, RIGHT, "max"))
    assert torch.equal(Pooled("mean", (2,)).of(output(states, *every), RIGHT), pool(states, RIGHT, "mean"))


def test_a_map_of_features_has_places_and_no_tokens() -> None:
    maps = torch.randn(2, 8, 3, 4)
    assert torch.allclose(Pooled("mean").of(output(maps)), maps.mean((2, 3)), atol=1e-6)
    assert torch.equal(Pooled("max").of(output(maps)), maps.amax((2, 3)))
    for pooling in ("cls", "last"):
        with pytest.raises(InputError, match="gives maps of features"):
            Pooled(pooling).of(output(maps))  # type: ignore[arg-type]


def test_what_a_backbone_does_not_have_is_said(states: torch.Tensor) -> None:
    with pytest.raises(InputError, match="layer 3 is not one of the backbone's 1"):
        Pooled("mean", (3,)).of(output(states, states, states))
    with pytest.raises(InputError, match="does not give the states of its layers"):
        Pooled("mean", (0,)).of(output(states))
    with pytest.raises(InputError, match="no states of its last layer"):
        Pooled("mean").of({"pooler_output": states[:, 0]})


def test_a_field_is_what_the_own_head_sees(states: torch.Tensor) -> None:
    told = output(states) | {"pooler_output": states[:, 1]}
    assert torch.equal(Field("last_hidden_state", first=True).of(told), states[:, 0])
    assert torch.equal(Field("pooler_output", first=False).of(told), states[:, 1])


def test_fewer_states_than_tokens_are_refused(states: torch.Tensor) -> None:
    with pytest.raises(InputError, match="gives 5 states for 10 tokens"):
        Pooled("mean").of(output(states), torch.ones(3, 10))


def test_layers_of_several_sizes_have_no_mean(states: torch.Tensor) -> None:
    with pytest.raises(InputError, match="are not of one size"):
        Pooled("mean", (0, 1)).of(output(states, states[..., :4], states))
