# shellcheck shell=bash
# Running tests and counting them, for the scripts of this directory.

# cargo-nextest is faster and kills what hangs; a machine with a Rust toolchain alone has no such thing.
run_tests() {
  if command -v cargo-nextest >/dev/null; then cargo nextest run --locked --no-fail-fast "$@"
  else cargo test --locked --no-fail-fast "$@"; fi
}

# How many tests passed and failed, from what the runner printed to the file $1. A test that was ended failed.
counts() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^ *Summary \[/ || /^test result:/ {
      gsub(/[,;]/, "")
      for (i = 2; i <= NF; i++) {
        if ($i == "passed") good += $(i - 1)
        if ($i == "failed" || ($i == "timed" && $(i + 1) == "out")) bad += $(i - 1)
      }
    }
    END { print good + 0, bad + 0 }'
}
