#!/usr/bin/env bash
# Does the model half run on a GPU, how fast, how well? One command for a bare machine with PyTorch, without a network.
#
#   benchmarks/gpu.sh prepare [FERPLUS]       here, once: makes .gpu/ (under 60 MB) from FER+ as published, with its
#                                             PNGs; without it, of drawn faces
#   benchmarks/gpu.sh                         there, on a copy of checkout and .gpu: five minutes
#   benchmarks/gpu.sh --long                  there: `default` for four minutes, and three seeds for one; eight minutes
#   benchmarks/gpu.sh --device cpu --tiny     anywhere: a rehearsal of the same parts on drawn faces
#   benchmarks/gpu.sh --only speed,learn      some parts alone: tests, speed, learn
#
# Each part is a process under a time limit and writes as it goes, to $OUT (default .gpu/out): log.txt, speed.jsonl,
# learn.jsonl, tests.txt, a file a run. Python is $PYTHON, else .venv's, else python3. It changes no setting of a GPU.
# Exit status: 0 if all parts ended well, 1 if not, 2 for a wrong option.
set -uo pipefail
cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then PYTHON=python3; [ -x .venv/bin/python ] && PYTHON=.venv/bin/python; fi
export PYTHONPATH=$PWD:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
if [ "${1:-}" = prepare ]; then exec "$PYTHON" -m gpu.prepare .gpu "${@:2}"; fi

device=cuda tiny= long= only=tests,speed,learn
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=${2:?}; shift ;;
    --tiny) tiny=--tiny ;;
    --long) long=--long only=learn ;;
    --only) only=${2:?}; shift ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
  shift
done

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
OUT=${OUT:-$PWD/.gpu/out}; mkdir -p "$OUT"; rm -f "$OUT"/{log.txt,tests.txt,speed.jsonl,learn.jsonl}
export PYTHONPATH=$PWD/.gpu/site:$PYTHONPATH FERDATA_CACHE=$work/cache TMPDIR=$work
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 # the machine's own plug-ins are not this pytest's
failed= begun=$SECONDS faces=$PWD/.gpu/faces.parquet
say() { echo "$*" | tee -a "$OUT/log.txt"; }
part() { # NAME SECONDS COMMAND...: run it under a time limit, what it says going to screen and log
  case ,$only,machine, in *,$1,*) ;; *) return ;; esac
  local from=$SECONDS
  say "== $1 =="
  timeout -k 5 "$(($2 * patience))" "${@:3}" 2>&1 | tee -a "$OUT/log.txt"
  local code=${PIPESTATUS[0]}
  say "== $1 ended with $code after $((SECONDS - from)) s =="
  [ "$code" = 0 ] || failed="$failed $1"
}
marked() { # the tests that a GPU is for; in a rehearsal the same tests on the processor, but for the slow ones
  local wanted=cuda processes=6
  [ "$device" = cpu ] && wanted='not cuda and not slow' processes=2
  # Warnings of other versions than those that the tests are written for are shown, and fail nothing.
  # Each its own thread: else all of them want all the cores for what is not on the GPU.
  OMP_NUM_THREADS=1 "$PYTHON" -m pytest -v --durations=10 -p no:cacheprovider -p xdist -n "$processes" --dist worksteal \
    -o filterwarnings=default -m "$wanted" --basetemp "$work/pytest" $(find tests -name 'test_*_cuda.py' | sort) \
    > "$OUT/tests.txt" 2>&1
  local code=$?
  grep -v '::' "$OUT/tests.txt" | tail -60; grep -E '^(FAILED|ERROR)' "$OUT/tests.txt"
  return $code
}
patience=1 # how many times the limits: no busy machine shall end a rehearsal
if [ -n "$tiny" ]; then export OMP_NUM_THREADS=1; patience=6; fi
export -f marked; export device OUT PYTHON work

if [ -n "$tiny" ] || [ ! -f "$faces" ]; then
  [ -n "$tiny" ] || say "There is no $faces: drawn faces take its place. To have FER+: benchmarks/gpu.sh prepare FERPLUS"
  faces=$work/faces.parquet; "$PYTHON" -m gpu.faces "$faces" 2>&1 | tee -a "$OUT/log.txt"
fi
part machine 20 "$PYTHON" -m gpu.machine "$device"
part tests 80 bash -c marked
part speed 105 "$PYTHON" -m gpu.speed "$faces" "$OUT/speed.jsonl" --device "$device" --seconds $((90 * patience)) $tiny
part learn "$([ -n "$long" ] && echo 480 || echo 110)" \
  "$PYTHON" -m gpu.learn "$faces" "$OUT/learn.jsonl" --device "$device" $tiny $long
"$PYTHON" -m gpu.record "$OUT" | tee -a "$OUT/log.txt"
[ "$device" = cpu ] && say "Not run on a GPU: this was a rehearsal on the processor."
say "${failed:+Failed:$failed. }$((SECONDS - begun)) s in all; results in $OUT"
[ -z "$failed" ]
