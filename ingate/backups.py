"""A backup of an embedded installation: one file with a consistent copy of the database, and the master key.

A gateway may run meanwhile. What its journal holds at that moment, a second of calls at most, is not in it.
"""

import contextlib
import gzip
import io
import os
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ingate import migrations
from ingate.config import Settings
from ingate.errors import BadRequest, Conflict, Unavailable
from ingate.storage import EMBEDDED_FILE, data_dir, embedded_files, inside
from ingate.vault import MASTER_KEY_FILE

MEMBERS = (EMBEDDED_FILE, MASTER_KEY_FILE)


def backup(settings: Settings, target: Path) -> bool:
    """Writes a backup to a file that is not there yet, for its owner alone, and returns whether it has a master key.

    Raises BadRequest for a database that is not embedded, Conflict for a file that is there, and Unavailable.
    """
    if settings.database_url:
        raise BadRequest("only the embedded database can be backed up here: use pg_dump, and copy the master key")
    directory = Path(settings.data_dir).absolute()
    if not (directory / EMBEDDED_FILE).exists():
        raise Unavailable(f"there is no database {directory / EMBEDDED_FILE} yet")
    if target.exists():
        raise Conflict(f"{target} is there already")
    with_key = not settings.master_key and (directory / MASTER_KEY_FILE).exists()
    with _failures(target), tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".ingate-backup-") as made:
        copy = Path(made) / EMBEDDED_FILE
        _copy(directory / EMBEDDED_FILE, copy)
        packed = Path(made) / "packed"
        with os.fdopen(os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                archive.add(copy, EMBEDDED_FILE)
                if with_key:
                    archive.add(directory / MASTER_KEY_FILE, MASTER_KEY_FILE)
            file.flush()
            os.fsync(file.fileno())
        os.link(packed, target)  # Which fails, rather than replaces, where somebody has made it meanwhile.
    return with_key


def restore(settings: Settings, source: Path) -> str:
    """Puts what a backup holds into a data directory that has no database, and returns the version of the schema.

    Raises BadRequest for what is no backup, Conflict where there is a database or another master key, Unavailable.
    """
    if settings.database_url:
        raise BadRequest("only the embedded database can be restored here: use pg_restore or psql")
    with _failures(source):
        source.open("rb").close()
    directory = data_dir(settings)
    present = [path for path in embedded_files(directory) if path.exists()]
    if present:
        raise Conflict(f"{present[0]} is there: restore into a fresh data directory, or move it away first")
    with _failures(source), inside(directory), tempfile.TemporaryDirectory(dir=directory, prefix=".restore-") as made:
        members = _unpacked(source, Path(made))
        version = _version(Path(made) / EMBEDDED_FILE, source)
        key, kept = directory / MASTER_KEY_FILE, Path(made) / MASTER_KEY_FILE
        if key.exists() and kept.exists() and key.read_bytes() != kept.read_bytes():
            raise Conflict(f"{key} is another master key than that of the backup: move it away first")
        # The database last: where it is, all of it is.
        for name in sorted(members, key=MEMBERS.index, reverse=True):
            (Path(made) / name).replace(directory / name)
    return version


@contextlib.contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise Conflict(f"{path} is there already") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError):
        raise BadRequest(f"{path} is no backup, or only a part of one") from None
    except sqlite3.Error as error:
        raise Unavailable(f"the database cannot be copied: {error}") from None
    except OSError as error:
        raise Unavailable(f"{error.filename or path}: {error.strerror or error}") from None


def _copy(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(source)) as live, contextlib.closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def _unpacked(source: Path, directory: Path) -> list[str]:
    found = []
    with tarfile.open(source, "r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and member.name in MEMBERS else None
            if content is None or member.name in found:
                raise BadRequest(f"{source} is no backup: it holds {member.name[:100]!r}")
            with os.fdopen(os.open(directory / member.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                while chunk := content.read(io.DEFAULT_BUFFER_SIZE * 16):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            found.append(member.name)
    if EMBEDDED_FILE not in found:
        raise BadRequest(f"{source} is no backup: it holds no database")
    return found


def _version(path: Path, source: Path) -> str:
    """Returns the version of a copy, which must be whole and none that this code does not know."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as copy:
            [whole] = copy.execute("PRAGMA quick_check(1)").fetchone()
            row = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        raise BadRequest(f"{source} is no backup: its database is damaged") from None
    if whole != "ok" or row is None:
        raise BadRequest(f"{source} is no backup: its database is damaged")
    version = str(row[0])
    if version > migrations.HEAD:
        raise BadRequest(f"{source} is of version {version}, newer than {migrations.HEAD}: install that Ingate first")
    return version
