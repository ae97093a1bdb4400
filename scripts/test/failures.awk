# Prints what failed in the output of a test step: the name of each failing test, and what it said.
#
# usage: awk -f failures.awk LOG      nothing is printed where nothing of this is found
#
#   cargo test   "---- NAME stdout ----" and the lines below it      rustc, clippy, cargo-deny   "error...: ..."
#   node --test  "not ok N - NAME", then "error:" up to "code:"      the project's own checks    "FAILED  ...", "FAIL  ..."
#   shellcheck   "In FILE line N:"    cargo fmt  "Diff in FILE"      Python                      the end of a traceback
#
# Each entry gets at most `most` lines; what is cut off is counted.

function begin(kind) { close_entry(); entry = kind; lines = 0; cut = 0 }
function close_entry() { if (cut > 0) print "    ... " cut " more lines"; entry = ""; cut = 0 }
function say(text) { if (++lines <= most) print "  " text; else cut++ }

BEGIN { if (!most) most = 30 }

/^---- .* stdout ----$/ { begin("cargo"); print "  test " $2 ":"; next }
entry == "cargo" && /^(failures:|successes:)$/ { close_entry(); next }
entry == "cargo" { if ($0 != "" && $0 !~ /^note: run with/) say("  " $0); next }

/^not ok [0-9]+ / && !/# (SKIP|TODO)/ { begin("tap"); sub(/^not ok [0-9]+ (- )?/, ""); print "  test " $0 ":"; next }
/^ *not ok [0-9]+ / && !/# (SKIP|TODO)/ { begin("tap"); sub(/^ *not ok [0-9]+ (- )?/, ""); print "  test " $0 ":"; next }
entry == "tap" && /^ *(error|expected|actual|location):/ { telling = 1 }
entry == "tap" && /^ *(code|name|operator|stack|failureType|duration_ms):/ { telling = 0 }
entry == "tap" && /^ *\.\.\.$/ { telling = 0; close_entry(); next }
entry == "tap" { if (telling) say($0); next }

/^FAIL(ED)?( |:)/ { begin("check"); say($0); next }
entry == "check" && /^[ \t]+[^ \t]/ { say($0); next }

/^error(\[[^]]*\])?: / { begin("compiler"); say($0); next }
entry == "compiler" { if ($0 == "") close_entry(); else say($0); next }

/^In .* line [0-9]+:$/ { begin("shellcheck"); say($0); next }
entry == "shellcheck" { if ($0 == "") close_entry(); else say($0); next }

/^Diff in / { begin("fmt"); say($0); next }
entry == "fmt" && /^[-+ ]/ { say($0); next }

/^Traceback \(most recent call last\):$/ { begin("python"); place = ""; next }
entry == "python" && /^  File / { place = $0; next }
entry == "python" && /^ / { next }
entry == "python" && $0 != "" { say($0); say("  " place); close_entry(); next }

/panicked at / { begin("panic"); say($0); getline; say("  " $0); close_entry(); next }

{ if (entry != "" && entry != "python") close_entry() }
END { close_entry() }
