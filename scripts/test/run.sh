# shellcheck shell=bash disable=SC2154  # test.sh sets cache and top
# Runs test steps: a line for each, progress while one takes long, the names of what failed, and the sum.
#
#   foresee COUNT STEP...    says how long these took last time on this machine, or on another one; COUNT of them count
#   required NAME COMMAND... a step without which there are no others: it is counted only if it fails, and then all ends
#   run NAME COMMAND...      a step: exit code 0 passed, 77 skipped (the reason is its last line), others failed
#   sum                      the last lines; fails if a step did
#
# Runs in: test.sh, with $cache and $top set. Logs stay in $logs until the next run of this checkout begins after this one.

passed=0 failed=0 skipped=0 failures=()
parts=$top/scripts/test
# Each run of a checkout has its own, for there may be two at once; those of runs that are over make room.
logs=$cache/logs/$(basename "$top")-$(cksum <<<"$top" | cut -d ' ' -f 1)
for old in "$logs"/*; do
    grep -qs test.sh "/proc/${old##*/}/cmdline" || rm -rf "$old"
done
logs=$logs/$$
mkdir -p "$logs"
seconds=$cache/step-seconds
# choice: shorter steps need no word of comfort.
quiet_s=10
# choice: without a terminal each word stays, so there are fewer.
again_s=${SPIDERCAR_PROGRESS_S:-30}

# The seconds that a step takes: what it took here last time, else on 2 cores of an x86 server (measured, 2026-11).
expected() {
    local last
    last=$(awk -v step="$1" '$1 == step { found = $2 } END { print found }' "$seconds" 2>/dev/null)
    [ -n "$last" ] || last=$(awk -v step="$1" '$1 == step { print $2 }' "$parts/first-seconds")
    echo "${last:-0}"
}
remember() {
    { awk -v step="$1" '$1 != step' "$seconds" 2>/dev/null; echo "$1 $2"; } >"$seconds.new.$$" && mv "$seconds.new.$$" "$seconds"
}
# Seconds for a person.
spoken() { if [ "$1" -lt 120 ]; then echo "$1 s"; else echo "$((($1 + 30) / 60)) min"; fi; }

foresee() {
    local steps=$1 step sum=0
    shift
    for step in "$@"; do sum=$((sum + $(expected "$step"))); done
    echo "steps: $steps, about $(spoken $sum). Logs: $logs"
}

# Says every now and then what a step does, until it is ended.
progress() {
    local name=$1 log=$2 start=$SECONDS about wait=$quiet_s doing
    about=$(expected "$name")
    # Waits without a process of its own, which would outlive this one.
    exec {never}<> <(:)
    while ! read -r -t "$wait" -u "$never" && kill -0 $$ 2>/dev/null; do
        doing=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c 1-90)
        if [ -t 1 ]; then
            printf '\r\033[K...      %s: %s of about %s: %s' "$name" "$((SECONDS - start)) s" "$(spoken "$about")" "$doing"
            wait=1
        else
            echo "...      $name: $((SECONDS - start)) s of about $(spoken "$about"): $doing"
            wait=$again_s
        fi
    done
}

# Runs a command with its output in the log, and gives its exit code.
watched() {
    local name=$1 log=$logs/$1.log code=0 ticker
    shift
    progress "$name" "$log" &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null || code=$?
    kill "$ticker" 2>/dev/null
    wait "$ticker" 2>/dev/null
    [ ! -t 1 ] || printf '\r\033[K'
    return $code
}

# What failed in a step, by name; all that it said last where nothing is known by name.
tell() {
    local name=$1 found
    found=$(awk -f "$parts/failures.awk" "$logs/$name.log")
    if [ -n "$found" ]; then
        echo "$found"
    else
        tail -n 60 "$logs/$name.log" | sed 's/^/  /'
    fi
    echo "  all of it: $logs/$name.log"
    failures+=("$name" "$(grep -E '^  (test |FAIL|In |error|Diff in )' <<<"$found" | sed 's/:$//; s/^  //' | cut -c 1-150)")
}

run() {
    local name=$1 start=$SECONDS code=0 took
    watched "$@" || code=$?
    took=$((SECONDS - start))
    case $code in
        0) passed=$((passed + 1)); remember "$name" $took; echo "ok       $name (${took} s)" ;;
        77) skipped=$((skipped + 1)); echo "SKIPPED  $name: $(tail -n 1 "$logs/$name.log")" ;;
        *) failed=$((failed + 1)); echo "FAILED   $name (${took} s), exit code $code"; tell "$name" ;;
    esac
    if [ "${VERBOSE:-0}" = 1 ] && [ $code = 0 ]; then cat "$logs/$name.log"; fi
}

required() {
    local name=$1 start=$SECONDS
    if watched "$@"; then
        remember "$name" $((SECONDS - start))
    else
        failed=1
        echo "FAILED   $name ($((SECONDS - start)) s)"
        tell "$name"
        sum
        exit 1
    fi
}

sum() {
    local index names
    echo
    for ((index = 0; index < ${#failures[@]}; index += 2)); do
        echo "failed in ${failures[index]}:"
        names=${failures[index + 1]:-see above}
        echo "  ${names//$'\n'/$'\n'  }"
    done
    [ "$skipped" = 0 ] || echo "steps that did not run here: $skipped; each says why above"
    echo "in $(spoken $SECONDS)"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
