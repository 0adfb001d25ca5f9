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
  while [ $# -gt 1 ]; do seen "$1" out && printf "$2" >&3; shift 2; done
  wait "$talking"; code=$?
  exec 3>&-; cat out; return "$code"
}
