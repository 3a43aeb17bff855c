"""The commands that the document on operation shows do what it says."""

import shlex

import pytest
import trustme

from tests.support.documents import samples
from tests.support.outside import command, spawn
from tests.support.tools import ROOT

READY = r"is ready: (\S+)"


@pytest.fixture
def shown(tmp_path):
    """Returns the words of the sample that runs `ingate <name>`, with paths of this test."""

    def words(name):
        (sample,) = [
            text for text in samples(ROOT / "docs" / "operation.md", "sh") if text.startswith(f"ingate {name} ")
        ]
        for stated, real in {"/var": str(tmp_path), "/etc/ingate": str(tmp_path), "0.0.0.0": "127.0.0.1"}.items():
            sample = sample.replace(stated, real)
        return shlex.split(sample)[1:]

    return words


def test_a_backup_is_restored(shown, tmp_path):
    """What was backed up while a gateway ran serves from another directory, with the same key."""
    (tmp_path / "backups").mkdir()
    with spawn(tmp_path / "data") as first:
        with command(*shown("backup"), "--data-dir", tmp_path / "data") as backup:
            assert backup.wait(60) == 0, backup.output
    with command(*shown("restore")) as restore:
        assert restore.wait(60) == 0, restore.output
    restored = tmp_path / "lib" / "ingate"
    # What the banner shows is kept beside the database, and is no part of the backup.
    (tmp_path / "data" / "demo.json").rename(restored / "demo.json")
    with spawn(restored) as second:
        assert second.key == first.key


def test_tls_is_two_options(shown, tmp_path):
    """The address that is printed says so."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    (tmp_path / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (tmp_path / "key.pem").write_bytes(issued.private_key_pem.bytes())
    elsewhere = ("--port", "0", "--grpc-port", "0", "--data-dir", tmp_path / "data")
    with command(*shown("serve"), *elsewhere) as serving:
        assert serving.expect(READY, timeout=60)[1].startswith("https://")
