"""The file format: bits kept, damage found, nothing half-written."""

import hashlib
import json
import os
import zipfile

import numpy as np
import pytest

from instashap._errors import FileFormatError
from instashap.store import archive as archive_module
from instashap.store import read_archive, write_archive


def _arrays():
    rng = np.random.default_rng(0)
    return {
        "floats": np.append(rng.normal(size=20), [np.nan, -np.inf, -0.0, 5e-324]),
        "ints": np.arange(-5, 7, dtype=np.int32).reshape(3, 4),
        "masks": np.array([[True, False], [False, True]]),
        "empty": np.empty((0, 3)),
        "scalar": np.array(2.5),
        "text": np.array(["a", "naïve", ""]),
        "tables/1": rng.normal(size=(2, 3, 4)).astype(np.float32),
    }


def _rewrite(path, change):
    """Write the members of a zip again after ``change(members)``, checksums of the zip itself intact."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.insta"
    write_archive(path, {"kind": "test", "value": 0.1}, _arrays())
    return path


def test_content_and_every_bit_of_the_arrays_come_back(saved):
    content, arrays = read_archive(saved)
    assert content == {"kind": "test", "value": 0.1}
    assert list(arrays) == list(_arrays())
    for name, expected in _arrays().items():
        assert arrays[name].dtype == expected.dtype
        assert arrays[name].shape == expected.shape
        assert arrays[name].tobytes() == expected.tobytes()


def test_fortran_order_and_strided_arrays_come_back_with_their_values(tmp_path):
    values = np.arange(24.0).reshape(4, 6)
    write_archive(tmp_path / "a", {}, {"fortran": np.asfortranarray(values), "strided": values[::2, ::-3]})
    _, arrays = read_archive(tmp_path / "a")
    assert arrays["fortran"].tolist() == values.tolist()
    assert arrays["strided"].tolist() == values[::2, ::-3].tolist()


def test_the_file_is_a_zip_of_json_and_npy_with_a_digest_a_member(saved):
    with zipfile.ZipFile(saved) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["schema"] == 4
        assert set(archive.namelist()) == {"manifest.json", *manifest["sha256"]}
        for name, digest in manifest["sha256"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def test_same_content_gives_the_same_bytes(tmp_path, saved):
    write_archive(tmp_path / "again", {"kind": "test", "value": 0.1}, _arrays())
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:  # whatever the clock says
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle=False"):
        write_archive(tmp_path / "model.insta", {}, {"bad": np.array([{}], dtype=object)})
    assert os.listdir(tmp_path) == []


def test_a_file_cut_at_any_place_is_refused(saved):
    data = saved.read_bytes()
    for length in range(0, len(data), 37):
        saved.write_bytes(data[:length])
        with pytest.raises(FileFormatError, match=r"model\.insta is truncated or not a saved explainer"):
            read_archive(saved)


def test_no_flipped_byte_changes_what_is_read(tmp_path):
    path = tmp_path / "model.insta"
    write_archive(path, {"kind": "test"}, {"values": np.arange(6.0)})
    data = path.read_bytes()
    n_refused = 0
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[position] ^= flip
            path.write_bytes(damaged)
            try:
                content, arrays = read_archive(path)
            except FileFormatError:
                n_refused += 1
            else:  # bytes no reader looks at, such as time stamps
                assert content == {"kind": "test"}
                assert arrays["values"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert n_refused > len(data)


def test_a_replaced_member_is_named(saved):
    def replace(members):
        members["ints.npy"] = members["masks.npy"]

    _rewrite(saved, replace)
    with pytest.raises(FileFormatError, match=r"member 'ints\.npy' was altered"):
        read_archive(saved)


def test_a_missing_member_is_refused(saved):
    _rewrite(saved, lambda members: members.pop("ints.npy"))
    with pytest.raises(FileFormatError, match=r"ints\.npy"):
        read_archive(saved)


def test_a_newer_schema_asks_for_an_upgrade(saved):
    def age(members):
        members["manifest.json"] = members["manifest.json"].replace(b'"schema": 4', b'"schema": 7')

    _rewrite(saved, age)
    with pytest.raises(
        FileFormatError, match=r"has schema 7, this version of instashap reads up to 4; pip install -U instashap"
    ):
        read_archive(saved)


@pytest.mark.parametrize(
    "manifest",
    [
        b"{}",
        b'{"schema": "one"}',
        b"[]",
        b"null",
        b"not json",
        b"\xff\xfe",
        b'{"schema": 1}',
        b'{"schema": 1, "sha256": {}}',
        b'{"schema": 1, "sha256": [], "content": {}}',
    ],
)
def test_a_zip_with_another_manifest_is_not_a_saved_explainer(saved, manifest):
    _rewrite(saved, lambda members: members.update({"manifest.json": manifest}))
    with pytest.raises(FileFormatError, match="not a saved explainer"):
        read_archive(saved)


def test_a_zip_without_a_manifest_is_not_a_saved_explainer(saved):
    _rewrite(saved, lambda members: members.pop("manifest.json"))
    with pytest.raises(FileFormatError, match="not a saved explainer"):
        read_archive(saved)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x04\x95 a pickle", b"PK\x03\x04"])
def test_a_file_of_another_kind_is_refused(tmp_path, data):
    (tmp_path / "other").write_bytes(data)
    with pytest.raises(FileFormatError, match="truncated or not a saved explainer"):
        read_archive(tmp_path / "other")


def test_reading_a_missing_file_says_it_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "nothing.insta")


def test_an_interrupted_write_leaves_the_old_file_and_no_others(saved, monkeypatch):
    before = saved.read_bytes()

    def interrupt(self, info, data, *args, **kwargs):
        if info.filename == "ints.npy":
            raise KeyboardInterrupt
        return write(self, info, data, *args, **kwargs)

    write = zipfile.ZipFile.writestr
    monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_archive(saved, {"kind": "new"}, _arrays())
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_a_failed_move_leaves_the_old_file_and_no_others(saved, monkeypatch):
    before = saved.read_bytes()

    def refuse(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(archive_module.os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_archive(saved, {"kind": "new"}, _arrays())
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_a_number_json_cannot_hold_leaves_the_old_file(saved):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_archive(saved, {"value": float("nan")}, {})
    assert saved.read_bytes() == before


def test_a_folder_that_does_not_exist_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_archive(tmp_path / "nowhere" / "model.insta", {}, {})


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path, monkeypatch):
    folder = tmp_path / "locked"
    folder.mkdir()
    if os.geteuid() == 0:  # root may write anywhere: let the system call refuse instead

        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied", str(folder))

        monkeypatch.setattr(os, "open", refuse)
    else:
        folder.chmod(0o500)
    with pytest.raises(PermissionError, match="locked"):
        write_archive(folder / "model.insta", {}, {})
    folder.chmod(0o700)
    assert os.listdir(folder) == []


def test_a_saved_file_has_the_permissions_of_any_new_file(saved, tmp_path):
    (tmp_path / "plain").write_text("")
    assert saved.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_relative_path_is_written_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_archive("here.insta", {"kind": "test"}, {})
    assert os.listdir(tmp_path) == ["here.insta"]
    assert read_archive("here.insta") == ({"kind": "test"}, {})
