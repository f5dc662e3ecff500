#!/usr/bin/env bash
# Measure the offline base on XQuAD-R, repair it on MLQA-R with each batch strategy at the same budget, measure again.
#   ISOGLOT_DATA=... benchmarks/repair.sh [WORK_DIR]      (about 35 minutes on 2 CPU cores)
# Models and logs stay in WORK_DIR; per-query values (not committed), summaries and run records go to results/repair/. What is there is not done again.
set -euo pipefail
cd "$(dirname "$0")/.."
work="${1:-runs/repair}"
results=results/repair
isoglot="${ISOGLOT:-.venv/bin/isoglot}"
mkdir -p "$work" "$results"

measure() { # MODEL NAME BENCHMARK
  [ -d "$results/$2-on-$3" ] || "$isoglot" evaluate "$1" "$3" --output "$results/$2-on-$3"
}

measure offline:multilingual-e5-small base xquad-r
for strategy in hybrid mono cross; do
  [ -f "$results/$strategy-run.json" ] || "$isoglot" train --pairs lareqa:mlqa-r --base offline:multilingual-e5-small \
    --strategy "$strategy" --tuning lora --steps 100 --batch-size 32 --learning-rate 5e-4 --warmup 10 --scale 50 \
    --lora-rank 16 --lora-alpha 32 --lora-targets query key value dense --dropout 0 --seed 0 \
    --output "$work/$strategy" --resume
  cp "$work/$strategy/run.json" "$results/$strategy-run.json"
  measure "$work/$strategy" "$strategy" xquad-r
done
