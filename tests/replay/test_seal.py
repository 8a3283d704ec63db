from trailkit.replay.seal import SIZE, flaw, is_unsealed, seal

CONTENT = b"\x89HDF\r\n\x1a\n and so on"
SEALED = seal(CONTENT) + CONTENT


def test_a_seal_is_a_line_that_a_person_can_read():
    assert len(seal(CONTENT)) == SIZE
    assert seal(CONTENT).startswith(b"trailkit: 18 bytes of HDF5 follow this block; their SHA-256 is ")


def test_nothing_is_wrong_with_a_sealed_file():
    assert flaw(SEALED) is None


def test_nothing_is_wrong_with_hdf5_of_earlier_versions_which_was_not_sealed():
    assert flaw(CONTENT) is None


def test_only_hdf5_can_be_unsealed(tmp_path):
    path = tmp_path / "file"
    for content, unsealed in ((CONTENT, True), (SEALED, False), (b"", False), (CONTENT[:5], False)):
        path.write_bytes(content)
        assert is_unsealed(path) is unsealed


def test_every_bit_that_flips_is_noticed():
    for index in range(len(SEALED)):
        for bit in range(8):
            data = bytearray(SEALED)
            data[index] ^= 1 << bit
            assert flaw(bytes(data)), (index, bit)


def test_every_cut_is_noticed():
    for length in range(len(SEALED)):
        assert flaw(SEALED[:length]), length
    assert flaw(SEALED[:-1]) == f"is cut short: {len(SEALED) - 1} of {len(SEALED)} bytes are left"
    assert flaw(b"").startswith("is empty")


def test_bytes_that_were_added_are_noticed():
    assert flaw(SEALED + b"x") == "is damaged: its bytes are not those that were written, their SHA-256 differs"


def test_other_files_are_told_from_hdf5():
    for data in (b"x", b"hello" * 1000, SEALED[1:]):
        assert flaw(data) == "is cut short or no HDF5 file of trailkit's"
