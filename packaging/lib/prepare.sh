# shellcheck shell=bash
# Brings the commands that a script needs onto its PATH, on Debian 12 and 13, without installing a service.
#
#   . packaging/lib/prepare.sh      from the top of the project
#   prepare dockerd openssl …       each command: the machine's own if it has one, else a package's, unpacked
#   prepare_provider                an OpenID provider for the tests, from npm, in target/tools; node and npm, installed if the machine has none
#   prepare_compiler                a C compiler and the CA certificates, installed as the machine's own if it has none
#
# Packages with daemons in them (docker.io, slapd, samba-ad-dc) are downloaded and unpacked to target/tools, not installed:
# no unit is enabled, no user made, no service started or restarted, and a Docker or OpenLDAP that is already
# there stays as it is. Removing target/tools removes them.

TOOLS=${WHARFINGER_TOOLS:-$PWD/target/tools}
export WHARFINGER_TOOLS=$TOOLS
PATH=$PATH:/usr/sbin:/sbin:$TOOLS/bin

# Which packages have a command, and what it cannot work without.
packages_of() {
  case "$1" in
    dockerd) echo docker.io ;;
    docker) if apt-cache show docker-cli >/dev/null 2>&1; then echo docker-cli; else echo docker.io; fi ;;
    ip) echo iproute2 ;;
    openssl) echo openssl ;;
    busybox) echo busybox-static ;;
    shellcheck) echo shellcheck ;;
    slapd | slapadd) echo slapd ;;
    ldapsearch | ldapmodify | ldapadd) echo ldap-utils ;;
    samba) echo samba-ad-dc samba-ad-provision ;;
    *) echo "prepare: no package is known for \`$1\`" >&2; return 1 ;;
  esac
}

prepare() {
  local missing=() packages=() name
  for name in "$@"; do has "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  can_install "${missing[*]}" || return 1
  for name in "${missing[@]}"; do mapfile -t -O "${#packages[@]}" packages < <(packages_of "$name" | tr ' ' '\n'); done
  [ ${#packages[@]} -ge ${#missing[@]} ] || return 1
  unpack "${packages[@]}" || return 1
  for name in "${missing[@]}"; do
    has "$name" || { echo "prepare: \`$name\` is still missing after unpacking ${packages[*]}" >&2; return 1; }
  done
}

# busybox must be the static one: it becomes the only file of an image.
has() {
  command -v "$1" >/dev/null || return 1
  [ "$1" != busybox ] || is_static "$(command -v busybox)"
}

# Not through a pipe: a reader that has seen enough would make the whole fail.
is_static() {
  case "$(LC_ALL=C ldd "$1" 2>/dev/null)" in *"=>"*) return 1 ;; esac
}

prepare_compiler() {
  local packages=()
  command -v cc >/dev/null || packages+=(gcc libc6-dev)
  # Without them cargo fetches nothing, and a directory over TLS is trusted by its own CA alone.
  [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
  [ ${#packages[@]} -gt 0 ] || return 0
  can_install "${packages[*]}" || return 1
  echo "prepare: installing ${packages[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends "${packages[@]}" >/dev/null
}

# Node and npm of Debian look for their parts in /usr alone, so they cannot be unpacked elsewhere; neither is a service.
prepare_provider() {
  local at=$TOOLS/provider
  if ! has node || ! has npm; then
    can_install "node npm" || return 1
    echo "prepare: installing nodejs npm"
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends nodejs npm >/dev/null || return 1
  fi
  mkdir -p "$at"; cp tests/provider/* "$at/" || return 1
  cmp -s "$at/package-lock.json" "$at/node_modules/.installed" && return 0
  (cd "$at" && npm ci --ignore-scripts --no-audit --no-fund --silent && cp package-lock.json node_modules/.installed)
}

can_install() {
  if [ "$(id -u)" -ne 0 ]; then echo "prepare: $1 missing; run this as root" >&2; return 1; fi
  if ! command -v apt-get >/dev/null; then echo "prepare: $1 missing, and no apt-get here; install it first" >&2; return 1; fi
  [ -n "${LISTS_ARE_FRESH:-}" ] || apt-get update --quiet=2 || return 1
  LISTS_ARE_FRESH=yes
}

# Downloads packages with what they depend on and the machine lacks, and unpacks them under target/tools.
unpack() {
  local debs=$TOOLS/debs root=$TOOLS/root deb file
  echo "prepare: unpacking $* to $TOOLS"
  mkdir -p "$debs/partial" "$root" "$TOOLS/bin"
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends --download-only \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$debs" "$@" >/dev/null || return 1
  for deb in "$debs"/*.deb; do dpkg-deb --extract "$deb" "$root" || return 1; done
  rm -rf "$debs"
  for file in "$root"/{usr/,}{s,}bin/*; do
    if [ -x "$file" ] && [ ! -d "$file" ]; then wrap "$file" "$root"; fi
  done
}

# The libraries that were unpacked are for the programs that were unpacked, and for nothing else.
wrap() {
  local libraries
  if is_static "$1"; then ln -sf "$1" "$TOOLS/bin/${1##*/}"; return; fi
  libraries=$(printf '%s:' "$2"/usr/lib/*-linux-gnu "$2"/lib/*-linux-gnu)
  printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "${libraries%:}" "$1" > "$TOOLS/bin/${1##*/}"
  chmod +x "$TOOLS/bin/${1##*/}"
}
