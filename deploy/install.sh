#!/bin/sh
# install.sh BUILD_FOLDER: a stripped install under $DESTDIR/usr, and in $DESTDIR/packages the
# Debian packages whose libraries the program loads: what an image needs besides the base system.
set -eu
: "${DESTDIR:?is where to install}"
cmake --install "$1" --prefix /usr --strip
# By their last folder and name: packages own files under /lib that are found under /usr/lib.
libraries=$(ldd "$DESTDIR/usr/bin/strata" | awk '$3 ~ /^\// { print $3 }' | xargs realpath |
  sed 's|.*\(/[^/]*/\)|*\1|')
# shellcheck disable=SC2086  # one pattern per library
dpkg-query -S $libraries | cut -d: -f1 | sort -u >"$DESTDIR/packages"
