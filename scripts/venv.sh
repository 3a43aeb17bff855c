#!/bin/sh
# Makes a virtual environment and installs locked requirement files into it: venv.sh DIRECTORY FILE...
# PYTHON is the interpreter. UV, if set, is the uv that installs, in a fraction of the time that pip takes.
set -eu
directory=$1
shift

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Ingate needs Python 3.11 or newer; set PYTHON to one." >&2
    exit 1
fi
if [ ! -x "$directory/bin/python" ]; then
    # Debian and Ubuntu ship the venv module without pip's bundle unless python3-venv is installed.
    if ! "$PYTHON" -m venv "$directory" >/dev/null 2>&1; then
        rm -rf "$directory"
        version=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "Python lacks its venv module: installing $version." >&2
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$version" >/dev/null
        else
            echo "Python lacks its venv module. Install it with: sudo apt-get install $version" >&2
            exit 1
        fi
        "$PYTHON" -m venv "$directory"
    fi
fi
echo "Installing the packages of $* into $directory, which takes a minute or two." >&2
# A file names all there is to install. Left to look for dependencies, pip would find a version of one that was released
# since wherever a package asks for an extra, and stop because its hash is not in the file.
for requirements; do
    if [ -n "${UV:-}" ]; then
        "$UV" pip install --quiet --require-hashes --no-deps --compile-bytecode --python "$directory/bin/python" -r "$requirements"
    else
        "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$requirements"
    fi
done
