import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trailkit.agents.run.serialization import pack, unpack


def roundtrip(state):
    document, tensors = pack(state)
    return unpack(json.loads(json.dumps(document, allow_nan=False)), tensors)


def assert_same(restored, state):
    if isinstance(state, torch.Tensor):
        assert isinstance(restored, torch.Tensor)
        assert restored.dtype == state.dtype
        assert torch.equal(restored, state)
    elif isinstance(state, np.ndarray):
        assert restored.dtype == state.dtype
        np.testing.assert_array_equal(restored, state, strict=True)
    elif isinstance(state, dict):
        assert list(restored) == list(state)
        assert [type(key) for key in restored] == [type(key) for key in state]
        for key in state:
            assert_same(restored[key], state[key])
    elif isinstance(state, list | tuple):
        assert type(restored) is type(state)
        for one, other in zip(restored, state, strict=True):
            assert_same(one, other)
    else:
        assert type(restored) is type(state)
        assert restored == state or (math.isnan(restored) and math.isnan(state))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
STATES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(st.characters(codec="utf-8")) | st.integers() | st.just("$tensor"), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(STATES)
def test_what_is_nested_of_plain_values_comes_back(state):
    assert_same(roundtrip(state), state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_of_every_kind_come_back(dtype, shape):
    tensor = torch.ones(shape, dtype=dtype)
    assert_same(roundtrip({"tensor": tensor}), {"tensor": tensor})


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint32", "uint64", "int16", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_arrays_of_every_kind_come_back(dtype, shape):
    array = np.ones(shape, dtype)
    assert_same(roundtrip([array]), [array])


def test_numpys_scalars_become_numbers():
    assert_same(roundtrip([np.float32(0.5), np.int64(3), np.bool_(True)]), [0.5, 3, True])


def test_optimizers_go_on_exactly():
    def train(model, optimizer, steps):
        for step in range(steps):
            optimizer.zero_grad()
            model(torch.full((4, 3), float(step))).square().sum().backward()
            optimizer.step()

    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.8, 0.99))
    train(model, optimizer, 3)
    saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    restored = roundtrip(saved)
    assert_same(restored["optimizer"], saved["optimizer"])
    twin = torch.nn.Linear(3, 2)
    twin.load_state_dict(restored["model"])
    twin_optimizer = torch.optim.Adam(twin.parameters())
    twin_optimizer.load_state_dict(restored["optimizer"])
    train(model, optimizer, 3)
    train(twin, twin_optimizer, 3)
    assert_same(dict(twin.state_dict()), dict(model.state_dict()))


def test_generators_go_on_exactly():
    for bits in (np.random.PCG64, np.random.MT19937, np.random.Philox):
        generator = np.random.Generator(bits(3))
        generator.random(5)
        twin = np.random.Generator(bits(4))
        twin.bit_generator.state = roundtrip(generator.bit_generator.state)
        np.testing.assert_array_equal(twin.random(5), generator.random(5))
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    twin = torch.Generator()
    twin.set_state(roundtrip(generator.get_state()))
    assert torch.equal(torch.rand(5, generator=twin), torch.rand(5, generator=generator))


def test_views_of_one_storage_come_back_as_tensors_of_their_own():
    base = torch.arange(12.0).reshape(3, 4)
    state = {"base": base, "alias": base, "transposed": base.T, "row": base[1]}
    restored = roundtrip(state)
    assert_same(restored, state)
    restored["base"].zero_()
    assert torch.equal(restored["alias"], base)


def test_a_parameter_comes_back_as_a_plain_tensor_that_can_be_changed():
    restored = roundtrip([torch.nn.Parameter(torch.ones(2))])[0]
    assert not restored.requires_grad
    assert restored.add_(1).tolist() == [2, 2]


def test_the_memory_format_is_kept():
    weights = torch.rand(8, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    assert roundtrip(weights).stride() == weights.stride()
    assert roundtrip(weights.contiguous()).stride() == weights.contiguous().stride()


def test_keys_that_look_alike_stay_apart():
    state = {1: torch.zeros(1), "1": torch.ones(1), "a/b": torch.full((1,), 2.0), "a": {"b": torch.full((1,), 3.0)}}
    assert_same(roundtrip(state), state)


@pytest.mark.parametrize(
    ("value", "kind"), [(object(), "object"), ({1, 2}, "set"), (np.array(["text"]), "ndarray"), ({(1, 2): 3}, "dict")]
)
def test_what_a_checkpoint_cannot_hold_is_named_with_its_place(value, kind):
    with pytest.raises(TypeError, match=f"state/learner/1 is a {kind}: a checkpoint cannot hold that"):
        pack({"learner": [0, value]})
