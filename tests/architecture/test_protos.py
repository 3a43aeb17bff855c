"""The protos are fit for strangers: every generator finds its options, buf builds what is committed, and no more."""

import shutil

import pytest

from ingate.rpc.services import services
from tests.support.tools import BUF, ROOT, run

PROTO = ROOT / "proto"
FILES = sorted(PROTO.rglob("*.proto"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_says_where_go_and_java_put_it(path):
    """One package in each language for a package of ours, and in Java a file for each class."""
    area, version = path.relative_to(PROTO / "ingate").parent.parts
    lines = path.read_text().splitlines()
    go = f"github.com/ingate/ingate/gen/go/ingate/{area}/{version};{area}{version}"
    assert f'option go_package = "{go}";' in lines
    assert f'option java_package = "com.ingate.{area}.{version}";' in lines
    assert "option java_multiple_files = true;" in lines


def test_buf_builds_what_is_committed(tmp_path):
    """On a clone where nothing has run yet, without a registry and without what git ignores."""
    for name in run(["git", "ls-files", "buf.yaml", "proto", "third_party"]).splitlines():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    run(["env", f"HOME={tmp_path}", f"BUF_CACHE_DIR={tmp_path / 'cache'}", BUF, "build"], cwd=tmp_path)
    assert "buf.build/googleapis/googleapis" in run([BUF, "dep", "graph"], cwd=tmp_path)


def test_third_party_protos_are_those_of_the_wheel(tmp_path):
    """`make generate` would change none of them."""
    run([BUF.with_name("python"), "scripts/generate.py", "--vendor", tmp_path])
    theirs = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.proto")}
    ours = {
        path.relative_to(ROOT / "third_party"): path.read_bytes() for path in (ROOT / "third_party").rglob("*.proto")
    }
    assert ours == theirs


def test_what_is_internal_has_files_of_its_own():
    """A service is for gateways as a whole or not at all, and no public file imports an internal one."""
    internal = {service.file.name for service in services().values() if service.internal}
    for service in services().values():
        assert service.internal == any(rpc.access.gateway for rpc in service.rpcs), service.name
        assert service.internal == (service.file.name in internal), service.name
        if not service.internal:
            assert not _imported(service.file, set()) & internal, service.name


def _imported(file, seen):
    for dependency in file.dependencies:
        if dependency.name not in seen:
            seen.add(dependency.name)
            _imported(dependency, seen)
    return seen
