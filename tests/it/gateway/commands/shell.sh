# shellcheck shell=sh
# What the tables' lines can use.

# Waits until a pattern is in a file.
seen() { # pattern, file
  tries=0
  until grep -qae "$1" "$2" 2>/dev/null; do
    tries=$((tries + 1)); [ "$tries" -lt 600 ] || { echo "not seen within half a minute: $1" >&2; return 1; }
    sleep 0.05
  done
}

# Runs a command on a terminal; what it said, and what was typed, is printed.
talk() { # command, then what to wait for and what to type then, again and again
  rm -f typed out; mkfifo typed; : >out
  script --quiet --flush --return --command "$1" /dev/null <typed >out 2>&1 & talking=$!
  exec 3>typed; shift
  while [ $# -gt 1 ]; do
    # The text is a format, so that control characters can be written.
    # shellcheck disable=SC2059
    seen "$1" out && printf "$2" >&3
    shift 2
  done
  wait "$talking"; code=$?
  exec 3>&-; cat out; return "$code"
}

# A docker command line with BuildKit's side of a build: built in up to 20.10, in a plugin later.
kit() {
  for program in docker /usr/bin/docker; do
    case "$("$program" --version 2>&1)" in *" version 20."* | *" version 19."*) break ;; esac
    if "$program" buildx version >/dev/null 2>&1; then break; fi
  done
  DOCKER_BUILDKIT=1 "$program" "$@"
}
